//! edeposit_proftpd_init: the real program prepares a real ProFTPD.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::Result;
use edeposit_testkit::{DaemonUnderTest, Outcome, ProFtpd, Schema, skip, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

/// Only root can lock users into their homes; says so if it cannot be shown.
fn jails() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root can set up a server that locks users in");
    }
    root
}

struct Setup {
    server: ProFtpd,
    program: DaemonUnderTest,
}

impl Setup {
    fn new() -> Result<Self> {
        let server = ProFtpd::prepare()?;
        let program = DaemonUnderTest::new("edeposit_proftpd_init")?;
        program.write_settings("ftp.json", &server.settings())?;
        Ok(Self { server, program })
    }

    fn run(&self, args: &[&str]) -> Result<Outcome> {
        self.program.run_plain(args)
    }

    fn drop_in(&self) -> PathBuf {
        self.server.path("conf/conf.d/edeposit.conf")
    }
}

/// A running server learns of the FTP users, and keeps them in: no links, no modes, uploads can be resumed.
#[tokio::test]
async fn a_fresh_server() -> Result<()> {
    if !jails() {
        return Ok(());
    }
    let mut setup = Setup::new()?;
    setup
        .server
        .configure("ModulePath /usr/lib/proftpd\nLoadModule mod_site_misc.c")?;
    fs::remove_dir(setup.server.path("home"))?;
    setup.server.run()?;

    let shown = setup.run(&["--dry-run"])?.success()?;
    assert!(
        shown
            .stdout
            .contains("\n+AuthOrder            mod_auth_file.c\n")
    );
    assert!(!setup.drop_in().exists() && !setup.server.login_file().exists());

    let outcome = setup.run(&["-v"])?.success()?;
    assert!(outcome.stdout.starts_with(&shown.stdout));
    assert!(
        outcome.stdout.contains("reads its configuration anew"),
        "{}",
        outcome.stdout
    );
    let passwd = fs::metadata(setup.server.login_file())?;
    assert_eq!((passwd.mode() & 0o7777, passwd.len()), (0o600, 0));
    assert_eq!(
        fs::metadata(setup.server.path("home"))?.mode() & 0o7777,
        0o755
    );

    let world = World::new(
        "edeposit_amqp_ftp_managerd",
        "FTP",
        Schema::new("ftp"),
        &json!({}),
    )
    .await?;
    world
        .daemon
        .write_settings("ftp.json", &setup.server.settings())?;
    let caller = world.start().await?;
    let add = json!({"__nt_name": "AddUser", "username": "argo", "password": "heslo"});
    assert_eq!(caller.call(add.to_string()).await?.text(), "true");
    wait_until(
        "the server has read its configuration",
        PATIENCE,
        async || setup.server.accepts("argo", "heslo").is_ok_and(|yes| yes),
    )
    .await?;
    let mut session = setup.server.login("argo", "heslo")?;
    session.put("book", b"one ")?;
    assert!(session.command("CWD /etc").is_err());
    assert!(session.command("SITE SYMLINK /etc link").is_err());
    assert!(session.command("SITE CHMOD 777 book").is_err());
    session.append("book", b"two")?;
    assert_eq!(session.get("book")?, b"one two");
    session.delete("book")?;
    let log = fs::read_to_string(setup.server.log_file())?;
    let line = format!(
        "{}, argo, DELE, ",
        setup.server.home("argo").join("book").display()
    );
    assert!(log.contains(&line), "{log}");

    // a second time there is nothing to do, and what is there stays
    let before = (
        fs::metadata(setup.drop_in())?.ino(),
        fs::metadata(setup.server.login_file())?.ino(),
    );
    let again = setup.run(&[])?.success()?;
    assert!(
        again.stdout.ends_with("is as it should be.\n"),
        "{}",
        again.stdout
    );
    let after = (
        fs::metadata(setup.drop_in())?.ino(),
        fs::metadata(setup.server.login_file())?.ino(),
    );
    assert_eq!(before, after);
    assert!(setup.server.accepts("argo", "heslo")?);
    Ok(())
}

