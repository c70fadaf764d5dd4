//! The converter's command line.
//!
//! 1. `setsid` makes the daemon's child leader of a session and process group, away from any terminal.
//! 2. `setpriv` has the kernel send it SIGUSR1 when the daemon ends, however that ends.
//! 3. `sh` stays, and kills the group at SIGUSR1. If the daemon has ended before, it ends at once. The processes below inherit
//!    its umask, and that SIGTERM is ignored: systemd sends it to all processes of a unit, but when to end is the daemon's
//!    decision.
//! 4. `prlimit` sets the limits.
//! 5. `bwrap` (bubblewrap), if it works here, starts the rest in namespaces of its own: it sees the system's programs and
//!    the conversion's directory, has no network and no capability. When `sh`, the first process in there, ends with the
//!    converter or with `bwrap`, the kernel ends all.
//! 6. The converter.
//!
//! `bwrap` alone would not end with the daemon in any case: killed while it sets up, it leaves a process behind.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::SetupError;
use crate::settings::{Sandbox, Settings};

/// Names a conversion's directory in the environment of all its processes.
pub(crate) const DIR_VARIABLE: &str = "EDEPOSIT_CALIBRE_DIR";

/// Where the conversion's directory is in the sandbox.
pub(crate) const INSIDE: &str = "/edeposit-calibre";

/// What it means that there is no sandbox.
pub(crate) const UNSANDBOXED: &str =
    "conversions run without a sandbox: a book can have the converter read files of this machine";

const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Its first argument is the daemon's number. If that is not its parent, no signal will tell of the daemon's end.
const LEADER: &str = r#"trap 'kill -KILL 0' USR1; trap '' TERM; [ "$PPID" = "$0" ] || exit; umask 077; "$@" & wait $!"#;

/// Not the converter itself: a process can turn off the signal that tells of its parent's end.
const FIRST_INSIDE: &str = r#""$@"; exit $?"#;

/// What is before the converter in a sandbox. Its processes and threads are limited, but the kernel does not limit root's.
const INSIDE_FIRST: [&str; 7] = [
    "sh",
    "-c",
    FIRST_INSIDE,
    "sh",
    "prlimit",
    "--nproc=512",
    "--",
];

/// Bytes of each file system that is in memory only.
const MEMORY_FILES: &str = "67108864";

/// How the converter is run on this machine.
#[derive(Debug)]
pub(crate) struct Converter {
    program: PathBuf,
    setsid: PathBuf,
    setpriv: PathBuf,
    prlimit: PathBuf,
    bwrap: Option<PathBuf>,
    /// Why there is no sandbox although there was to be one.
    unsandboxed: Option<String>,
}

impl Converter {
    /// Looks for the programs and tries the sandbox.
    pub fn find(settings: &Settings) -> Result<Self, SetupError> {
        let program = which::which(&settings.ebook_convert)
            .ok()
            .and_then(|path| path.canonicalize().ok())
            .ok_or_else(|| SetupError::NoConverter(settings.ebook_convert.clone()))?;
        let system =
            |name: &'static str| which::which(name).map_err(|_| SetupError::NoUtilLinux(name));
        let mut converter = Self {
            program,
            setsid: system("setsid")?,
            setpriv: system("setpriv")?,
            prlimit: system("prlimit")?,
            bwrap: None,
            unsandboxed: None,
        };
        if settings.sandbox != Sandbox::Off {
            match converter.try_sandbox() {
                Ok(bwrap) => converter.bwrap = Some(bwrap),
                Err(reason) if settings.sandbox == Sandbox::Required => {
                    return Err(SetupError::NoSandbox(reason));
                }
                Err(reason) => converter.unsandboxed = Some(reason),
            }
        }
        Ok(converter)
    }

    /// The converter itself.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Why there is no sandbox although there was to be one.
    pub fn unsandboxed(&self) -> Option<&str> {
        self.unsandboxed.as_deref()
    }

    /// Whether the processes are in a sandbox, which ends with the first of them.
    pub fn is_sandboxed(&self) -> bool {
        self.bwrap.is_some()
    }

