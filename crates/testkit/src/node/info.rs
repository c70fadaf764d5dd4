//! Where a node is to be reached: its ports, name and directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything another process has to know to use a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Port of plain AMQP on 127.0.0.1.
    pub amqp_port: u16,
    /// Port of AMQP over TLS on 127.0.0.1, if the node was started with it.
    pub amqps_port: Option<u16>,
    /// Port of the management HTTP API on 127.0.0.1.
    pub management_port: u16,
    /// Port of the node's own epmd.
    pub epmd_port: u16,
    /// Erlang's name of the node.
    pub node_name: String,
    /// Directory with the node's configuration, data, log and cookie.
    pub dir: PathBuf,
}
