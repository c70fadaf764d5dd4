//! How to reach RabbitMQ.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::nodes::bracketed;
use crate::{Constants, Error, Nodes, Origin, Secret};

/// Addresses, login, TLS and time-outs of the connection to RabbitMQ. `Debug` hides the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The nodes, in the order in which they are tried.
    pub nodes: Nodes,
    /// User.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// TLS, if it is to be used.
    pub tls: Option<Tls>,
    /// How long each step of connecting to a node may take: opening the connection, TLS, login, each check of the schema.
    pub connect_timeout: Duration,
    /// Heartbeat interval to propose to the server, in whole seconds.
    pub heartbeat: Duration,
    /// How long the server may take to confirm a message.
    pub publish_timeout: Duration,
}

/// PEM files for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Authorities to trust; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate chain. Set together with `key_file` or not at all.
    pub cert_file: Option<PathBuf>,
    /// The client's private key.
    pub key_file: Option<PathBuf>,
}

impl Connection {
    pub(crate) fn from_constants(constants: &Constants) -> Result<Self, Error> {
        let tls = tls(constants)?;
        Ok(Connection {
            nodes: Nodes::from_constants(constants, default_port(constants)?)?,
            user: constants.text("RABBITMQ_USER_NAME")?.to_owned(),
            password: password(constants)?,
            tls,
            connect_timeout: constants.seconds("RABBITMQ_CONNECT_TIMEOUT")?,
            heartbeat: Duration::from_secs(constants.integer("RABBITMQ_HEARTBEAT")?),
            publish_timeout: constants.seconds("RABBITMQ_PUBLISH_TIMEOUT")?,
        })
    }

    /// `host:port` of each node, as it stands in messages; IPv6 addresses in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        self.nodes.to_string()
    }
}

/// The port of nodes that are listed without one.
pub(crate) fn default_port(constants: &Constants) -> Result<u16, Error> {
    let tls = uses_tls(constants)?;
    let unset = constants.origin("RABBITMQ_PORT") == Some(&Origin::Default);
    match constants.integer("RABBITMQ_PORT")? {
        _ if unset && tls => Ok(5671),
        port => Ok(port),
    }
}

fn uses_tls(constants: &Constants) -> Result<bool, Error> {
    Ok(constants.text("RABBITMQ_SCHEME")? == "amqps")
}

fn tls(constants: &Constants) -> Result<Option<Tls>, Error> {
    let (ca, cert, key) = (
        "RABBITMQ_TLS_CA_FILE",
        "RABBITMQ_TLS_CERT_FILE",
        "RABBITMQ_TLS_KEY_FILE",
    );
    let tls = Tls {
        ca_file: constants.optional_path(ca)?,
        cert_file: constants.optional_path(cert)?,
        key_file: constants.optional_path(key)?,
    };
    if !uses_tls(constants)? {
        // Whoever names a certificate believes that the connection is encrypted.
        let named = [
            (ca, &tls.ca_file),
            (cert, &tls.cert_file),
            (key, &tls.key_file),
        ];
        return match named.iter().find(|(_, file)| file.is_some()) {
            Some((name, _)) => Err(constants.invalid(
                name,
                "it is set, but RABBITMQ_SCHEME is amqp; set that to amqps",
            )),
            None => Ok(None),
        };
    }
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => Err(constants.invalid(cert, &format!("{key} is missing beside it"))),
        (None, Some(_)) => Err(constants.invalid(key, &format!("{cert} is missing beside it"))),
        _ => Ok(Some(tls)),
    }
}

/// The file that the password is to be read from. A password set in a later place (in the
/// environment over the file) overrides a password file set in an earlier one.
pub(crate) fn password_file(constants: &Constants) -> Result<Option<PathBuf>, Error> {
    let path = constants.optional_path("RABBITMQ_USER_PASSWORD_FILE")?;
    let origins = constants
        .origin("RABBITMQ_USER_PASSWORD")
        .zip(constants.origin("RABBITMQ_USER_PASSWORD_FILE"));
    let overridden = origins.is_some_and(|(password, file)| password.overrides(file));
    Ok(path.filter(|_| !overridden))
}

fn password(constants: &Constants) -> Result<Secret, Error> {
    match password_file(constants)? {
        Some(path) => first_line(constants, &path),
        None => Ok(constants
            .get("RABBITMQ_USER_PASSWORD")
            .unwrap_or_default()
            .into()),
    }
}

fn first_line(constants: &Constants, path: &Path) -> Result<Secret, Error> {
    let text = fs::read_to_string(path).map_err(|error| {
        let problem = format!("{} cannot be read: {error}", path.display());
        constants.invalid("RABBITMQ_USER_PASSWORD_FILE", &problem)
    })?;
    Ok(text.lines().next().unwrap_or_default().into())
}

/// Bases of the management API's addresses, without a slash at the end: the one that is set, else one for each host.
pub(crate) fn management_urls(constants: &Constants) -> Result<Vec<String>, Error> {
    const NAME: &str = "RABBITMQ_MANAGEMENT_URL";
    let url = constants
        .get(NAME)
        .unwrap_or_default()
        .trim_end_matches('/');
    if url.is_empty() {
        let (scheme, port) = if uses_tls(constants)? {
            ("https", 15671)
        } else {
            ("http", 15672)
        };
        // The port of AMQP does not matter here.
        let nodes = Nodes::from_constants(constants, port)?;
        let mut urls: Vec<String> = Vec::new();
        for node in nodes.iter() {
            let url = format!("{scheme}://{}:{port}", bracketed(&node.host));
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        return Ok(urls);
    }
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(constants.unfit(NAME, "no http:// or https:// address"));
    }
    if url.contains('@') {
        return Err(constants.invalid(
            NAME,
            "it holds a login; that is taken from RABBITMQ_USER_NAME and RABBITMQ_USER_PASSWORD",
        ));
    }
    Ok(vec![url.to_owned()])
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
