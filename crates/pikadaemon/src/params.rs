//! Where the broker is and how to log in.

use edeposit_settings::{Connection, Settings};

/// All that is needed to connect: the broker's address and login, and the virtual host.
#[derive(Clone, Debug)]
pub struct ConnectionParams {
    /// Address, login, TLS and time-outs, from the settings.
    pub connection: Connection,
    /// The virtual host, e.g. `aleph`.
    pub virtualhost: String,
    /// Name of this client in the broker's list of connections.
    pub client_name: String,
}

/// Connection parameters for a virtual host (the original's `getConParams`).
///
/// # Errors
/// A setting has a value that cannot be used; the error names file and key.
pub fn get_con_params(settings: &Settings, virtualhost: &str) -> Result<ConnectionParams, edeposit_settings::Error> {
    Ok(ConnectionParams {
        connection: settings.connection()?,
        virtualhost: virtualhost.to_owned(),
        client_name: format!("edeposit {virtualhost}, pid {}", std::process::id()),
    })
}

impl ConnectionParams {
    /// `host:port`, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        self.connection.address()
    }
}
