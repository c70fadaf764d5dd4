//! amqps: a CA of one's own, a client certificate, and what is said when one of them is wrong.

use anyhow::Result;
use edeposit_testkit::{Caller, DaemonUnderTest, RabbitNode, Schema, TlsFiles};
use serde_json::{Value, json};

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

    let refused = |change: fn(&mut Value, &TlsFiles)| -> Result<String> {
        let other = TlsFiles::new()?;
        let mut wrong = settings(&node, &files);
        change(&mut wrong, &other);
        daemon.connect_to(&vhost, "PUPPET", &wrong)?;
        let start = daemon.start()?;
        assert_eq!(start.code, Some(1), "{}", start.stderr);
        assert_eq!(start.stderr.lines().count(), 1, "{}", start.stderr);
        Ok(start.stderr)
    };
    let unknown_ca =
        refused(|settings, other| settings["RABBITMQ_TLS_CA_FILE"] = json!(other.ca()))?;
    assert!(unknown_ca.contains("no TLS connection"), "{unknown_ca}");
    assert!(unknown_ca.contains("RABBITMQ_TLS_CA_FILE"), "{unknown_ca}");
    let missing =
        refused(|settings, _| settings["RABBITMQ_TLS_CA_FILE"] = json!("/nowhere/ca.pem"))?;
    assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
    let no_certificate = refused(|settings, _| {
        settings.as_object_mut().into_iter().for_each(|settings| {
            settings.remove("RABBITMQ_TLS_CERT_FILE");
            settings.remove("RABBITMQ_TLS_KEY_FILE");
        });
    })?;
    // With TLS 1.3 a missing certificate shows only after the handshake.
    assert!(
        no_certificate.contains("TLS") || no_certificate.contains("logging in"),
        "{no_certificate}"
    );
    Ok(())
}
