//! Where a daemon works in RabbitMQ.

use edeposit_amqp::{ConnectionParams, get_con_params};
use edeposit_settings::{Error, Settings, Submodule};

/// What a daemon consumes, and where its answers go.
#[derive(Clone)]
pub(crate) struct Wiring {
    pub(crate) con_params: ConnectionParams,
    pub(crate) queue: String,
    pub(crate) out_exch: String,
    pub(crate) out_key: String,
}

impl Wiring {
    /// What the settings have for a submodule.
    ///
    /// # Errors
    /// The settings of the connection cannot be used.
    pub(crate) fn of(settings: &Settings, submodule: &Submodule) -> Result<Self, Error> {
        Ok(Self {
            con_params: get_con_params(settings, &submodule.vhost)?.for_submodule(&submodule.name),
            queue: submodule.input_queue.clone(),
            out_exch: submodule.exchange.clone(),
            out_key: submodule.out_key.clone(),
        })
    }
}
