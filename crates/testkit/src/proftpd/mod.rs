//! A ProFTPD of our own: Debian's program on a port of this machine, with configuration, logs and homes in a temporary tree.
//!
//! Run by root it is as in production: it drops to the user `proftpd`, and every FTP user is locked into the home. Run by
//! anybody else, everything belongs to that user, and there is no such jail.

mod session;

pub use session::FtpSession;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, getgid, getuid, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, poll_until};

const PROFTPD: &str = "/usr/sbin/proftpd";

/// uid and gid of FTP accounts made here.
const USERS: u32 = 2000;

/// A private ProFTPD, which ends with this value.
#[derive(Debug)]
pub struct ProFtpd {
    tree: TempDir,
    port: u16,
    child: Option<Child>,
}

impl ProFtpd {
    /// Starts a server whose accounts are those of its [`login_file`](Self::login_file), and waits until it answers. There
    /// are none yet.
    ///
    /// # Errors
    /// ProFTPD is not installed, or it does not start.
    pub fn start() -> Result<ProFtpd> {
        let mut tries = 0;
        loop {
            let mut server = ProFtpd::prepare()?;
            server.configure_accounts()?;
            match server.run() {
                Ok(()) => return Ok(server),
                // somebody may have taken its port meanwhile
                Err(error) if tries == 2 => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    /// The tree, with a configuration like that of a fresh installation: it includes the directory `conf.d`, and knows no
    /// FTP accounts. Not started yet.
    ///
    /// # Errors
    /// The tree cannot be written.
    pub fn prepare() -> Result<ProFtpd> {
        let tree = tempfile::Builder::new()
            .prefix("edeposit-proftpd-")
            .tempdir()?;
        // FTP users must get through to their homes
        fs::set_permissions(tree.path(), Permissions::from_mode(0o711))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = ProFtpd {
            tree,
            port,
            child: None,
        };
        for directory in ["conf", "conf/conf.d", "log", "home"] {
            let path = server.path(directory);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        }
        fs::write(server.conf_file(), server.configuration()?)?;
        Ok(server)
    }

    fn configuration(&self) -> Result<String> {
        let (user, group) = match geteuid().is_root() {
            true => ("proftpd".to_owned(), "nogroup".to_owned()),
            false => (id("-un")?, id("-gn")?),
        };
        let at = |name: &str| self.path(name).display().to_string();
        Ok(format!(
            "ServerName test\nServerType standalone\nUseIPv6 off\nDefaultAddress 127.0.0.1\nSocketBindTight on\nPort {}\n\
             User {user}\nGroup {group}\nUmask 022 022\nAllowOverwrite on\nPidFile {}\nScoreboardFile {}\n\
             DelayEngine off\nUseReverseDNS off\nWtmpLog off\nSystemLog {}\nTransferLog none\nInclude {}/\n",
            self.port,
            at("conf/proftpd.pid"),
            at("conf/scoreboard"),
            at("log/proftpd.log"),
            at("conf/conf.d"),
        ))
    }

    /// Writes what makes FTP users of the accounts in the password file, and logs what they do.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub fn configure_accounts(&self) -> Result<()> {
        let jail = match geteuid().is_root() {
            true => "DefaultRoot ~\n",
            false => "",
        };
        let lines = format!(
            "{jail}RequireValidShell off\nAuthPAM off\nAuthOrder mod_auth_file.c\nAllowOverride off\n\
             AuthUserFile {}\nLogFormat paths \"%f, %u, %m, %{{%s}}t\"\nExtendedLog {} WRITE paths\n",
            self.login_file().display(),
            self.log_file().display(),
        );
        if !self.login_file().exists() {
            fs::write(self.login_file(), "")?;
            fs::set_permissions(self.login_file(), Permissions::from_mode(0o600))?;
        }
        Ok(fs::write(self.path("conf/conf.d/edeposit.conf"), lines)?)
    }

    /// Adds lines to its configuration, for the next [`run`](Self::run) or [`hup`](Self::hup).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let conf = fs::read_to_string(self.conf_file())?;
        Ok(fs::write(self.conf_file(), format!("{conf}{lines}\n"))?)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// ProFTPD is not installed, or it does not start.
    pub fn run(&mut self) -> Result<()> {
        let output = fs::File::create(self.path("log/stderr"))?;
        let child = Command::new(PROFTPD)
            .args(["--nodaemon", "--quiet", "--config"])
            .arg(self.conf_file())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("running proftpd: apt-get install --no-install-recommends proftpd-core")?;
        self.child = Some(child);
        poll_until("ProFTPD answers", PATIENCE, || {
            if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().transpose()) {
                bail!("ProFTPD has ended, {}: {}", status?, self.log());
            }
            Ok(self.is_answering().then_some(()))
        })
    }

    fn is_answering(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let mut code = [0; 4];
            stream.read_exact(&mut code)?;
            stream.write_all(b"QUIT\r\n")?;
            Ok(code == *b"220 ")
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
            let ended = poll_until("ProFTPD ends", PATIENCE, || Ok(child.try_wait()?));
            if ended.is_err() {
                child.kill()?;
                child.wait()?;
            }
            ended?;
        }
        Ok(())
    }

