//! template_named over RabbitMQ: the real program and a caller, on a private RabbitMQ that the test starts.

use anyhow::Result;
use edeposit_testkit::{Answer, Caller, DaemonUnderTest, PATIENCE, RabbitNode, Schema};
use serde_json::json;

/// Publishes a request and waits for what comes under its UUID: progress, then the answer or an exception.
async fn ask(caller: &Caller, text: &str) -> Result<[Answer; 2]> {
    let request = caller.request(json!({"__nt_name": "Reverse", "text": text}).to_string());
    caller.publish(&request).await?;
    let uuid = request.uuid().unwrap_or_default();
    let progress = caller.answer_to(&uuid, PATIENCE).await?;
    Ok([progress, caller.answer_to(&uuid, PATIENCE).await?])
}

#[tokio::test]
async fn a_request_is_answered() -> Result<()> {
    // A virtual host for this test alone, with the exchange and the queues that the daemon expects.
    let vhost = RabbitNode::shared()?.vhost("template_name")?;
    let schema = Schema {
        input_queue: "template_queue".to_owned(),
        ..Schema::new("template_exchange")
    };
    vhost.declare(&schema).await?;

    // The daemon has a home directory of its own, in it `edeposit/amqp.json` and the submodule's own file.
    let daemon = DaemonUnderTest::new("edeposit_amqp_template_named")?;
    daemon.connect_to(&vhost, "TEMPLATE_NAME", &json!({}))?;
    daemon.write_settings("template_name.json", &json!({ "MAX_CHARACTERS": 5 }))?;
    daemon.run(&["check"])?.success()?;
    daemon.start()?.success()?;

    let caller = Caller::connect(&vhost, &schema).await?;
    let [progress, answer] = ask(&caller, "kniha").await?;
    assert_eq!(
        progress.json()?,
        json!({"__nt_name": "Progress", "percent": 50})
    );
    assert_eq!(
        answer.json()?,
        json!({"__nt_name": "Reversed", "text": "ahink"})
    );

    let [_, exception] = ask(&caller, "knihovna").await?;
    let name = exception.header("exception_name");
    assert_eq!(name.as_deref(), Some("ValueError"));
    let text = exception.header("exception").unwrap_or_default();
    assert!(text.contains("MAX_CHARACTERS"), "{text}");

    daemon.stop()?.success()?;
    Ok(())
}