    /// The command that runs the converter with these arguments in `work`. It must not be made leader of a group, which it
    /// makes itself.
    pub fn command(&self, settings: &Settings, work: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.setsid);
        command
            .arg(&self.setpriv)
            .args(["--pdeathsig", "USR1", "--", "/bin/sh", "-c", LEADER])
            .arg(std::process::id().to_string())
            .arg(&self.prlimit)
            .args([
                "--core=0".to_owned(),
                format!("--fsize={}", settings.max_temp_size),
            ]);
        if settings.memory_limit > 0 {
            command.arg(format!("--data={}", settings.memory_limit));
        }
        command.arg("--");
        let home = match &self.bwrap {
            Some(bwrap) => {
                command.arg(bwrap).args(self.sandbox(work));
                command.args(INSIDE_FIRST);
                PathBuf::from(INSIDE)
            }
            None => work.to_path_buf(),
        };
        command.arg(&self.program).args(arguments);
        command
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("LANG", "C.UTF-8")
            .env("QT_QPA_PLATFORM", "offscreen")
            .env(DIR_VARIABLE, work);
        for name in [
            "HOME",
            "CALIBRE_CONFIG_DIRECTORY",
            "CALIBRE_CACHE_DIRECTORY",
            "XDG_RUNTIME_DIR",
        ] {
            command.env(name, home.join("home"));
        }
        for name in ["CALIBRE_TEMP_DIR", "TMPDIR"] {
            command.env(name, home.join("tmp"));
        }
        // Its own sandbox does not work inside another, nor for root.
        if self.is_sandboxed() || rustix::process::geteuid().is_root() {
            command.env("QTWEBENGINE_DISABLE_SANDBOX", "1");
        }
        command.current_dir(work).stdin(Stdio::null());
        command
    }

    /// bubblewrap's arguments, up to the program.
    fn sandbox(&self, work: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&OsStr]| arguments.extend(words.iter().map(OsString::from));
        let word = OsStr::new;
        add(&["--ro-bind", "/usr", "/usr"].map(word));
        add(&["--ro-bind-try", "/etc/fonts", "/etc/fonts"].map(word));
        add(&[
            "--symlink",
            "usr/bin",
            "/bin",
            "--symlink",
            "usr/lib",
            "/lib",
        ]
        .map(word));
        add(&["--symlink", "usr/lib64", "/lib64", "--proc", "/proc"].map(word));
        add(&["--dev", "/dev", "--size", MEMORY_FILES].map(word));
        add(&["--tmpfs", "/dev/shm", "--size", MEMORY_FILES].map(word));
        add(&["--tmpfs", "/tmp"].map(word));
        if let (false, Some(dir)) = (self.program.starts_with("/usr"), self.program.parent()) {
            add(&[word("--ro-bind"), dir.as_os_str(), dir.as_os_str()]);
        }
        add(&[word("--bind"), work.as_os_str(), word(INSIDE)]);
        // These two are in memory too, without a limit.
        add(&["--remount-ro", "/dev", "--remount-ro", "/"].map(word));
        add(&["--chdir", INSIDE, "--unshare-all", "--unshare-user"].map(word));
        // Started by root it would have all capabilities in its namespaces, enough to write to /usr after all.
        add(&["--disable-userns", "--cap-drop", "ALL"].map(word));
        add(&["--die-with-parent", "--as-pid-1", "--"].map(word));
        arguments
    }

    /// Runs nothing in the sandbox.
    fn try_sandbox(&self) -> Result<PathBuf, String> {
        let bwrap = which::which("bwrap").map_err(|_| "bubblewrap is not installed".to_owned())?;
        let output = Command::new(&bwrap)
            .args(self.sandbox(Path::new("/usr")))
            .args(INSIDE_FIRST)
            .arg("true")
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", bwrap.display()))?;
        match output.status.success() {
            true => Ok(bwrap),
            false => Err(format!(
                "bubblewrap does not work here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}
