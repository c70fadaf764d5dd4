//! Several nodes in `RABBITMQ_HOST`, and hosts with several addresses: whichever works is used.

use std::net::{TcpListener, ToSocketAddrs};

use anyhow::{Context, Result};
use edeposit_client::Client;
use edeposit_settings::Settings;
use edeposit_testkit::{ClosedPort, End, FaultProxy, RabbitNode, wait_until};
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

const ECHO: &str = r#"{"__nt_name": "Echo", "text": "x"}"#;
const TOOL: &str = "edeposit_amqp_tool";

fn broker() -> Result<u16> {
    Ok(RabbitNode::shared()?.amqp_port())
}

/// The puppet with these nodes.
async fn puppet(hosts: &str, more: &Value) -> Result<World> {
    let mut settings = json!({ "RABBITMQ_HOST": hosts });
    for (name, value) in more.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    World::puppet(&settings).await
}

/// The last node that the log names as the one consumed from.
fn consumed_node(world: &World) -> Option<String> {
    let log = world.daemon.log();
    let line = log.lines().rfind(|line| line.contains("broker="))?;
    let after = line.split_once("broker=")?.1;
    Some(after.split_whitespace().next()?.to_owned())
}

/// How many back-off steps the daemon has begun.
fn steps(world: &World) -> usize {
    world
        .daemon
        .log()
        .matches("waiting before the next try")
        .count()
}

async fn until_steps(world: &World, count: usize) -> Result<()> {
    wait_until("the daemon backs off", PATIENCE, async || {
        steps(world) >= count
    })
    .await
}

fn relay_at(port: u16) -> Result<FaultProxy> {
    FaultProxy::on(port, broker()?)
}

async fn assert_answers(world: &World) -> Result<()> {
    let answer = world.caller().await?.call(ECHO).await?;
    assert_eq!(answer.json()?["text"], "x");
    Ok(())
}

/// Injected: the first node is closed. Daemon, client and tool use the second.
#[tokio::test]
async fn fault_11_first_closed() -> Result<()> {
    let second = format!("127.0.0.1:{}", broker()?);
    let closed = ClosedPort::new()?;
    let hosts = format!("{}, {second}", closed.address());
    let management = RabbitNode::shared()?.management_url();
    let world = puppet(&hosts, &json!({ "RABBITMQ_MANAGEMENT_URL": management })).await?;
    world.start().await?;
    assert_eq!(consumed_node(&world).context("no line")?, second);
    assert_answers(&world).await?;
    assert!(!world.daemon.log().contains("WARN"));

    let file = world.daemon.home().join("edeposit/amqp.json");
    let client = Client::connect(&Settings::load_from(Some(&file))?, "puppet").await?;
    let request = json!({"__nt_name": "Echo", "text": "y"});
    let answer: Value = client.call(&request).await?;
    assert_eq!(answer["text"], "y");

    let check = ["--host", "puppet", "--check"];
    let tool = world.daemon.run_other(TOOL, &check)?;
    assert!(tool.stdout.contains("daemon"), "{tool:?}");
    assert!(!tool.stderr.contains("Can't connect"), "{tool:?}");
    Ok(())
}

/// Injected: the first node accepts and says nothing. It costs its own time limit, and the second is used.
#[tokio::test]
async fn fault_11_first_silent() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let second = format!("127.0.0.1:{}", broker()?);
    let hosts = format!("{},{second}", silent.local_addr()?);
    let world = puppet(&hosts, &json!({ "RABBITMQ_CONNECT_TIMEOUT": 1 })).await?;
    world.start().await?;
    // Once by the look before the start, once for both connections of the session.
    silent.set_nonblocking(true)?;
    let tries = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(tries, 2);
    assert_eq!(consumed_node(&world).context("no line")?, second);
    assert_answers(&world).await
}

/// Injected: both nodes go away, the second comes back. It is used within one step of the back-off.
#[tokio::test(flavor = "multi_thread")]
async fn fault_11_second_comes_back() -> Result<()> {
    let closed = [ClosedPort::new()?, ClosedPort::new()?];
    let [first, second] = closed.each_ref().map(ClosedPort::port);
    let relay = relay_at(second)?;
    let world = puppet(&format!("127.0.0.1:{first},127.0.0.1:{second}"), &json!({})).await?;
    world.daemon.run(&["start", "-v"])?.success()?;
    drop(relay);
    until_steps(&world, 4).await?;
    let log = world.daemon.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    // One for the loss, one for the nodes that are away.
    assert!(warnings.len() <= 2, "{warnings:#?}");
    let last = warnings.last().context("no warning")?;
    assert!(
        last.contains(&format!("127.0.0.1:{first} can't be reached"))
            && last.contains(&format!("127.0.0.1:{second} can't be reached")),
        "{last}"
    );

    let before = steps(&world);
    let _relay = relay_at(second)?;
    world.until_consuming().await?;
    assert!(steps(&world) <= before + 1, "{before}, {}", steps(&world));
    assert_answers(&world).await
}