    /// Has it read its configuration and open its logs anew. It does so some time later.
    ///
    /// # Errors
    /// It does not run.
    pub fn hup(&self) -> Result<()> {
        signal(
            self.child.as_ref().context("ProFTPD does not run")?,
            Signal::HUP,
        )
    }

    /// Adds an account with a home, and whatever else is needed, without the help of our own daemon.
    ///
    /// # Errors
    /// `ftpasswd` fails, or a file cannot be written.
    pub fn add_account(&self, name: &str, password: &str) -> Result<()> {
        let home = self.home(name);
        fs::create_dir(&home)?;
        fs::set_permissions(&home, Permissions::from_mode(0o775))?;
        let (uid, gid) = match geteuid().is_root() {
            true => {
                chown(&home, Some(id("-u proftpd")?.parse()?), Some(USERS))?;
                (USERS, USERS)
            }
            false => (getuid().as_raw(), getgid().as_raw()),
        };
        let hash = hash(password)?;
        let line = format!("{name}:{hash}:{uid}:{gid}::{}:/bin/false\n", home.display());
        let passwd = fs::read_to_string(self.login_file()).unwrap_or_default() + &line;
        fs::write(self.login_file(), passwd)?;
        Ok(fs::set_permissions(
            self.login_file(),
            Permissions::from_mode(0o600),
        )?)
    }

    /// A session of a user.
    ///
    /// # Errors
    /// The server refuses: the text begins with its code, `530`.
    pub fn login(&self, user: &str, password: &str) -> Result<FtpSession> {
        let mut session = FtpSession::connect(self.port)?;
        session.login(user, password)?;
        Ok(session)
    }

    /// Whether the server lets the user in with this password.
    ///
    /// # Errors
    /// It answers something other than yes or no.
    pub fn accepts(&self, user: &str, password: &str) -> Result<bool> {
        match self.login(user, password) {
            Ok(session) => session.quit().map(|()| true),
            Err(error) if error.to_string().starts_with("530") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What `ftp.json` must say for the daemons to work with this server.
    pub fn settings(&self) -> Value {
        json!({
            "PROFTPD_USERS_GID": self.users_gid(),
            "CONF_PATH": self.path("conf/"),
            "LOG_PATH": self.path("log/"),
            "DATA_PATH": self.path("home/"),
            "STATE_PATH": self.path("state/"),
        })
    }

    /// uid and gid of its users: 2000; run by anybody but root, that user's own.
    pub fn users_gid(&self) -> u32 {
        match geteuid().is_root() {
            true => USERS,
            false => geteuid().as_raw(),
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its pid, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its main configuration.
    pub fn conf_file(&self) -> PathBuf {
        self.path("conf/proftpd.conf")
    }

    /// Its password file.
    pub fn login_file(&self) -> PathBuf {
        self.path("conf/ftpd.passwd")
    }

    /// The log of what users did. It exists after the first login.
    pub fn log_file(&self) -> PathBuf {
        self.path("log/extended.log")
    }

    /// A user's home.
    pub fn home(&self, user: &str) -> PathBuf {
        self.path("home").join(user)
    }

    /// A path in its tree: `conf`, `log`, `home`, `state`.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(self.tree.path()).join(name)
    }

    /// What it says of itself.
    pub fn log(&self) -> String {
        ["log/stderr", "log/proftpd.log"]
            .iter()
            .filter_map(|name| fs::read(self.path(name)).ok())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }
}

impl Drop for ProFtpd {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// A hash as ProFTPD's own tool makes it.
fn hash(password: &str) -> Result<String> {
    let mut child = Command::new("/usr/sbin/ftpasswd")
        .args(["--hash", "--stdin", "--sha512"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running ftpasswd: apt-get install --no-install-recommends proftpd-core")?;
    writeln!(
        child.stdin.take().context("no standard input")?,
        "{password}"
    )?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    let hash = text.trim().strip_prefix("ftpasswd: ");
    hash.map(str::to_owned)
        .with_context(|| format!("ftpasswd printed '{text}'"))
}

/// What the program `id` says.
fn id(args: &str) -> Result<String> {
    let output = Command::new("id").args(args.split(' ')).output()?;
    if !output.status.success() {
        bail!("id {args}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn signal(child: &Child, what: Signal) -> Result<()> {
    let pid = Pid::from_raw(child.id().try_into()?).context("not a pid")?;
    Ok(kill_process(pid, what)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_uploads_and_it_is_logged() {
        let mut server = ProFtpd::start().unwrap();
        server.add_account("argo", "heslo").unwrap();
        assert!(!server.accepts("argo", "jine").unwrap());
        let mut session = server.login("argo", "heslo").unwrap();
        session.mkdir("kniha").unwrap();
        session.put("kniha/one, two.pdf", b"%PDF\xff").unwrap();
        assert_eq!(session.get("kniha/one, two.pdf").unwrap(), b"%PDF\xff");
        assert_eq!(session.list().unwrap(), ["kniha"]);
        session.delete("kniha/one, two.pdf").unwrap();
        session.quit().unwrap();
        let log = fs::read_to_string(server.log_file()).unwrap();
        assert!(
            log.contains("/home/argo/kniha/one, two.pdf, argo, DELE, "),
            "{log}"
        );
        server.stop().unwrap();
        assert!(server.accepts("argo", "heslo").is_err());
    }
}
