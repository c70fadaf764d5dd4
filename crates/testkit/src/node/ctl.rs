//! RabbitMQ's own command line, `rabbitmqctl`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::guardian::environment;
use super::info::NodeInfo;

const CTL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";

/// Runs rabbitmqctl against a node, with nothing but the node's own environment.
pub(super) fn ctl(node: &NodeInfo, args: &[&str]) -> Result<String> {
    let output = Command::new(CTL)
        .arg("--quiet")
        .args(args)
        .env_clear()
        .envs(environment(node))
        .output()
        .with_context(|| format!("running {CTL}"))?;
    if !output.status.success() {
        bail!(
            "rabbitmqctl {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
