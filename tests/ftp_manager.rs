//! ftp_managerd over RabbitMQ: the real binary, a real ProFTPD, and an ordinary FTP client who logs in.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use edeposit_ftp::{ImportLock, Settings, UserName};
use edeposit_settings::{Declared, Sources};
use edeposit_testkit::{
    Caller, DaemonUnderTest, ProFtpd, RabbitNode, Schema, bin_dir, poll_until, wait_until,
};
use edeposit_tests::{PATIENCE, World};
use rustix::process::{Signal, geteuid};
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

/// Defects 7 and 8: two daemons change the file, and nothing is lost, everybody else's lines stay, the file is never readable for others, and a server that
/// reads its configuration meanwhile lives on.
#[tokio::test]
async fn two_hundred_users_at_once() -> Result<()> {
    let server = ProFtpd::start()?;
    server.add_account("rucni", "foreign")?;
    let by_hand = fs::read_to_string(server.login_file())?;
    let by_hand = format!(
        "# accounts\n\n{by_hand}jan@host:*:1000:1000:Jan Novak,,,:/srv:/bin/sh\n# six:fields:1:2:x:/home\n"
    );
    fs::write(server.login_file(), &by_hand)?;
    let world = world(&server).await?;
    let first = world.start().await?;
    let other = DaemonUnderTest::new(PROGRAM)?;
    other.connect_to(&world.vhost, "FTP", &json!({}))?;
    other.write_settings("ftp.json", &server.settings())?;
    other.start()?.success()?;
    let second = world.caller().await?;

    let ended = Arc::new(AtomicBool::new(false));
    let watching = {
        let (ended, file) = (Arc::clone(&ended), server.login_file());
        std::thread::spawn(move || -> Result<BTreeSet<u32>> {
            let mut modes = BTreeSet::new();
            while !ended.load(Ordering::Relaxed) {
                modes.insert(mode(&file)?);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(modes)
        })
    };
    let mut waiting = BTreeSet::new();
    for number in 0..100 {
        for (caller, letter) in [(&first, 'a'), (&second, 'b')] {
            let request = caller.request(add(&format!("{letter}{number:02}"), "heslo").to_string());
            caller.publish(&request).await?;
            waiting.insert(request.uuid().context("no UUID")?);
        }
    }
    while !waiting.is_empty() {
        let next = waiting.len().saturating_sub(20);
        wait_until("twenty answers", PATIENCE, async || {
            for answer in first.unclaimed().into_iter().chain(second.unclaimed()) {
                assert_eq!(answer.text(), "true");
                assert!(waiting.remove(&answer.header("UUID").unwrap_or_default()));
            }
            waiting.len() <= next
        })
        .await?;
        server.hup()?;
    }
    drop(second);
    wait_until("one caller is left", PATIENCE, async || {
        let queue = &world.schema.output_queue;
        world
            .vhost
            .depth(queue)
            .await
            .is_ok_and(|(_, callers)| callers == 1)
    })
    .await?;
    ended.store(true, Ordering::Relaxed);
    let modes = watching
        .join()
        .map_err(|_| anyhow::anyhow!("the watch failed"))??;
    assert_eq!(modes, BTreeSet::from([0o600]));

    other.stop()?.success()?;
    let added = |daemon: &DaemonUnderTest| daemon.log().matches("a user was added").count();
    let (one, two) = (added(&world.daemon), added(&other));
    assert!(one > 0 && two > 0 && one + two == 200, "{one} and {two}");
    let users = call(&first, list()).await?;
    let users: Vec<String> = serde_json::from_value(users["users"].clone())?;
    assert_eq!(users.len(), 202);
    assert!(users.is_sorted());
    assert!(users.iter().any(|name| name == "jan@host"));
    assert!(fs::read_to_string(server.login_file())?.starts_with(&by_hand));
    assert_eq!(entries(&server.path("home"))?.len(), 201);
    assert!(server.accepts("b99", "heslo")?);
    assert!(server.accepts("rucni", "foreign")?);

    // changing and removing leaves them too
    assert_eq!(call(&first, change("a00", "nove")).await?, json!(true));
    assert_eq!(call(&first, remove("a01")).await?, json!(true));
    let file = fs::read_to_string(server.login_file())?;
    assert!(file.starts_with(&by_hand));
    assert_eq!(file.lines().count(), by_hand.lines().count() + 199);

    // ProFTPD's own tool can still work on the file
    let passwd = format!("--file={}", server.login_file().display());
    let mut tool = Command::new("/usr/sbin/ftpasswd")
        .args([
            "--change-password",
            "--passwd",
            "--name=b99",
            "--stdin",
            &passwd,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    tool.stdin.take().context("no stdin")?.write_all(b"jine")?;
    assert!(tool.wait()?.success());
    assert!(server.accepts("b99", "jine")?);
    assert_eq!(call(&first, change("a00", "dalsi")).await?, json!(true));
    assert_eq!(mode(&server.login_file())?, 0o600);
    assert!(server.accepts("b99", "jine")? && server.accepts("a00", "dalsi")?);
    Ok(())
}

/// Defect 3: a name was looked up as a pattern, and one user got another's home.
#[tokio::test]
async fn a_dot_is_a_dot() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    for name in ["axb", "a.b"] {
        assert_eq!(call(&caller, add(name, name)).await?, json!(true));
    }
    assert_eq!(call(&caller, change("a.b", "nove")).await?, json!(true));
    let mut session = server.login("a.b", "nove")?;
    session.put("mine", b"x")?;
    assert!(server.home("a.b").join("mine").exists());
    assert!(server.accepts("axb", "axb")?);
    assert_eq!(call(&caller, remove("a.b")).await?, json!(true));
    assert!(server.home("axb").exists() && server.accepts("axb", "axb")?);
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

/// Defects 5, 6 and 9: names that lead elsewhere, passwords that are none, records that are no requests. Each is refused in
/// the original's words, and nothing changes.
#[tokio::test]
async fn what_is_refused() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    let before = (
        fs::read(server.login_file())?,
        entries(&server.path(""))?,
        mode(&server.path(""))?,
    );

    let long = "x".repeat(65);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../argo",
        "a\n",
        "argo\n",
        "a b",
        "a:b",
        "špatné jméno",
        "a\0",
        &long,
    ] {
        let switches = json!({"__nt_name": "SetUserSettings", "username": name, "SAME_NAME_DIR_PAIRING": true,
            "SAME_DIR_PAIRING": true, "ISBN_PAIRING": true, "CREATE_IMPORT_LOG": true, "LEAVE_BAD_FILES": true});
        let get = json!({"__nt_name": "GetUserSettings", "username": name});
        for request in [
            add(name, "x"),
            remove(name),
            change(name, "x"),
            switches,
            get,
        ] {
            let (kind, text, _) = refusal(&caller, request).await?;
            assert_eq!(kind, "AssertionError");
            assert_eq!(text, format!("Invalid format of username '{name}'!"));
        }
    }
    let key = |name: &str| ("KeyError".to_owned(), name.to_owned());
    let refused = |text: &str| ("AssertionError".to_owned(), text.to_owned());
    let type_error = |text: &str| ("TypeError".to_owned(), text.to_owned());
    let with = |mut request: Value, field: &str, value: Value| {
        request[field] = value;
        request
    };
    let set = json!({"__nt_name": "SetUserSettings", "username": "argo", "SAME_NAME_DIR_PAIRING": null,
        "SAME_DIR_PAIRING": 1, "ISBN_PAIRING": 0, "CREATE_IMPORT_LOG": true, "LEAVE_BAD_FILES": "true"});
    for (request, (kind, text)) in [
        (
            add("argo", "x"),
            refused("User 'argo' is already registered!"),
        ),
        (
            add("argo", ""),
            refused("User 'argo' is already registered!"),
        ),
        (add("novy", ""), refused("Password is reqired!")),
        (
            with(add("novy", ""), "password", json!(null)),
            refused("Password is reqired!"),
        ),
        (
            with(add("novy", ""), "password", json!(12)),
            type_error("The password must be a string, not int."),
        ),
        (
            add("novy", "a\nb"),
            refused(
                "The password cannot be used: it has a control character, such as a line break.",
            ),
        ),
        (change("argo", ""), refused("Password is reqired!")),
        (
            with(change("argo", ""), "new_password", json!(null)),
            refused("Password is reqired!"),
        ),
        (change("nikdo", "x"), refused("Username 'nikdo' not found!")),
        (remove("nikdo"), refused("Username 'nikdo' not found!")),
        (
            json!({"__nt_name": "GetUserSettings", "username": "nikdo"}),
            key("nikdo"),
        ),
        (
            with(
                with(set.clone(), "username", json!("nikdo")),
                "LEAVE_BAD_FILES",
                json!(true),
            ),
            key("nikdo"),
        ),
        (
            json!({"__nt_name": "AddUser", "username": "novy"}),
            type_error("__new__() takes exactly 3 arguments (2 given)"),
        ),
        (
            with(remove("argo"), "x", json!(1)),
            type_error("__new__() got an unexpected keyword argument 'x'"),
        ),
        (
            json!({"__nt_name": "open", "name": "/etc/passwd", "mode": "w"}),
            key("open"),
        ),
        (
            json!({"__nt_name": "Userlist", "users": []}),
            key("Userlist"),
        ),
        (
            json!({"a": 1}),
            (
                "ValueError".to_owned(),
                "Unknown type of request: '<type 'dict'>'!".to_owned(),
            ),
        ),
        (
            json!([1]),
            (
                "ValueError".to_owned(),
                "Unknown type of request: '<type 'list'>'!".to_owned(),
            ),
        ),
    ] {
        let shown = request.to_string();
        let (got_kind, got_text, body) = refusal(&caller, request).await?;
        assert!(
            got_kind == kind && got_text.starts_with(&text),
            "{shown}: {got_kind}: {got_text}"
        );
        if text == "nikdo" {
            assert_eq!(body, "'nikdo'");
        }
        if text == "open" {
            assert_eq!(body, "u'open'");
        }
    }
    let (kind, _, _) = refusal(&caller, set).await?;
    assert_eq!(kind, "TypeError");
    let after = (
        fs::read(server.login_file())?,
        entries(&server.path(""))?,
        mode(&server.path(""))?,
    );
    assert_eq!(before, after);
    assert_eq!(entries(&server.path("home"))?, ["argo"]);
    assert!(server.accepts("argo", "heslo")?);
    Ok(())
}

/// Defect 5, second half: what links in a home lead to stays, and a home that is a link is not entered.
#[tokio::test]
async fn links_lead_nowhere() -> Result<()> {
    let server = ProFtpd::start()?;
    let outside = server.path("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("file"), "x")?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    for name in ["links", "link"] {
        assert_eq!(call(&caller, add(name, "heslo")).await?, json!(true));
    }
    symlink(&outside, server.home("links").join("directory"))?;
    symlink(outside.join("file"), server.home("links").join("file"))?;
    assert_eq!(call(&caller, remove("links")).await?, json!(true));
    fs::remove_dir_all(server.home("link"))?;
    symlink(&outside, server.home("link"))?;
    let (kind, text, _) = refusal(&caller, remove("link")).await?;
    assert_eq!(kind, "OSError");
    assert!(
        text.contains(&server.home("link").display().to_string()),
        "{text}"
    );
    assert!(!server.accepts("link", "heslo")?);
    let (kind, _, _) = refusal(&caller, add("link", "heslo")).await?;
    assert_eq!(kind, "IOError");
    assert_eq!(fs::read(outside.join("file"))?, b"x");
    assert_eq!(entries(&server.path("home"))?, ["link"]);
    assert_eq!(call(&caller, list()).await?["users"], json!([]));
    Ok(())
}

/// Defect 11: a user whose files are being imported is removed when the import is over.
#[tokio::test]
async fn a_removal_waits_for_the_import() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    let user = UserName::new("argo").context("no name")?;
    let importing = ImportLock::try_acquire(&settings(&world)?, &user)?.context("it is locked")?;
    let request = caller.request(remove("argo").to_string());
    caller.publish(&request).await?;
    wait_until("the daemon has the request", PATIENCE, async || {
        world
            .vhost
            .depth(&world.schema.input_queue)
            .await
            .is_ok_and(|(ready, _)| ready == 0)
    })
    .await?;
    // a login takes longer than a removal would
    assert!(server.accepts("argo", "heslo")?);
    assert!(server.home("argo").exists() && caller.unclaimed().is_empty());
    drop(importing);
    let answer = caller
        .answer_to(&request.uuid().context("no UUID")?, PATIENCE)
        .await?;
    assert_eq!(answer.text(), "true");
    assert!(!server.home("argo").exists());
    Ok(())
}

