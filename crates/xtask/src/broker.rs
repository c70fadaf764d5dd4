//! `cargo xtask broker`: a private RabbitMQ for as long as one wants it.

use anyhow::Result;
use edeposit_testkit::{RabbitNode, SHARED_NODE_VARIABLE};

use crate::setup;

pub async fn run() -> Result<()> {
    setup::rabbitmq()?;
    println!("Starting a private RabbitMQ, about five seconds.");
    let node = RabbitNode::start()?;
    println!(
        "
AMQP        127.0.0.1:{}, user {}, password {}
management  {}
data, log   {}

For daemons and the tool in another terminal:

export RABBITMQ_HOST=127.0.0.1 RABBITMQ_PORT={} RABBITMQ_USER_NAME={} RABBITMQ_USER_PASSWORD={} RABBITMQ_MANAGEMENT_URL={}

For `cargo test` in another terminal, which then need not start a node for each test executable:

export {SHARED_NODE_VARIABLE}='{}'

Ctrl-C ends it and removes all its data.",
        node.amqp_port(),
        node.user(),
        node.password(),
        node.management_url(),
        node.info().dir.display(),
        node.amqp_port(),
        node.user(),
        node.password(),
        node.management_url(),
        serde_json::to_string(node.info())?
    );
    std::future::pending().await
}
