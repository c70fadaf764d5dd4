//! The converter's command line: limits, sandbox, converter.
//!
//! Limits and the signal that ends a converter whose daemon was killed are set by `prlimit` and `setpriv` of util-linux,
//! which put themselves in place of the next program of the line. bubblewrap (`bwrap`) then lets that one see the system's
//! programs, the book and nothing else, and no network.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::SetupError;
use crate::settings::{Sandbox, Settings};

const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where the conversion's directory is in the sandbox.
pub(crate) const INSIDE: &str = "/job";

/// How the converter is run on this machine.
#[derive(Debug)]
pub(crate) struct Converter {
    program: PathBuf,
    prlimit: PathBuf,
    setpriv: PathBuf,
    bwrap: Option<PathBuf>,
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
            prlimit: system("prlimit")?,
            setpriv: system("setpriv")?,
            bwrap: None,
        };
        if settings.sandbox != Sandbox::Off {
            match converter.try_sandbox() {
                Ok(bwrap) => converter.bwrap = Some(bwrap),
                Err(reason) if settings.sandbox == Sandbox::Required => {
                    return Err(SetupError::NoSandbox(reason));
                }
                Err(reason) => tracing::warn!(
                    reason,
                    "conversions run without a sandbox: a book may make the converter read files of this machine; install bubblewrap"
                ),
            }
        }
        Ok(converter)
    }

    /// The command that converts `input` to `output`, both names in `work`.
    pub fn command(&self, settings: &Settings, work: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.prlimit);
        command.args([
            "--core=0".to_owned(),
            format!("--fsize={}", settings.max_temp_size),
        ]);
        if settings.memory_limit > 0 {
            command.arg(format!("--data={}", settings.memory_limit));
        }
        command
            .arg("--")
            .arg(&self.setpriv)
            .args(["--pdeathsig", "KILL", "--"]);
        let home = match &self.bwrap {
            Some(bwrap) => {
                command.arg(bwrap).args(self.sandbox(work));
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
            .env("HOME", home.join("home"));
        for name in [
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
        if self.bwrap.is_some() || rustix::process::geteuid().is_root() {
            command.env("QTWEBENGINE_DISABLE_SANDBOX", "1");
        }
        command
            .current_dir(work)
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// bubblewrap's arguments.
    fn sandbox(&self, work: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add =
            |words: &[&OsStr]| arguments.extend(words.iter().map(|word| word.to_os_string()));
        let word = OsStr::new;
        add(&[word("--ro-bind"), word("/usr"), word("/usr")]);
        add(&[
            word("--ro-bind-try"),
            word("/etc/fonts"),
            word("/etc/fonts"),
        ]);
        for dir in ["bin", "lib", "lib64"] {
            add(&[
                word("--symlink"),
                &OsString::from(format!("usr/{dir}")),
                &OsString::from(format!("/{dir}")),
            ]);
        }
        add(&[
            "--proc", "/proc", "--dev", "/dev", "--size", "67108864", "--tmpfs", "/tmp",
        ]
        .map(word));
        if let (false, Some(dir)) = (self.program.starts_with("/usr"), self.program.parent()) {
            add(&[word("--ro-bind"), dir.as_os_str(), dir.as_os_str()]);
        }
        add(&[
            word("--bind"),
            work.as_os_str(),
            word(INSIDE),
            word("--chdir"),
            word(INSIDE),
        ]);
        add(&["--unshare-all", "--die-with-parent", "--new-session", "--"].map(word));
        arguments
    }

    /// Runs nothing in the sandbox.
    fn try_sandbox(&self) -> Result<PathBuf, String> {
        let bwrap = which::which("bwrap").map_err(|_| "bubblewrap is not installed".to_owned())?;
        let output = Command::new(&bwrap)
            .args(self.sandbox(Path::new("/usr")))
            .arg("/usr/bin/true")
            .env_clear()
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
