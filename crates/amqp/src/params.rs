//! Where the broker is and how to log in.

use edeposit_settings::{Connection, Settings};

/// All that is needed to connect: the addresses of the broker's nodes, login, and the virtual host.
#[derive(Clone, Debug)]
pub struct ConnectionParams {
    /// Addresses, login, TLS and time-outs, from the settings.
    pub connection: Connection,
    /// The virtual host, e.g. `aleph`.
    pub virtualhost: String,
    /// What `edeposit_amqp_tool` calls the submodule, for messages that say what to run.
    pub submodule: String,
}

/// Connection parameters for a virtual host (the original's `getConParams`).
///
/// # Errors
/// A setting has a value that cannot be used; the error names file and key.
pub fn get_con_params(
    settings: &Settings,
    virtualhost: &str,
) -> Result<ConnectionParams, edeposit_settings::Error> {
    Ok(ConnectionParams {
        connection: settings.connection()?,
        virtualhost: virtualhost.to_owned(),
        submodule: virtualhost.to_owned(),
    })
}

impl ConnectionParams {
    /// The same for a submodule that is not called as its virtual host is.
    #[must_use]
    pub fn for_submodule(mut self, submodule: &str) -> Self {
        self.submodule = submodule.to_owned();
        self
    }

    /// The name of this client in the broker's list of connections. With the machine's name: several may run the same
    /// daemon, and in containers all may have the same pid.
    pub(crate) fn client_name(&self) -> String {
        let machine = rustix::system::uname();
        format!(
            "edeposit {}, pid {} on {}",
            self.submodule,
            std::process::id(),
            machine.nodename().to_string_lossy()
        )
    }

    /// `host:port` of every node, for messages that concern no single one; [`Link::node`](crate::Link::node) is the one in use.
    #[must_use]
    pub fn address(&self) -> String {
        self.connection.address()
    }
}
