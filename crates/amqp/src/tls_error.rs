//! What to do when TLS fails: the certificate that is wrong decides which setting to look at.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// The TLS library's own error, if that is what is behind an I/O error.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What an operator can do about a failed TLS connection.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match tls_error(error) {
        Some(Error::InvalidCertificate(problem)) => of_its_certificate(problem),
        Some(Error::AlertReceived(alert)) => of_ours(*alert),
        _ => "see RABBITMQ_TLS_CA_FILE and the certificates",
    }
}

fn of_its_certificate(problem: &CertificateError) -> &'static str {
    use CertificateError as Problem;
    match problem {
        Problem::UnknownIssuer => {
            "its certificate must be signed by an authority in RABBITMQ_TLS_CA_FILE, or of the system if that is not set"
        }
        Problem::Expired | Problem::ExpiredContext { .. } => {
            "the server's certificate has to be renewed (or is this machine's clock wrong?)"
        }
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (or is this machine's clock wrong?)"
        }
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
            "RABBITMQ_HOST must be a name that the server's certificate is for"
        }
        _ => "the server's certificate has to be replaced; see RABBITMQ_TLS_CA_FILE",
    }
}

fn of_ours(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => CLIENT_CERTIFICATE,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => {
            "it refuses the client's certificate, RABBITMQ_TLS_CERT_FILE"
        }
        _ => {
            "it does not accept this TLS version, its ciphers, or a client without RABBITMQ_TLS_CERT_FILE"
        }
    }
}

/// For a server that demands a client's certificate.
pub(crate) const CLIENT_CERTIFICATE: &str =
    "it demands a client certificate: set RABBITMQ_TLS_CERT_FILE and RABBITMQ_TLS_KEY_FILE";