/// Injected: the first node is away and comes back later. The next session uses it.
#[tokio::test(flavor = "multi_thread")]
async fn fault_11_first_comes_back() -> Result<()> {
    let closed = [ClosedPort::new()?, ClosedPort::new()?];
    let [first, second] = closed.each_ref().map(ClosedPort::port);
    let relay = relay_at(second)?;
    let world = puppet(&format!("127.0.0.1:{first},127.0.0.1:{second}"), &json!({})).await?;
    world.start().await?;
    let node = |port| Some(format!("127.0.0.1:{port}"));
    assert_eq!(consumed_node(&world), node(second));
    let _first = relay_at(first)?;
    assert_answers(&world).await?;
    assert_eq!(
        consumed_node(&world),
        node(second),
        "it is not left without need"
    );
    assert_eq!(relay.cut(End::Fin), 2, "both connections go to one node");
    wait_until("the first node is used", PATIENCE, async || {
        consumed_node(&world) == node(first)
    })
    .await?;
    assert_answers(&world).await
}

/// Injected: no node is up. `start` fails with one line that names each of them and why.
#[tokio::test]
async fn fault_11_all_down_at_the_start() -> Result<()> {
    let closed = [ClosedPort::new()?, ClosedPort::new()?];
    let [first, second] = closed.each_ref().map(ClosedPort::port);
    let world = puppet(
        &format!("127.0.0.1:{first}, localhost:{second}"),
        &json!({}),
    )
    .await?;
    let start = world.daemon.start()?;
    assert_eq!(start.code, Some(1));
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    for part in [
        format!("no node of RABBITMQ_HOST can be used: 127.0.0.1:{first} can't be reached"),
        format!("; localhost:{second} can't be reached"),
    ] {
        assert!(start.stderr.contains(&part), "{}", start.stderr);
    }
    // That is worth waiting for.
    let waiting = world.daemon.run(&["start", "--wait"])?.success()?;
    assert!(
        waiting.stderr.contains("waiting for RabbitMQ"),
        "{waiting:?}"
    );
    Ok(())
}

/// Injected: one node is down, the other refuses the login. That is what counts, even with `--wait`.
#[tokio::test]
async fn fault_11_a_refused_login_on_any_node_is_told() -> Result<()> {
    let closed = ClosedPort::new()?;
    let hosts = format!("{},127.0.0.1:{}", closed.address(), broker()?);
    let world = puppet(&hosts, &json!({ "RABBITMQ_USER_PASSWORD": "TopSecret" })).await?;
    let start = world.daemon.run(&["start", "--wait"])?;
    assert_eq!(start.code, Some(1), "{}", start.stderr);
    assert!(
        start.stderr.contains("refuses user 'guest'"),
        "{}",
        start.stderr
    );
    assert!(
        start.stderr.contains("can't be reached"),
        "{}",
        start.stderr
    );
    assert!(!start.stderr.contains("TopSecret") && !world.daemon.log().contains("TopSecret"));
    Ok(())
}

/// Injected: a list that cannot be used. The error names file, key and entry.
#[tokio::test]
async fn a_list_that_cannot_be_used_is_said_with_its_place() -> Result<()> {
    for (hosts, part) in [
        ("127.0.0.1,", "empty entry"),
        (
            "127.0.0.1, mq2:port",
            "'mq2:port' is no host with a port number",
        ),
        ("127.0.0.1, amqp://mq2", "'amqp://mq2' is no host name"),
    ] {
        let world = puppet(hosts, &json!({})).await?;
        let start = world.daemon.start()?;
        assert_eq!(start.code, Some(1));
        for part in [part, "amqp.json", "RABBITMQ_HOST"] {
            assert!(start.stderr.contains(part), "{}", start.stderr);
        }
    }
    Ok(())
}

/// Injected: the first name does not resolve. The second host is used.
#[tokio::test]
async fn fault_09_bad_name_first() -> Result<()> {
    let world = puppet("no-such-host.invalid, 127.0.0.1", &json!({})).await?;
    world.start().await?;
    assert_answers(&world).await
}

/// Injected: the only name does not resolve. The error says so, within its time limit.
#[tokio::test]
async fn fault_09_a_name_that_does_not_resolve() -> Result<()> {
    let world = puppet(
        "no-such-host.invalid",
        &json!({ "RABBITMQ_CONNECT_TIMEOUT": 2 }),
    )
    .await?;
    let start = world.daemon.start()?;
    assert_eq!(start.code, Some(1));
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    assert!(
        start.stderr.contains("RabbitMQ at no-such-host.invalid:")
            && start.stderr.contains("RABBITMQ_HOST")
            || start.stderr.contains("while opening the connection"),
        "{}",
        start.stderr
    );
    Ok(())
}

/// Injected: nothing listens at the IPv6 address, the broker does at the IPv4 address: of two nodes, and of one name.
#[tokio::test]
async fn fault_09_dead_ipv6_first() -> Result<()> {
    let port = broker()?;
    let world = puppet(&format!("[::1]:{port},127.0.0.1:{port}"), &json!({})).await?;
    world.start().await?;
    assert_answers(&world).await?;
    world.daemon.stop()?.success()?;

    let addresses = ("localhost", port).to_socket_addrs()?;
    println!("localhost is {:?}", addresses.collect::<Vec<_>>());
    let more = json!({ "RABBITMQ_HOST": "localhost" });
    world.daemon.connect_to(&world.vhost, "PUPPET", &more)?;
    world.start().await?;
    assert_eq!(consumed_node(&world), Some(format!("localhost:{port}")));
    assert_answers(&world).await
}
