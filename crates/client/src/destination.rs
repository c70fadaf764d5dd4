//! What a client connects to.

use edeposit_amqp::ConnectionParams;
use edeposit_settings::Submodule;

use crate::Replies;

/// The submodule that is called, and how its answers come back.
pub(crate) struct Destination {
    pub(crate) params: ConnectionParams,
    pub(crate) submodule: Submodule,
    /// None: a client that only sends.
    pub(crate) replies: Option<Replies>,
    /// The client's own name.
    pub(crate) name: String,
}
