//! Where a daemon works in RabbitMQ.

use edeposit_amqp::ConnectionParams;

/// What a daemon consumes, and where its answers go.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) params: ConnectionParams,
    /// The queue that is consumed.
    pub(crate) queue: String,
    /// The exchange that answers are published to.
    pub(crate) output_exchange: String,
    /// Deliveries dealt with at once, at least 1.
    pub(crate) prefetch: u16,
}
