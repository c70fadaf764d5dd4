//! Faults while connecting.

use std::env;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use edeposit_amqp::{
    ConnectError, ConnectionParams, Message, PublishError, Settle, get_con_params,
};
use edeposit_pikadaemon::{OnMessage, PikaDaemon, Report, Session};
use edeposit_settings::Settings;
use edeposit_testkit::{End, FaultProxy, Hole, RabbitNode, Refusal, Way, poll_until, wait_until};
use edeposit_tests::{PATIENCE, World};
use futures::future::BoxFuture;
use lapin::types::{AMQPValue, FieldTable};
use rustix::process::Signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::faults_world::{
    ECHO, NO_SESSION, Vitals, alone, answered, in_hand, proxied, quick, quick_and, sleep,
    until_holds, until_logged,
};

/// The port is closed: tried again for ever with one warning, SIGTERM ends it at once; and it
/// comes back when the port opens.
#[tokio::test]
async fn fault_01_nothing_listens() -> Result<()> {
    let (world, proxy) = proxied().await?;
    world.daemon.run(&["start", "-v"])?.success()?;
    proxy.refuse(Refusal::Closed)?;
    assert_eq!(proxy.cut(End::Reset), 2);
    until_logged(&world, "still no session with RabbitMQ", 2).await?;
    let log = world.daemon.log();
    // One for the loss, one for the refusal.
    assert!(log.matches(NO_SESSION).count() <= 2, "{log}");
    let status = world.daemon.status()?;
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    let second = status.stdout.lines().nth(1).unwrap_or_default();
    assert!(
        second.starts_with("waiting for RabbitMQ for ") && second.contains(" s: "),
        "{}",
        status.stdout
    );

    proxy.accept()?;
    world.until_consuming().await?;
    wait_until("status tells that it consumes", PATIENCE, async || {
        let status = world.daemon.status();
        status.is_ok_and(|status| status.stdout.contains("\nconsuming queue 'daemon' of "))
    })
    .await?;
    proxy.refuse(Refusal::Closed)?;
    proxy.cut(End::Fin);
    until_logged(&world, NO_SESSION, 2).await?;
    let pid = world.daemon.pid().context("a pid")?;
    let begun = Instant::now();
    world.daemon.signal(Signal::TERM)?;
    poll_until("it has ended", PATIENCE, || Ok((!alive(pid)).then_some(())))?;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    Ok(())
}

fn alive(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// The socket is accepted, and nothing comes: given up after the time-out, tried again, and back when it speaks.
#[tokio::test]
async fn fault_02_a_socket_that_says_nothing() -> Result<()> {
    let (world, proxy) = proxied().await?;
    world.daemon.start()?.success()?;
    proxy.blackhole(Way::Both, Hole::Hold);
    proxy.cut(End::Fin);
    until_logged(&world, "did not answer within 1 s while logging in", 0).await?;
    proxy.heal();
    world.until_consuming().await?;
    // Nothing is left of the tries that were given up.
    wait_until("two connections are left", PATIENCE, async || {
        world.vhost.connections().is_ok_and(|open| open.len() == 2)
    })
    .await
}

/// The node is frozen (SIGSTOP) before it is connected to: given up after the time-out, and connected when it thaws.
#[tokio::test]
async fn fault_02_a_broker_that_is_frozen() -> Result<()> {
    let (node, world) = alone().await?;
    node.freeze()?;
    let begun = Instant::now();
    let refused = world.daemon.start()?;
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("did not answer within 1 s"),
        "{}",
        refused.stderr
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(world.daemon.run(&["start", "--wait"])?.code, Some(0));
    until_logged(&world, "did not answer within 1 s", 0).await?;
    node.thaw()?;
    world.until_consuming().await
}

/// The connection is cut at every power of two of bytes, in both directions, by FIN and by RST: every try ends with an
/// error of its own, and leaves no thread and no descriptor behind.
#[tokio::test]
async fn fault_03_cut_at_each_byte_of_the_handshake() -> Result<()> {
    // In a process of its own: the threads and descriptors of other tests would be counted too.
    const CHILD: &str = "EDEPOSIT_TEST_STAIR";
    if env::var_os(CHILD).is_some() {
        return stair().await;
    }
    let name = "faults_connecting::fault_03_cut_at_each_byte_of_the_handshake";
    let node = serde_json::to_string(RabbitNode::shared()?.info())?;
    let output = Command::new(env::current_exe()?)
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env(edeposit_testkit::SHARED_NODE_VARIABLE, node)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    ensure!(output.status.success(), "the stair failed");
    ensure!(text.contains("1 passed"), "the stair was not run");
    Ok(())
}

async fn stair() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("stair")?;
    vhost
        .declare(&edeposit_testkit::Schema::new("puppet"))
        .await?;
    let proxy = FaultProxy::to(vhost.amqp_port())?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("amqp.json");
    let settings = quick_and(json!({ "RABBITMQ_PORT": proxy.port() }));
    std::fs::write(&file, settings.to_string())?;
    let params = get_con_params(&Settings::load_from(Some(&file))?, vhost.name())?;

    // The first of each starts what the client library keeps.
    proxy.cut_after(Way::Down, 64, End::Reset);
    assert!(session(&params).await.is_err());
    proxy.heal();
    session(&params).await?;
    let before = Vitals::of("self")?;
    let mut failed = 0;
    for how in [End::Fin, End::Reset] {
        for way in [Way::Up, Way::Down] {
            for bytes in (0..=12).map(|power| 1 << power) {
                proxy.cut_after(way, bytes, how);
                if let Err(error) = session(&params).await {
                    failed += 1;
                    println!("{way:?} {bytes} {how:?}: {error}");
                    assert!(error.is_temporary(), "{way:?} {bytes} {how:?}: {error}");
                }
            }
        }
    }
    // The set-up takes more than 256 bytes either way.
    assert!(failed >= 4 * 9, "{failed}");
    proxy.heal();
    session(&params).await?;
    before.until_again("self").await
}