/// A daemon killed while it adds users: each is there with home and password or not at all, and all are in the end.
#[tokio::test]
async fn killed_in_between() -> Result<()> {
    let server = ProFtpd::start()?;
    let world = world(&server).await?;
    let caller = world.start().await?;
    let mut waiting = Vec::new();
    for number in 0..12 {
        let request = caller.request(add(&format!("u{number}"), "heslo").to_string());
        caller.publish(&request).await?;
        waiting.push(request);
    }
    for users in [2, 6] {
        poll_until("some users are there", PATIENCE, || {
            let file = fs::read_to_string(server.login_file())?;
            Ok((file.lines().count() >= users).then_some(()))
        })?;
        world.daemon.signal(Signal::KILL)?;
        // its last thread has ended when the PID file's lock is free
        wait_until("it is gone", PATIENCE, async || {
            world
                .daemon
                .status()
                .is_ok_and(|outcome| outcome.code == Some(3))
        })
        .await?;
        for line in fs::read_to_string(server.login_file())?.lines() {
            let name = line.split(':').next().unwrap_or_default();
            assert!(
                server
                    .home(name)
                    .join("delete_me_to_import_files.txt")
                    .exists(),
                "{line}"
            );
        }
        world.daemon.start()?.success()?;
    }
    for request in &waiting {
        let answer = caller
            .answer_to(&request.uuid().context("no UUID")?, PATIENCE)
            .await?;
        assert_eq!(answer.text(), "true");
    }
    assert_eq!(fs::read_to_string(server.login_file())?.lines().count(), 12);
    assert_eq!(entries(&server.path("home"))?.len(), 12);
    assert!(server.accepts("u3", "heslo")?);
    Ok(())
}

