//! A node's place in a cluster.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Which of the nodes it is, and what it shares with the others.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: usize,
    /// All nodes are found by one epmd, which the first node's guardian keeps.
    pub(super) epmd_port: u16,
    /// What they know one another by.
    pub(super) cookie: String,
}

impl Seat {
    pub(super) fn write_cookie(&self, dir: &Path) -> Result<()> {
        let path = dir.join(".erlang.cookie");
        // Erlang refuses a cookie that others may read.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&path)
            .and_then(|mut file| file.write_all(self.cookie.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))
    }
}
