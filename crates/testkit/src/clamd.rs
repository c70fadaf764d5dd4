//! A clamd of our own: Debian's program with one hand-made signature, that of the EICAR test string. No network.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{PATIENCE, poll_until};

/// The EICAR test file in base64: as it is, virus scanners would take this file away.
pub const EICAR_BASE64: &str =
    "WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElWSVJVUy1URVNULUZJTEUhJEgrSCo=";

/// What it begins with, as ClamAV writes signatures; and the rest, apart for the same reason.
const EICAR_HEX: [&str; 2] = [
    "58354f2150254041505b345c505a58353428505e2937434329377d24",
    "45494341522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a",
];

/// A private clamd in a directory of its own, which ends with this value.
#[derive(Debug)]
pub struct Clamd {
    dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Clamd {
    /// Starts a clamd, and waits until it answers. It takes streams of 10 MiB at most, and waits 5 s for a command.
    ///
    /// # Errors
    /// ClamAV is not installed, or it does not start.
    pub fn start() -> Result<Clamd> {
        let mut tries = 0;
        loop {
            let mut clamd = Clamd::prepare()?;
            match clamd.run() {
                Ok(()) => return Ok(clamd),
                // somebody may have taken its port meanwhile
                Err(error) if tries == 2 => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// The same, not started yet.
    ///
    /// # Errors
    /// Its directory cannot be written.
    pub fn prepare() -> Result<Clamd> {
        let dir = tempfile::Builder::new()
            .prefix("edeposit-clamd-")
            .tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let clamd = Clamd {
            dir,
            port,
            child: None,
        };
        for name in ["db", "tmp"] {
            fs::create_dir(clamd.path(name))?;
        }
        clamd.add_signature("eicar", "Eicar-Test-Signature", &EICAR_HEX.concat())?;
        let at = |name: &str| clamd.path(name).display().to_string();
        fs::write(
            clamd.conf(),
            format!(
                "Foreground yes\nDatabaseDirectory {}\nLocalSocket {}\nFixStaleSocket yes\nTCPAddr 127.0.0.1\n\
                 TCPSocket {port}\nPidFile {}\nLogFile {}\nTemporaryDirectory {}\nMaxThreads 2\n\
                 StreamMaxLength 10M\nCommandReadTimeout 5\nSelfCheck 0\n",
                at("db"),
                at("clamd.ctl"),
                at("clamd.pid"),
                at("clamd.log"),
                at("tmp"),
            ),
        )?;
        Ok(clamd)
    }

    /// Adds lines to its configuration, for the next [`Clamd::run`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let conf = fs::read_to_string(self.conf())?;
        Ok(fs::write(self.conf(), format!("{conf}{lines}\n"))?)
    }

    /// Adds a signature for files that begin with these bytes, given in hex. A running clamd does not see it yet.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_signature(&self, file: &str, name: &str, hex: &str) -> Result<()> {
        let path = self.path("db").join(format!("{file}.ndb"));
        Ok(fs::write(path, format!("{name}:0:0:{hex}\n"))?)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// ClamAV is not installed, or it does not start.
    pub fn run(&mut self) -> Result<()> {
        let child = Command::new("clamd")
            .arg("-c")
            .arg(self.conf())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .or_else(|_| self.spawn_from_sbin())
            .context(
                "running clamd: apt-get install --no-install-recommends clamav clamav-daemon",
            )?;
        self.child = Some(child);
        poll_until("clamd answers", PATIENCE, || {
            if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().transpose()) {
                let log = fs::read_to_string(self.path("clamd.log")).unwrap_or_default();
                anyhow::bail!("clamd has ended, {}: {log}", status?);
            }
            Ok(self.is_answering().then_some(()))
        })
    }

    /// A user's search path often lacks it.
    fn spawn_from_sbin(&self) -> std::io::Result<Child> {
        Command::new("/usr/sbin/clamd")
            .arg("-c")
            .arg(self.conf())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    fn is_answering(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = UnixStream::connect(self.socket())?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"nPING\n")?;
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply)?;
            Ok(reply == b"PONG\n")
        };
        ask().unwrap_or(false)
    }

    /// Ends it and waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            signal(&child, Signal::TERM)?;
            let ended = poll_until("clamd ends", PATIENCE, || Ok(child.try_wait()?));
            if ended.is_err() {
                child.kill()?;
                child.wait()?;
            }
            ended?;
        }
        Ok(())
    }

    /// Sends it a signal, such as STOP.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, what: Signal) -> Result<()> {
        signal(self.child.as_ref().context("clamd does not run")?, what)
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.path("clamd.ctl")
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its configuration.
    pub fn conf(&self) -> PathBuf {
        self.path("clamd.conf")
    }

    /// A file in its directory: `db` has the signatures.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, what: Signal) -> Result<()> {
    let pid = Pid::from_raw(child.id().try_into()?).context("not a pid")?;
    Ok(kill_process(pid, what)?)
}