/// Debian's own configuration, with nothing but its places and its port changed.
#[tokio::test]
async fn the_stock_configuration_of_debian() -> Result<()> {
    if !jails() {
        return Ok(());
    }
    let mut setup = Setup::new()?;
    let at = |name: &str| setup.server.path(name).display().to_string();
    for entry in fs::read_dir("/etc/proftpd")? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            let text = fs::read_to_string(&path)?
                .replace("/etc/proftpd", &at("conf"))
                .replace("/var/log/proftpd", &at("log"));
            let port = format!("Port {}", setup.server.port());
            let lines: Vec<&str> = text
                .lines()
                .map(
                    |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
                        ["Port", "21"] => port.as_str(),
                        ["DelayEngine", "on"] => "DelayEngine off",
                        _ => line,
                    },
                )
                .collect();
            let name = path.file_name().unwrap_or_default();
            fs::write(
                setup.server.path("conf").join(name),
                lines.join("\n") + "\n",
            )?;
        }
    }
    setup.server.configure(&format!(
        "PidFile {}\nScoreboardFile {}\nDefaultAddress 127.0.0.1\nSocketBindTight on\nWtmpLog off",
        at("conf/proftpd.pid"),
        at("conf/scoreboard"),
    ))?;
    let outcome = setup.run(&[])?.success()?;
    assert_eq!(outcome.stderr, "");
    setup.server.run()?;
    setup.server.add_account("argo", "heslo")?;
    let mut session = setup.server.login("argo", "heslo")?;
    session.put("book, one.pdf", b"x")?;
    // mod_site_misc is loaded there
    assert!(session.command("SITE HELP")?.contains("SYMLINK"));
    assert!(session.command("SITE SYMLINK /etc link").is_err());
    assert!(session.command("CWD /etc").is_err());
    let log = fs::read_to_string(setup.server.log_file())?;
    assert!(
        log.contains("/home/argo/book, one.pdf, argo, STOR, "),
        "{log}"
    );
    Ok(())
}

#[test]
fn what_somebody_wrote_is_kept() -> Result<()> {
    let setup = Setup::new()?;
    let by_hand = b"# my own \xff\nDefaultRoot ~\n";
    fs::write(setup.drop_in(), by_hand)?;
    let refused = setup.run(&[])?;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("\n-# my own"), "{}", refused.stdout);
    assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    assert_eq!(fs::read(setup.drop_in())?, by_hand);
    let replaced = setup.run(&["-o"])?.success()?;
    assert!(
        replaced.stdout.contains("does not run"),
        "{}",
        replaced.stdout
    );
    assert_eq!(fs::read(setup.server.path("conf/edeposit.conf_"))?, by_hand);
    assert!(fs::read_to_string(setup.drop_in())?.contains("AuthUserFile"));
    setup.run(&[])?.success()?;
    Ok(())
}

/// The server would end if it were told to read a configuration that it does not take.
#[test]
fn a_configuration_that_is_not_sound_is_undone() -> Result<()> {
    let mut setup = Setup::new()?;
    setup.server.run()?;
    setup.server.configure("NoSuchDirective on")?;
    let refused = setup.run(&[])?;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("NoSuchDirective"),
        "{}",
        refused.stderr
    );
    assert!(!setup.drop_in().exists());
    fs::write(setup.drop_in(), "# before\n")?;
    assert_eq!(setup.run(&["-o"])?.code, Some(1));
    assert_eq!(fs::read(setup.drop_in())?, b"# before\n");
    // it was not told: it still greets
    edeposit_testkit::FtpSession::connect(setup.server.port())?;
    Ok(())
}

#[test]
fn what_is_missing_is_told() -> Result<()> {
    let setup = Setup::new()?;
    let conf = fs::read_to_string(setup.server.conf_file())?;

    // somebody else's process is in a stale pid file
    fs::write(
        setup.server.path("conf/proftpd.pid"),
        std::process::id().to_string(),
    )?;
    let outcome = setup.run(&[])?.success()?;
    assert!(
        outcome.stdout.contains("does not run"),
        "{}",
        outcome.stdout
    );
    fs::remove_file(setup.drop_in())?;

    fs::write(
        setup.server.conf_file(),
        format!("ExtendedLog /x WRITE paths\n{conf}"),
    )?;
    let warned = setup.run(&["--dry-run"])?.success()?;
    assert!(
        warned.stderr.contains("ExtendedLog in line 1"),
        "{}",
        warned.stderr
    );

    let without: Vec<&str> = conf
        .lines()
        .filter(|line| !line.starts_with("Include"))
        .collect();
    fs::write(setup.server.conf_file(), without.join("\n"))?;
    let outcome = setup.run(&[])?;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("add the line 'Include "),
        "{}",
        outcome.stderr
    );

    // a password file that others can read would keep the server from starting
    fs::write(setup.server.conf_file(), conf)?;
    fs::set_permissions(setup.server.login_file(), fs::Permissions::from_mode(0o644))?;
    setup.run(&[])?.success()?;
    assert_eq!(
        fs::metadata(setup.server.login_file())?.mode() & 0o7777,
        0o600
    );

    fs::remove_file(setup.server.conf_file())?;
    assert!(setup.run(&[])?.stderr.contains("--reinstall"));
    let mut settings = setup.server.settings();
    settings["CONF_PATH"] = json!("/nowhere/");
    setup.program.write_settings("ftp.json", &settings)?;
    let outcome = setup.run(&[])?;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("not to be installed"),
        "{}",
        outcome.stderr
    );
    assert_eq!(setup.run(&["--what"])?.code, Some(2));
    assert!(
        setup
            .run(&["-h"])?
            .success()?
            .stdout
            .contains("--overwrite")
    );
    Ok(())
}