/// Without root the daemon works on a tree of its own, and tells that it leaves owners as they are. What it has no right to is
/// told in the original's words.
#[tokio::test]
async fn without_root() -> Result<()> {
    if !geteuid().is_root() {
        // then all the other tests show it
        return Ok(());
    }
    let server = ProFtpd::start()?;
    let schema = Schema::new("ftp");
    let vhost = RabbitNode::shared()?.vhost(PROGRAM)?;
    vhost.declare(&schema).await?;
    // where anybody may read it, unlike perhaps the directory it was built in
    let program = server.path(PROGRAM);
    fs::copy(bin_dir()?.join(PROGRAM), &program)?;
    let script = server.path("as_nobody");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nexec setpriv --reuid nobody --regid nogroup --clear-groups {} \"$@\"\n",
            program.display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let daemon = DaemonUnderTest::at(&script)?;
    daemon.connect_to(&vhost, "FTP", &json!({}))?;
    let mut settings = server.settings();
    settings["PROFTPD_USERS_GID"] = json!(65534);
    daemon.write_settings("ftp.json", &settings)?;
    fs::create_dir(server.path("state"))?;
    let status = Command::new("chown")
        .args(["-R", "nobody:nogroup"])
        .args([daemon.home(), &server.path("home"), &server.path("state")])
        .status()?;
    assert!(status.success());
    let world = World {
        daemon,
        vhost,
        schema,
    };
    let caller = world.start().await?;
    // the directory of the password file is still root's
    for (request, function) in [
        (add("argo", "heslo"), "add_user"),
        (remove("argo"), "remove_user"),
        (change("argo", "heslo"), "change_password"),
        (list(), "list_users"),
    ] {
        let (kind, text, _) = refusal(&caller, request).await?;
        assert_eq!(kind, "AssertionError");
        assert_eq!(
            text,
            format!("You have to be root to run function '{function}'.")
        );
    }
    let nobody = fs::metadata(server.path("home"))?;
    for path in [server.path("conf"), server.login_file()] {
        std::os::unix::fs::chown(path, Some(nobody.uid()), Some(nobody.gid()))?;
    }
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    assert!(
        world.daemon.log().contains("not running as root"),
        "{}",
        world.daemon.log()
    );
    assert_eq!(mode(&server.login_file())?, 0o600);
    assert_eq!(fs::metadata(server.home("argo"))?.uid(), nobody.uid());
    let mut session = server.login("argo", "heslo")?;
    session.mkdir("k")?;
    session.put("k/book.pdf", b"x")?;
    assert_eq!(call(&caller, change("argo", "nove")).await?, json!(true));
    assert!(!server.accepts("argo", "heslo")? && server.accepts("argo", "nove")?);
    assert_eq!(call(&caller, remove("argo")).await?, json!(true));
    assert!(entries(&server.path("home"))?.is_empty());
    assert!(!server.accepts("argo", "nove")?);
    Ok(())
}