/// One session as a daemon has it, ended as soon as it consumes.
async fn session(params: &ConnectionParams) -> Result<(), ConnectError> {
    struct Nothing;
    impl OnMessage for Nothing {
        fn on_message_received<'a>(
            &'a self,
            _: Message,
            _: &'a dyn Session,
        ) -> BoxFuture<'a, Result<Settle, PublishError>> {
            Box::pin(async { Ok(Settle::Requeue) })
        }
    }
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let daemon = PikaDaemon::new(params.clone(), "daemon", "puppet", Arc::new(Nothing));
    daemon
        .run(stop, &mut |report| {
            if matches!(report, Report::Consuming) {
                stopping.cancel();
            }
        })
        .await
        .map(drop)
}

/// Something else listens there: the error says that it is no AMQP 0-9-1 broker.
#[tokio::test]
async fn fault_04_not_amqp() -> Result<()> {
    let strangers: [(&str, &[u8]); 3] = [
        (
            "HTTP",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        ),
        ("garbage", &[0xA5; 4096]),
        ("AMQP 1.0", b"AMQP\x00\x01\x00\x00"),
    ];
    for (name, bytes) in strangers {
        let world = World::puppet(&json!({})).await?;
        let port = stranger(bytes)?;
        let settings = quick_and(json!({ "RABBITMQ_PORT": port }));
        world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
        let start = world.daemon.start()?;
        assert_ne!(start.code, Some(0), "{name}");
        assert!(
            start.stderr.contains("is no AMQP 0-9-1 broker"),
            "{name}: {}",
            start.stderr
        );
    }
    Ok(())
}

/// A server that answers a few connections with these bytes and closes them.
fn stranger(bytes: &'static [u8]) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let _ = client.read(&mut [0; 8]);
            let _ = client.write_all(bytes);
            let _ = client.shutdown(Shutdown::Write);
            let _ = client.read(&mut [0; 64]);
        }
    });
    Ok(port)
}

