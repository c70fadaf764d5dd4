//! amqps: a CA of one's own, a client certificate, and what is said when one of them is wrong.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use edeposit_testkit::{
    Caller, DaemonUnderTest, FaultProxy, RabbitNode, Schema, TlsFiles, wait_until,
};
use edeposit_tests::PATIENCE;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

fn settings(node: &RabbitNode, files: &TlsFiles) -> Value {
    json!({
        "RABBITMQ_SCHEME": "amqps",
        "RABBITMQ_HOST": "localhost",
        "RABBITMQ_PORT": node.amqps_port(),
        "RABBITMQ_TLS_CA_FILE": files.ca(),
        "RABBITMQ_TLS_CERT_FILE": files.client().certificate,
        "RABBITMQ_TLS_KEY_FILE": files.client().key,
    })
}

#[tokio::test]
async fn a_daemon_over_tls() -> Result<()> {
    let files = TlsFiles::new()?;
    let node = RabbitNode::start_with_tls(&files)?;
    let vhost = node.vhost("tls")?;
    let schema = Schema::new("puppet");
    vhost.declare(&schema).await?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;

    daemon.connect_to(&vhost, "PUPPET", &settings(&node, &files))?;
    daemon.start()?.success()?;
    let caller = Caller::connect(&vhost, &schema).await?;
    let answer = caller.call(r#"{"__nt_name": "Echo", "text": "x"}"#).await?;
    assert_eq!(answer.json()?["text"], "x");
    daemon.stop()?.success()?;

    let missing = {
        let mut wrong = settings(&node, &files);
        wrong["RABBITMQ_TLS_CA_FILE"] = json!("/nowhere/ca.pem");
        daemon.connect_to(&vhost, "PUPPET", &wrong)?;
        refused(&daemon)?
    };
    assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
    Ok(())
}

/// What `start` says when it fails for good: waiting for the broker would not help.
fn refused(daemon: &DaemonUnderTest) -> Result<String> {
    let start = daemon.run(&["start", "--wait"])?;
    assert_eq!(start.code, Some(1), "{}", start.stderr);
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    Ok(start.stderr)
}

/// Something with a certificate that stands where a broker is expected: it does the TLS handshake and no more.
struct Impostor {
    port: u16,
    accepted: Arc<AtomicUsize>,
    dir: TempDir,
}

impl Impostor {
    /// A certificate for this name, good until this year, by an authority of its own.
    fn new(listener: TcpListener, name: &str, until: i32) -> Result<Self> {
        let mut ca = CertificateParams::new(Vec::<String>::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate()?;
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("ca.pem"), ca.self_signed(&ca_key)?.pem())?;
        let mut server = CertificateParams::new(vec![name.to_owned()])?;
        server.not_before = date_time_ymd(2000, 1, 1);
        server.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?;

        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        let config = Arc::new(config);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let port = listener.local_addr()?.port();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                if let Ok(mut tls) = ServerConnection::new(Arc::clone(&config)) {
                    let _ = tls.complete_io(&mut stream);
                }
            }
        });
        Ok(Self {
            port,
            accepted,
            dir,
        })
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

