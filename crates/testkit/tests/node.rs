//! The private node: there when asked for, for every test apart, and gone with its owner.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use edeposit_testkit::{
    Caller, NodeInfo, PATIENCE, QueueState, RabbitNode, Schema, TlsFiles, poll_until, wait_until,
};
use lapin::options::BasicGetOptions;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;

/// Whether nothing of the node is left: no directory, no listener on any of its ports.
fn is_gone(info: &NodeInfo) -> bool {
    let ports = [info.amqp_port, info.management_port, info.epmd_port];
    !info.dir.exists()
        && ports
            .iter()
            .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
}

#[test]
fn a_node_answers_and_ends_when_dropped() -> Result<()> {
    let node = RabbitNode::start()?;
    let info = node.info().clone();
    assert!(!is_gone(&info));
    assert!(node.ctl(&["status"])?.contains("RabbitMQ version"));

    // Nobody but this machine can reach it.
    let sockets = fs::read_to_string("/proc/net/tcp")?;
    for port in [info.amqp_port, info.management_port] {
        assert!(sockets.contains(&format!(" 0100007F:{port:04X} ")));
        assert!(!sockets.contains(&format!(" 00000000:{port:04X} ")));
    }
    node.stop();
    assert!(is_gone(&info));
    Ok(())
}

#[test]
fn a_node_ends_when_its_owner_is_killed() -> Result<()> {
    let mut owner = Command::new(env::current_exe()?)
        .args(["--exact", "owner_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(owner.stdout.take().context("the owner's output")?);
    let mut info = None;
    for line in output.lines() {
        let line = line?;
        // The test harness writes the test's name in front.
        if let Some(start) = line.find("{\"amqp_port\"") {
            info = Some(serde_json::from_str::<NodeInfo>(&line[start..])?);
            break;
        }
    }
    let info = info.context("the owner told of no node")?;
    assert!(!is_gone(&info));
    // A second process can use the node meanwhile, as the test executables of one run do.
    let attached = RabbitNode::attach(&serde_json::to_string(&info)?)?;
    drop(attached.vhost("attached")?);
    drop(attached);
    assert!(!is_gone(&info), "who is attached does not own");

    owner.kill()?;
    owner.wait()?;
    poll_until("the node is gone", PATIENCE, || {
        Ok(is_gone(&info).then_some(()))
    })
}

/// Run by the test above in a process of its own.
#[test]
#[ignore = "waits to be killed"]
fn owner_to_be_killed() -> Result<()> {
    let node = RabbitNode::start()?;
    println!("{}", serde_json::to_string(node.info())?);
    loop {
        std::thread::park();
    }
}

#[tokio::test]
async fn every_virtual_host_is_new_and_goes() -> Result<()> {
    let node = RabbitNode::shared()?;
    let (one, two) = (node.vhost("same")?, node.vhost("same")?);
    assert_ne!(one.name(), two.name());
    one.declare(&Schema::aleph()).await?;
    assert!(one.queue("daemon")?.is_some());
    assert!(two.queue("daemon")?.is_none());

    let url = one.amqp_url();
    drop(one);
    let error = Connection::connect(&url, ConnectionProperties::default()).await;
    assert!(error.is_err(), "the virtual host is still there");
    Ok(())
}

#[tokio::test]
async fn the_schema_is_the_original_tools() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("schema")?;
    vhost.declare(&Schema::aleph()).await?;
    vhost.declare(&Schema::aleph()).await?;

    let named = |list: Vec<Value>, name: &str| list.into_iter().find(|one| one["name"] == name);
    let exchange = named(vhost.list("exchanges")?, "search").context("the exchange")?;
    assert_eq!(exchange["type"], "topic");
    assert_eq!(exchange["durable"], true);
    assert_eq!(exchange["auto_delete"], false);
    for queue in ["daemon", "plone"] {
        let queue = named(vhost.list("queues")?, queue).context("a queue")?;
        assert_eq!(queue["durable"], true);
        assert_eq!(queue["auto_delete"], false);
        assert_eq!(queue["exclusive"], false);
    }
    let mut bindings: Vec<String> = vhost
        .list("bindings")?
        .iter()
        .filter(|binding| binding["source"] == "search")
        .map(|binding| format!("{} {}", binding["routing_key"], binding["destination"]))
        .collect();
    bindings.sort();
    assert_eq!(bindings, ["\"request\" \"daemon\"", "\"result\" \"plone\""]);
    Ok(())
}

#[tokio::test]
async fn queues_are_counted_and_connections_closed() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("counted")?;
    let schema = Schema::aleph();
    vhost.declare(&schema).await?;
    let caller = Caller::connect(&vhost, &schema).await?;
    caller.publish(&caller.request("one")).await?;
    caller.publish(&caller.request("two")).await?;
    assert_eq!(vhost.depth("daemon").await?, (2, 0));
    assert_eq!(vhost.depth("plone").await?, (0, 1));

    let (_connection, channel) = vhost.connect().await?;
    channel
        .basic_get("daemon".into(), BasicGetOptions::default())
        .await?;
    let expected = QueueState {
        ready: 1,
        unacked: 1,
    };
    assert_eq!(vhost.queue("daemon")?, Some(expected));

    let other = RabbitNode::shared()?.vhost("other")?;
    let (bystander, _channel) = other.connect().await?;
    assert_eq!(vhost.close_all_connections()?, 2);
    assert!(caller.publish(&caller.request("three")).await.is_err());
    assert!(bystander.status().connected());
    wait_until("no connection is left", PATIENCE, async || {
        vhost.connections().is_ok_and(|names| names.is_empty())
    })
    .await?;

    vhost.delete_queue("daemon")?;
    assert!(vhost.queue("daemon")?.is_none());
    vhost.delete_queue("daemon")?;
    Ok(())
}

#[tokio::test]
async fn users_have_the_rights_they_were_given() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("users")?;
    node.create_user("weak", "secret")?;
    let connect = async || {
        let url = vhost.amqp_url().replace("guest:guest", "weak:secret");
        Connection::connect(&url, ConnectionProperties::default()).await
    };
    assert!(connect().await.is_err(), "no rights yet");
    vhost.permit("weak", "", "", ".*")?;
    connect().await?;
    node.delete_user("weak")?;
    assert!(connect().await.is_err(), "no such user any more");
    Ok(())
}

#[tokio::test]
async fn tls_wants_a_client_certificate() -> Result<()> {
    let files = TlsFiles::new()?;
    let node = RabbitNode::start_with_tls(&files)?;
    let vhost = node.vhost("tls")?;
    let port = node.amqps_port().context("a TLS port")?;
    let url = vhost.amqp_url().replace("amqp://", "amqps://").replace(
        &format!("127.0.0.1:{}", node.amqp_port()),
        &format!("localhost:{port}"),
    );
    let client = files.client();
    let tls = |identity: bool| -> Result<OwnedTLSConfig> {
        Ok(OwnedTLSConfig {
            identity: match identity {
                true => Some(OwnedIdentity::PKCS8 {
                    pem: fs::read(&client.certificate)?,
                    key: fs::read(&client.key)?,
                }),
                false => None,
            },
            cert_chain: Some(fs::read_to_string(files.ca())?),
        })
    };
    let options = ConnectionProperties::default;
    Connection::connect_with_config(
        &url,
        options(),
        tls(true)?,
        lapin::runtime::default_runtime()?,
    )
    .await?;
    let stranger = Connection::connect_with_config(
        &url,
        options(),
        tls(false)?,
        lapin::runtime::default_runtime()?,
    )
    .await;
    assert!(stranger.is_err(), "let in without a certificate");
    Ok(())
}
