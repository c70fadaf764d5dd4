//! The `ftp` submodule, first half: accounts of the FTP server.
//!
//! Publishers upload their books to a ProFTPD server. The deposit system adds, changes and removes their accounts by
//! messages; they are lines of ProFTPD's password file, and directories below one parent. ProFTPD reads that file at each
//! login, so whatever is changed here is in force at once, without a signal to the server.
//!
//! [`messages`] has what goes over RabbitMQ, [`edeposit_ftp::Settings`] what an operator can set. [`Manager`] carries
//! requests out and can be called without a broker; [`FtpManager`] is the handler for a daemon.

mod error;
mod look;
mod manager;
pub mod messages;
mod password;
mod removal;

pub use error::ManagerError;
pub use manager::Manager;

use std::sync::Arc;

use edeposit_amqpdaemon::{Exception, Finding, Handler, Sendback, Submodule};
use edeposit_ftp::Settings;
use tokio::task::spawn_blocking;

use messages::{Request, Response};

/// The submodule: reacts to the requests of [`messages`].
#[derive(Debug, Clone)]
pub struct FtpManager {
    manager: Arc<Manager>,
}

impl FtpManager {
    /// Sets up with the given settings. Nothing on the disk is looked at yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            manager: Arc::new(Manager::new(settings)),
        }
    }
}

impl Submodule for FtpManager {
    const NAME: &'static str = "ftp";
    type Settings = Settings;

    fn set_up(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self::new(settings))
    }

    async fn look_around(settings: Self::Settings) -> Vec<Finding> {
        look::look_around(settings).await
    }
}

impl Handler for FtpManager {
    type Request = Request;
    type Response = Response;

    async fn react(&self, request: Request, sendback: Sendback) -> Result<Response, Exception> {
        let manager = Arc::clone(&self.manager);
        let redelivered = sendback.redelivered();
        let done = spawn_blocking(move || manager.carry_out(request, redelivered)).await;
        match done {
            Ok(done) => Ok(done?),
            Err(error) => Err(Exception::builtin("RuntimeError", error.to_string())),
        }
    }
}