/// The password is changed, then the user deleted, under a running daemon: the log names user and host, never the
/// password; it goes on when both are right again.
#[tokio::test]
async fn fault_05_wrong_password() -> Result<()> {
    const PASSWORD: &str = "tajne-heslo-17";
    let world = World::puppet(&json!({})).await?;
    let node = RabbitNode::shared()?;
    let user = world.vhost.name().to_owned();
    let settings = quick_and(json!({
        "RABBITMQ_USER_NAME": user,
        "RABBITMQ_USER_PASSWORD": PASSWORD,
        "RABBITMQ_CONNECT_TIMEOUT": 5,
    }));
    let restore = || -> Result<()> {
        node.create_user(&user, PASSWORD)?;
        world.vhost.permit(&user, ".*", ".*", ".*")
    };
    restore()?;
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    world.daemon.start()?.success()?;
    let refused = format!("refuses user '{user}'");
    for deleted in [false, true] {
        let before = world.daemon.log().matches(&refused).count();
        if deleted {
            node.delete_user(&user)?;
        } else {
            node.change_password(&user, "another")?;
        }
        world.vhost.close_all_connections()?;
        until_logged(&world, &refused, before).await?;
        restore()?;
        world.until_consuming().await?;
    }
    let log = world.daemon.log();
    assert!(log.contains("127.0.0.1"), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
    node.delete_user(&user)
}

/// The virtual host is deleted under a running daemon: the log says so, and it goes on when it is there again.
#[tokio::test]
async fn fault_06_virtual_host_deleted() -> Result<()> {
    let world = World::puppet(&quick()).await?;
    world.daemon.start()?.success()?;
    world.vhost.delete()?;
    until_logged(&world, "has no virtual host", 0).await?;
    world.vhost.create_again()?;
    until_logged(&world, "has no exchange 'puppet'", 0).await?;
    world.vhost.declare(&world.schema).await?;
    world.until_consuming().await?;
    let caller = world.caller().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    Ok(())
}

/// The right to the queue is taken away: the log names the queue; it goes on when the right is given back.
#[tokio::test]
async fn fault_07_no_permission() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let node = RabbitNode::shared()?;
    let user = world.vhost.name().to_owned();
    node.create_user(&user, "x")?;
    world.vhost.permit(&user, ".*", ".*", ".*")?;
    let settings = quick_and(json!({ "RABBITMQ_USER_NAME": user, "RABBITMQ_USER_PASSWORD": "x" }));
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    world.daemon.start()?.success()?;
    world.vhost.permit(&user, ".*", ".*", "^plone$")?;
    world.vhost.close_all_connections()?;
    until_logged(&world, "denies access", 0).await?;
    let log = world.daemon.log();
    assert!(log.contains("queue 'daemon'"), "{log}");
    world.vhost.revoke(&user)?;
    until_logged(&world, "may not use virtual host", 0).await?;
    world.vhost.permit(&user, ".*", ".*", ".*")?;
    world.until_consuming().await?;
    node.delete_user(&user)
}

/// Queues have other arguments than ours would: the input queue is used as it is, and so is the queue for parked answers.
#[tokio::test]
async fn fault_08_queues_with_other_arguments() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let argument = |name: &str, value: i32| {
        let mut table = FieldTable::default();
        table.insert(name.into(), AMQPValue::LongInt(value));
        table
    };
    world.vhost.delete_queue("daemon")?;
    world
        .vhost
        .declare_queue("daemon", argument("x-max-priority", 3))
        .await?;
    world.vhost.bind("daemon", "puppet", "request").await?;
    world
        .vhost
        .declare_queue("daemon.parked", argument("x-max-length", 10))
        .await?;
    let caller = world.start().await?;
    assert!(!caller.call(ECHO).await?.is_exception());
    world.vhost.unbind("plone", "puppet", "result").await?;
    caller.publish(&caller.request(ECHO)).await?;
    until_holds(&world.vhost, "daemon.parked", 1).await?;
    assert_eq!(world.vhost.depth("daemon").await?, (0, 1));
    assert!(
        !world.daemon.log().contains(NO_SESSION),
        "one odd queue is no reason to give up the session"
    );
    Ok(())
}

/// The host has no address: said within the time-out, with what to look at.
#[tokio::test]
async fn fault_09_the_host_has_no_address() -> Result<()> {
    let world = World::puppet(&json!({})).await?;
    let settings = quick_and(json!({ "RABBITMQ_HOST": "broker.invalid" }));
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    let begun = Instant::now();
    let start = world.daemon.start()?;
    assert_ne!(start.code, Some(0));
    assert!(
        start.stderr.contains("RabbitMQ at broker.invalid"),
        "{}",
        start.stderr
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    Ok(())
}

/// The host's first address, of IPv6, is dead: the next one is used.
#[tokio::test]
async fn fault_09_the_first_address_is_dead() -> Result<()> {
    let (world, proxy) = proxied().await?;
    let settings =
        quick_and(json!({ "RABBITMQ_HOST": "localhost", "RABBITMQ_PORT": proxy.port() }));
    world.daemon.connect_to(&world.vhost, "PUPPET", &settings)?;
    let caller = world.start().await?;
    let request = in_hand(&world, &caller, sleep(0)).await?;
    answered(&world, &caller, &request).await.map(drop)
}
