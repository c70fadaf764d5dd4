//! The files of a TLS connection: authorities to trust, the client's certificate and key.

use edeposit_settings::Tls;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};

use crate::{ConnectError, ConnectionParams};

/// The files of the settings, read anew for every connection: they may have been renewed.
pub(crate) fn tls_config(
    params: &ConnectionParams,
) -> Result<Option<OwnedTLSConfig>, ConnectError> {
    let tls = params.connection.tls.as_ref();
    tls.map(read_tls_files).transpose()
}

fn read_tls_files(tls: &Tls) -> Result<OwnedTLSConfig, ConnectError> {
    let read = |setting, path: &std::path::Path| {
        std::fs::read(path).map_err(|cause| ConnectError::TlsFile {
            setting,
            path: path.display().to_string(),
            cause,
        })
    };
    let cert_chain = match &tls.ca_file {
        Some(path) => {
            Some(String::from_utf8_lossy(&read("RABBITMQ_TLS_CA_FILE", path)?).into_owned())
        }
        None => None,
    };
    let identity = match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key)) => Some(OwnedIdentity::PKCS8 {
            pem: read("RABBITMQ_TLS_CERT_FILE", cert)?,
            key: read("RABBITMQ_TLS_KEY_FILE", key)?,
        }),
        _ => None,
    };
    Ok(OwnedTLSConfig {
        identity,
        cert_chain,
    })
}
