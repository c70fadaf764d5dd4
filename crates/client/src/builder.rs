//! Options of a client.

use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::get_con_params;
use edeposit_settings::Settings;
use tokio::sync::Semaphore;

use crate::client::Shared;
use crate::destination::Destination;
use crate::pending::Pending;
use crate::supervisor::Supervisor;
use crate::{Client, ConnectError, Replies};

const LONGEST_NAME: usize = 100;

/// A [`Client`] to be: [`Client::builder`].
#[must_use]
pub struct Builder<'a> {
    settings: &'a Settings,
    submodule: &'a str,
    replies: Replies,
    deadline: Option<Duration>,
    max_in_flight: usize,
    name: Option<String>,
}

impl Client {
    /// Connects to where the settings have the submodule, with the defaults of [`Builder`].
    ///
    /// # Errors
    /// The broker cannot be reached or refuses. Later losses are repaired.
    pub async fn connect(settings: &Settings, submodule: &str) -> Result<Self, ConnectError> {
        Self::builder(settings, submodule).connect().await
    }

    /// A client with options.
    pub fn builder<'a>(settings: &'a Settings, submodule: &'a str) -> Builder<'a> {
        Builder::new(settings, submodule)
    }
}

impl<'a> Builder<'a> {
    fn new(settings: &'a Settings, submodule: &'a str) -> Self {
        Self {
            settings,
            submodule,
            replies: Replies::default(),
            deadline: None,
            max_in_flight: 10_000,
            name: None,
        }
    }

    /// How answers come back. Default [`Replies::SharedExchange`].
    pub fn replies(mut self, replies: Replies) -> Self {
        self.replies = replies;
        self
    }

    /// How long a call may take in all, waiting for a connection and for its turn included. Default: the submodule's
    /// `RABBITMQ_HANDLER_TIMEOUT`, after which its daemon gives a request up.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How many calls may be in flight at once; further ones wait for their turn. At least 1, default 10,000.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// The client's name: a part of routing keys and of the name of its queue, so no two running clients of a submodule may
    /// have the same. Default: program, pid and a random number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Connects. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A setting or the name does not do; the broker cannot be reached or refuses.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let submodule = self.settings.submodule(self.submodule)?;
        let params =
            get_con_params(self.settings, &submodule.vhost)?.for_submodule(&submodule.name);
        let deadline = self.deadline.unwrap_or(submodule.handler_timeout);
        let name = self.name.unwrap_or_else(unique_name);
        if !is_name(&name) {
            return Err(ConnectError::Name { name });
        }
        let destination = Arc::new(Destination {
            params,
            submodule,
            replies: Some(self.replies),
            name,
        });
        let pending = Arc::new(Pending::default());
        let supervisor = Supervisor::start(Arc::clone(&destination), Arc::clone(&pending), false);
        supervisor.first().await?;
        let shared = Shared {
            destination,
            replies: self.replies,
            pending,
            permits: Arc::new(Semaphore::new(self.max_in_flight)),
            supervisor,
        };
        Ok(Client::new(shared, deadline))
    }
}

/// No dots, stars or hashes, which mean something in the keys of a topic exchange.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits)
}

pub(crate) fn unique_name() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let program: String = std::path::Path::new(&program)
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if is_name(c.encode_utf8(&mut [0; 4])) {
                c
            } else {
                '_'
            }
        })
        .take(60)
        .collect();
    format!("{program}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_routing_key() {
        for name in ["a", "Jan_2", "harvester-1", &unique_name()] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a.b", "*", "#", "ž", "a b", &"x".repeat(101)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn no_two_clients_have_the_same_name() {
        assert_ne!(unique_name(), unique_name());
    }
}
