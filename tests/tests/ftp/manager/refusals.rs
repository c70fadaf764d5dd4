//! Requests that ftp_managerd refuses, links it does not follow, settings it does not start with.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::Result;
use edeposit_testkit::ProFtpd;
use serde_json::{Value, json};

use super::*;

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
