//! ftp_managerd over RabbitMQ: the real binary, a real ProFTPD, and an ordinary FTP client who logs in.

mod faults;
mod refusals;

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use edeposit_ftp::Settings;
use edeposit_settings::{Declared, Sources};
use edeposit_testkit::{Caller, ProFtpd, Schema};
use edeposit_tests::World;
use rustix::process::geteuid;
use serde_json::{Value, json};

const PROGRAM: &str = "edeposit_amqp_ftp_managerd";

async fn world(server: &ProFtpd) -> Result<World> {
    let world = World::new(PROGRAM, "FTP", Schema::new("ftp"), &json!({})).await?;
    world
        .daemon
        .write_settings("ftp.json", &server.settings())?;
    Ok(world)
}

fn settings(world: &World) -> Result<Settings> {
    let mut sources = Sources::none();
    sources.home = Some(world.daemon.home().to_owned());
    Ok(Settings::load_sources(&sources)?)
}

fn add(name: &str, password: &str) -> Value {
    json!({"__nt_name": "AddUser", "username": name, "password": password})
}

fn change(name: &str, password: &str) -> Value {
    json!({"__nt_name": "ChangePassword", "username": name, "new_password": password})
}

fn remove(name: &str) -> Value {
    json!({"__nt_name": "RemoveUser", "username": name})
}

fn list() -> Value {
    json!({"__nt_name": "ListRegisteredUsers"})
}

async fn call(caller: &Caller, request: Value) -> Result<Value> {
    let answer = caller.call(request.to_string()).await?;
    anyhow::ensure!(!answer.is_exception(), "{}", answer.text());
    answer.json()
}

/// The exception's name and text, and the answer's body.
async fn refusal(caller: &Caller, request: Value) -> Result<(String, String, String)> {
    let answer = caller.call(request.to_string()).await?;
    let header = |name: &str| {
        answer
            .header(name)
            .with_context(|| format!("{request}: no {name}"))
    };
    Ok((
        header("exception_name")?,
        header("exception")?,
        answer.text(),
    ))
}

fn entries(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.mode() & 0o7777)
}

/// Defects 2, 4 and 11, and 1: all of it happens where the settings say.
#[tokio::test]
async fn the_life_of_a_user() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    let user = "nakl_argo";
    let pid = server.pid();

    assert_eq!(call(&caller, add(user, "Tri8sovy")).await?, json!(true));
    assert_eq!(mode(&server.login_file())?, 0o600);
    let line = fs::read_to_string(server.login_file())?;
    assert!(line.starts_with("nakl_argo:$6$rounds=100000$"), "{line}");
    let home = server.home(user);
    let id = server.users_gid();
    let end = format!(":{id}:{id}::{}:/bin/false\n", home.display());
    assert!(line.ends_with(&end), "{line}");
    let lock = home.join("delete_me_to_import_files.txt");
    assert_eq!((mode(&home)?, mode(&lock)?), (0o775, 0o664));
    let owner = fs::metadata(&home)?;
    assert_eq!(fs::metadata(&lock)?.uid(), owner.uid());
    if geteuid().is_root() {
        assert_eq!(owner.gid(), id);
        assert!(![0, id].contains(&owner.uid()));
    }

    assert!(!server.accepts(user, "")?);
    let mut session = server.login(user, "Tri8sovy")?;
    assert_eq!(session.list()?, ["delete_me_to_import_files.txt"]);
    session.mkdir("k1")?;
    session.put("k1/book.pdf", b"%PDF-1.4\xff")?;
    assert_eq!(fs::read(home.join("k1/book.pdf"))?, b"%PDF-1.4\xff");
    session.delete("delete_me_to_import_files.txt")?;
    assert!(!lock.exists());

    // in force at once, and what was said is true
    assert_eq!(
        call(&caller, change(user, "Ctyri9kocky")).await?,
        json!(true)
    );
    assert!(!server.accepts(user, "Tri8sovy")?);
    assert!(server.accepts(user, "Ctyri9kocky")?);
    assert_eq!(
        call(&caller, change(user, "Ctyri9kocky")).await?,
        json!(true)
    );
    assert_eq!(server.pid(), pid);
    assert!(!server.log().contains("SIGHUP"), "{}", server.log());

    // nothing is stored yet: the global values
    let stored = |one: bool, two: bool| {
        json!({"__nt_name": "UserSettings", "username": user, "SAME_NAME_DIR_PAIRING": one,
            "SAME_DIR_PAIRING": two, "ISBN_PAIRING": true, "CREATE_IMPORT_LOG": true, "LEAVE_BAD_FILES": two})
    };
    let get = json!({"__nt_name": "GetUserSettings", "username": user});
    assert_eq!(call(&caller, get.clone()).await?, stored(true, true));
    let mut set = stored(true, false);
    set["__nt_name"] = json!("SetUserSettings");
    assert_eq!(call(&caller, set).await?, stored(true, false));
    assert_eq!(call(&caller, get).await?, stored(true, false));
    assert!(fs::read_to_string(server.login_file())?.contains(&format!(":{id}:{id}:tfttf:")));
    assert!(server.accepts(user, "Ctyri9kocky")?);

    assert_eq!(
        call(&caller, list()).await?,
        json!({"__nt_name": "Userlist", "users": [user]})
    );
    assert_eq!(call(&caller, remove(user)).await?, json!(true));
    assert!(!server.accepts(user, "Ctyri9kocky")?);
    assert!(entries(&server.path("home"))?.is_empty());
    assert_eq!(fs::read(server.login_file())?, b"");
    // the session that was open has nowhere to write to
    assert!(session.put("late.pdf", b"x").is_err());
    assert!(session.put("k1/late.pdf", b"x").is_err());
    assert!(entries(&server.path("home"))?.is_empty());
    assert_eq!(
        call(&caller, list()).await?,
        json!({"__nt_name": "Userlist", "users": []})
    );
    Ok(())
}

