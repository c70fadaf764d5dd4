//! The configuration files that a node reads at its start.

use std::fs;

use anyhow::{Context, Result};

use super::info::NodeInfo;
use super::tls::TlsFiles;

/// Writes it into the node's directory; [`environment`](super::guardian::environment) points at these files.
pub(super) fn write(info: &NodeInfo, tls: Option<&TlsFiles>) -> Result<()> {
    let mut config = format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {}\n\
         # A full development disk is no reason to block publishers.\n\
         disk_free_limit.absolute = 10MB\n\
         log.file.level = info\n",
        info.amqp_port, info.management_port
    );
    if let (Some(files), Some(port)) = (tls, info.amqps_port) {
        config += &format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\n\
             ssl_options.cacertfile = {}\n\
             ssl_options.certfile = {}\n\
             ssl_options.keyfile = {}\n\
             ssl_options.verify = verify_peer\n\
             ssl_options.fail_if_no_peer_cert = true\n",
            files.ca().display(),
            files.server_certificate().display(),
            files.server_key().display()
        );
    }
    for (name, content) in [
        ("rabbitmq.conf", config.as_str()),
        ("enabled_plugins", "[rabbitmq_management].\n"),
        // Empty: keeps the start script from reading /etc/rabbitmq/rabbitmq-env.conf.
        ("rabbitmq-env.conf", ""),
    ] {
        let path = info.dir.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