/// A disk that is full in the middle of a write: the old file stays whole, and no home is left. Then there is room again.
#[tokio::test]
async fn a_full_disk() -> Result<()> {
    const LIMIT: usize = 1 << 20;
    let server = ProFtpd::start()?;
    let schema = Schema::new("ftp");
    let vhost = RabbitNode::shared()?.vhost(PROGRAM)?;
    vhost.declare(&schema).await?;
    let script = server.path("limited");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nexec prlimit --fsize={LIMIT} {} \"$@\"\n",
            bin_dir()?.join(PROGRAM).display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let daemon = DaemonUnderTest::at(&script)?;
    daemon.connect_to(&vhost, "FTP", &json!({}))?;
    daemon.write_settings("ftp.json", &server.settings())?;
    let world = World {
        daemon,
        vhost,
        schema,
    };
    let caller = world.start().await?;
    assert_eq!(call(&caller, add("argo", "heslo")).await?, json!(true));
    let small = fs::read(server.login_file())?;
    let mut large = small.clone();
    large.extend(b"#".repeat(LIMIT - small.len() - 10));
    large.push(b'\n');
    fs::write(server.login_file(), &large)?;
    let (kind, text, _) = refusal(&caller, add("host", "heslo")).await?;
    assert_eq!(kind, "IOError");
    assert!(text.contains("ftpd.passwd.new"), "{text}");
    assert_eq!(fs::read(server.login_file())?, large);
    assert_eq!(entries(&server.path("home"))?, ["argo"]);
    let beside = entries(&server.path("conf"))?;
    assert!(
        !beside.contains(&"ftpd.passwd.new".to_owned()),
        "{beside:?}"
    );
    assert_eq!(call(&caller, list()).await?["users"], json!(["argo"]));
    fs::write(server.login_file(), small)?;
    assert_eq!(call(&caller, add("host", "heslo")).await?, json!(true));
    assert!(server.accepts("argo", "heslo")? && server.accepts("host", "heslo")?);
    Ok(())
}

/// Defect 1: settings of a wrong type had no effect; they keep the daemon from starting, and it says which.
#[tokio::test]
async fn wrong_settings() -> Result<()> {
    let server = ProFtpd::prepare()?;
    let world = world(&server).await?;
    for (name, value) in [
        ("CONF_PATH", json!(true)),
        ("PROFTPD_USERS_GID", json!(0)),
        ("ISBN_PAIRING", json!("maybe")),
        ("LOCK_FILENAME", json!("../x")),
    ] {
        let mut settings = server.settings();
        settings[name] = value;
        world.daemon.write_settings("ftp.json", &settings)?;
        let outcome = world.daemon.start()?;
        assert_ne!(outcome.code, Some(0));
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
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