/// Whatever characters a password has, ProFTPD takes it, and no other.
#[tokio::test]
async fn passwords_of_all_kinds() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "x")).await?, json!(true));
    let (longest, nearly) = ("x".repeat(511), "x".repeat(510));
    for (password, other) in [
        (longest.as_str(), nearly.as_str()),
        ("a:b:c", "a"),
        ("Příliš žluťoučký 𝄞", "Prilis"),
        ("mezery  uvnitř", "mezery uvnitř"),
        ("$6$abc$def", "$6$"),
        ("%s'\"\\", "%s'\""),
    ] {
        assert_eq!(call(&caller, change("argo", password)).await?, json!(true));
        assert!(server.accepts("argo", password)?, "{password}");
        assert!(!server.accepts("argo", other)?, "{other}");
    }
    Ok(())
}

/// Defect 10: all daemons had the PID file /tmp/daemon.pid.
#[tokio::test]
async fn beside_another_daemon() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let name = format!("ftp-manager-test-{}", std::process::id());
    let other = format!("{name}-2");
    let log = world.daemon.log_file().display().to_string();
    let run = |word: &str, name: &str| {
        world
            .daemon
            .run_plain(&[word, "--name", name, "--log-file", &log])
    };
    run("start", &name)?.success()?;
    let both = run("start", &other).and_then(|outcome| {
        outcome.success()?;
        assert!(!Path::new("/tmp/daemon.pid").exists());
        run("stop", &name)?.success()?;
        run("status", &other)?.success()
    });
    run("stop", &other)?.success()?;
    both.map(drop)
}

/// A caller as the deposit system has them.
#[tokio::test]
async fn a_python_caller_is_served() -> Result<()> {
    let python = std::env::var_os("EDEPOSIT_TEST_PYTHON").context(
        "EDEPOSIT_TEST_PYTHON names no Python with pika; run the tests by: cargo xtask test",
    )?;
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    world.daemon.start()?.success()?;
    let set = json!({"__nt_name": "SetUserSettings", "username": "argo", "SAME_NAME_DIR_PAIRING": true,
        "SAME_DIR_PAIRING": false, "ISBN_PAIRING": true, "CREATE_IMPORT_LOG": true, "LEAVE_BAD_FILES": false});
    let requests: Vec<Value> = [
        add("argo", "Tajné \"heslo\" č. 1"),
        set,
        list(),
        remove("nikdo"),
    ]
    .iter()
    .map(|body| json!({"body": body.to_string()}))
    .collect();
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/caller.py"))
        .arg(world.vhost.amqp_url())
        .arg(&world.schema.exchange)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no stdin")?;
    input.write_all(json!(requests).to_string().as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    assert_eq!(answers[0]["body"], "true");
    assert_eq!(answers[0]["content_type"], "application/json");
    // pipelined: the user exists when the settings come
    let stored: Value = serde_json::from_str(answers[1]["body"].as_str().context("no body")?)?;
    assert_eq!(stored["__nt_name"], "UserSettings");
    assert_eq!(stored["SAME_DIR_PAIRING"], false);
    assert_eq!(
        answers[2]["body"],
        r#"{"__nt_name":"Userlist","users":["argo"]}"#
    );
    let headers = &answers[3]["headers"];
    assert_eq!(headers["exception_name"], "AssertionError");
    assert_eq!(headers["exception"], "Username 'nikdo' not found!");
    assert!(server.accepts("argo", "Tajné \"heslo\" č. 1")?);
    Ok(())
}
