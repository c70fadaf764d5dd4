//! Where handlers wait until the test lets them go.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use edeposit_testkit::DaemonUnderTest;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// Keeps requests of the puppet in hand for as long as the test needs to bring about a fault: on a busy machine that is
/// longer than any time a handler could be told to sleep.
#[derive(Debug, Serialize)]
#[serde(rename = "Wait")]
pub struct Gate {
    file: PathBuf,
}

impl Gate {
    /// A closed one, in the daemon's home.
    pub fn new(daemon: &DaemonUnderTest) -> Gate {
        let name = format!("gate-{}", Uuid::new_v4());
        Gate {
            file: daemon.home().join(name),
        }
    }

    /// The request whose handler waits at the gate; its answer's text is `waited`. Serialized, a gate is the same request.
    pub fn request(&self) -> String {
        json!({ "__nt_name": "Wait", "file": self.file }).to_string()
    }

    /// Lets all go that wait, and all that come.
    ///
    /// # Errors
    /// The daemon's home is gone.
    pub fn open(&self) -> Result<()> {
        Ok(fs::write(&self.file, "")?)
    }
}