/// Injected: certificates by an unknown authority, expired, and for another name. Each is told apart from the others, with
/// what to do, and `--wait` does not wait for it.
#[tokio::test]
async fn fault_10_wrong_server_certificates() -> Result<()> {
    let vhost = RabbitNode::shared()?.vhost("tls")?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    let stranger = TlsFiles::new()?;
    let told = |name: &str, until: i32, ca: Option<PathBuf>| -> Result<String> {
        let impostor = Impostor::new(TcpListener::bind("127.0.0.1:0")?, name, until)?;
        let settings = json!({
            "RABBITMQ_SCHEME": "amqps",
            "RABBITMQ_HOST": "localhost",
            "RABBITMQ_PORT": impostor.port,
            "RABBITMQ_TLS_CA_FILE": ca.unwrap_or_else(|| impostor.ca()),
        });
        daemon.connect_to(&vhost, "PUPPET", &settings)?;
        let error = refused(&daemon)?;
        assert!(
            error.contains("no TLS connection with RabbitMQ at localhost:"),
            "{error}"
        );
        assert_eq!(
            impostor.accepted.load(Ordering::SeqCst),
            1,
            "one try is enough"
        );
        Ok(error)
    };
    let unknown = told("localhost", 2099, Some(stranger.ca()))?;
    assert!(
        unknown.contains("UnknownIssuer")
            && unknown.contains("an authority in RABBITMQ_TLS_CA_FILE"),
        "{unknown}"
    );
    let expired = told("localhost", 2020, None)?;
    assert!(
        expired.contains("expired") && expired.contains("renewed"),
        "{expired}"
    );
    let name = told("mq.example", 2099, None)?;
    assert!(
        name.contains("mq.example") && name.contains("RABBITMQ_HOST must be a name"),
        "{name}"
    );
    Ok(())
}

/// Injected: the broker demands a client certificate, the daemon has none; later, the broker's certificate changes under the
/// running daemon to one of an unknown authority. The error says which setting; the running daemon warns once and backs off.
#[tokio::test(flavor = "multi_thread")]
async fn fault_10_client_certificate_missing_and_no_retry_storm() -> Result<()> {
    let files = TlsFiles::new()?;
    let node = RabbitNode::start_with_tls(&files)?;
    let vhost = node.vhost("tls")?;
    vhost.declare(&Schema::new("puppet")).await?;
    let daemon = DaemonUnderTest::new("edeposit-test-puppet")?;
    let mut settings = settings(&node, &files);

    let mut without = settings.clone();
    for (name, value) in without.as_object_mut().into_iter().flatten() {
        if ["RABBITMQ_TLS_CERT_FILE", "RABBITMQ_TLS_KEY_FILE"].contains(&name.as_str()) {
            *value = json!("");
        }
    }
    daemon.connect_to(&vhost, "PUPPET", &without)?;
    let start = daemon.start()?;
    assert_eq!(start.code, Some(1));
    assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
    for part in [
        "TLS connection",
        "demands a client certificate",
        "RABBITMQ_TLS_CERT_FILE",
    ] {
        assert!(start.stderr.contains(part), "{}", start.stderr);
    }

    let relay = FaultProxy::to(node.amqps_port().context("a TLS port")?)?;
    let port = relay.port();
    settings["RABBITMQ_PORT"] = json!(port);
    daemon.connect_to(&vhost, "PUPPET", &settings)?;
    daemon.run(&["start", "-v"])?.success()?;
    drop(relay);
    let mut taken = None;
    wait_until("the relay's port is free", PATIENCE, async || {
        taken = TcpListener::bind(("127.0.0.1", port)).ok();
        taken.is_some()
    })
    .await?;
    let impostor = Impostor::new(taken.context("a listener")?, "localhost", 2099)?;
    let tries = || daemon.log().matches("no session with RabbitMQ").count();
    wait_until("the impostor is noticed", PATIENCE, async || {
        daemon.log().contains("UnknownIssuer")
    })
    .await?;
    let before = tries();
    wait_until("the daemon has tried again", PATIENCE, async || {
        tries() >= before + 4
    })
    .await?;
    let (accepted, log) = (impostor.accepted.load(Ordering::SeqCst), daemon.log());
    let warned = |line: &&str| line.contains("WARN") && line.contains("UnknownIssuer");
    assert_eq!(log.lines().filter(warned).count(), 1, "{log}");
    // Each try is one connection, and before each the daemon waits.
    let waits = log.matches("waiting before the next try").count();
    assert!(
        accepted <= waits + 1,
        "{accepted} connections, {waits} waits"
    );
    assert_eq!(daemon.status()?.code, Some(0));
    Ok(())
}
