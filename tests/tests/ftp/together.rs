//! Both FTP daemons on one server: a publisher's whole life, from the account to its removal.

use crate::monitored::{BOOK, CSV, IMPORT_LOG, LOCK, Monitored, items, next};
use anyhow::{Context, Result, ensure};
use edeposit_testkit::{Caller, DaemonUnderTest};
use serde_json::{Value, json};

const MANAGER: &str = "edeposit_amqp_ftp_managerd";
const USER: &str = "nakl_argo";

async fn done(caller: &Caller, request: Value) -> Result<()> {
    let answer = caller.call(request.to_string()).await?;
    ensure!(!answer.is_exception(), "{request}: {}", answer.text());
    ensure!(
        answer.json()? == json!(true),
        "{request}: {}",
        answer.text()
    );
    Ok(())
}

/// Made by the manager, uploaded by an ordinary client, imported by the monitor; his switches and his new password hold
/// for both, and when he is removed he is locked out.
#[tokio::test]
async fn a_publisher_comes_delivers_and_goes() -> Result<()> {
    let monitored = Monitored::new(&json!({})).await?;
    let (server, world) = (&monitored.server, &monitored.world);
    let caller = world.start().await?;
    let manager = DaemonUnderTest::new(MANAGER)?;
    manager.connect_to(&world.vhost, "FTP", &json!({}))?;
    manager.write_settings("ftp.json", &server.settings())?;
    manager.start()?.success()?;

    let add = json!({"__nt_name": "AddUser", "username": USER, "password": "Tri8sovy"});
    done(&caller, add).await?;
    let mut session = server.login(USER, "Tri8sovy")?;
    assert_eq!(session.list()?, [LOCK]);
    session.mkdir("k1")?;
    session.put("k1/meta.csv", CSV.as_bytes())?;
    session.put("k1/kniha.pdf", BOOK)?;
    session.delete(LOCK)?;
    let (_, message) = next(&caller).await?;
    assert_eq!(message["username"], USER);
    assert_eq!(items(&message), ["meta.csv + kniha.pdf"]);
    let parsed = &message["requests"][0]["metadata_file"]["parsed_data"];
    assert_eq!(parsed["ISBN"], "978-80-87270-99-8");
    monitored.imported(USER).await?;
    assert_eq!(monitored.names(USER)?, [LOCK, IMPORT_LOG]);
    let report = monitored.read(USER, IMPORT_LOG)?;
    assert!(report.starts_with("Status: Ok\n"), "{report}");

    // His switches, as the manager wrote them, are what the monitor goes by.
    let set = json!({"__nt_name": "SetUserSettings", "username": USER, "SAME_NAME_DIR_PAIRING": false,
        "SAME_DIR_PAIRING": false, "ISBN_PAIRING": false, "CREATE_IMPORT_LOG": false, "LEAVE_BAD_FILES": true});
    let stored = caller.call(set.to_string()).await?.json()?;
    assert_eq!(stored["__nt_name"], "UserSettings");
    session.delete(IMPORT_LOG)?;
    session.put("meta.csv", CSV.as_bytes())?;
    session.put("meta.pdf", BOOK)?;
    session.delete(LOCK)?;
    let (_, message) = next(&caller).await?;
    assert_eq!(
        items(&message),
        ["MetadataFile meta.csv", "EbookFile meta.pdf"]
    );
    monitored.imported(USER).await?;
    assert_eq!(monitored.names(USER)?, [LOCK]);

    let change =
        json!({"__nt_name": "ChangePassword", "username": USER, "new_password": "Ctyri9kocky"});
    done(&caller, change).await?;
    assert!(!server.accepts(USER, "Tri8sovy")?);
    assert!(server.accepts(USER, "Ctyri9kocky")?);
    done(
        &caller,
        json!({"__nt_name": "RemoveUser", "username": USER}),
    )
    .await?;
    assert!(!server.accepts(USER, "Ctyri9kocky")?);
    assert!(!server.home(USER).exists());
    assert!(manager.pid().is_some());
    manager.stop()?.success().context("stopping the manager")?;
    world
        .daemon
        .stop()?
        .success()
        .context("stopping the monitor")?;
    Ok(())
}
