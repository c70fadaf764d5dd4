//! Every step of setting up a session has a deadline, and the error says which step it was.

use std::time::Duration;

use edeposit_settings::Node;
use tokio::time::timeout;

use crate::{ConnectError, ConnectionParams};

/// Bounds a step of the set-up in time.
///
/// # Errors
/// It takes longer than `RABBITMQ_CONNECT_TIMEOUT`.
pub async fn within<F: Future>(
    params: &ConnectionParams,
    step: &'static str,
    future: F,
) -> Result<F::Output, ConnectError> {
    bounded(
        params.address(),
        params.connection.connect_timeout,
        step,
        future,
    )
    .await
}

/// The same while connecting to a node.
pub(crate) async fn at_node<F: Future>(
    node: &Node,
    limit: Duration,
    step: &'static str,
    future: F,
) -> Result<F::Output, ConnectError> {
    bounded(node.to_string(), limit, step, future).await
}

async fn bounded<F: Future>(
    address: String,
    after: Duration,
    step: &'static str,
    future: F,
) -> Result<F::Output, ConnectError> {
    timeout(after, future)
        .await
        .map_err(|_| ConnectError::Timeout {
            address,
            step,
            after,
        })
}
