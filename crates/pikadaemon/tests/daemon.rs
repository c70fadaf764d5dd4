//! A daemon with a message handler of a few lines, on a real broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use edeposit_amqp::{Message, Outgoing, PublishError, Settle, get_con_params};
use edeposit_pikadaemon::{OnMessage, PikaDaemon, Report, Session};
use edeposit_settings::Settings;
use edeposit_testkit::{Caller, PATIENCE, RabbitNode, Schema};
use futures::future::BoxFuture;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const EXCHANGE: &str = "puppet";

/// Sends back what it gets, but panics at the first delivery.
#[derive(Default)]
struct Clumsy {
    deliveries: AtomicUsize,
}

impl OnMessage for Clumsy {
    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a Arc<Session>,
    ) -> BoxFuture<'a, Result<Settle, PublishError>> {
        Box::pin(async move {
            let before = self.deliveries.fetch_add(1, Ordering::Relaxed);
            assert!(before > 0, "the first one");
            let answer = Outgoing {
                headers: message.properties.headers().clone().unwrap_or_default(),
                body: message.body,
                ..Outgoing::default()
            };
            session.send_response("result", &answer).await?;
            Ok(Settle::Ack)
        })
    }
}

/// That costs the session, and the delivery comes again in the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_handler_that_panics_does_not_end_the_daemon() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("clumsy")?;
    let schema = Schema::new(EXCHANGE);
    vhost.declare(&schema).await?;
    let file = tempfile::NamedTempFile::new()?;
    let settings = json!({ "RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": vhost.amqp_port() });
    std::fs::write(file.path(), settings.to_string())?;
    let params = get_con_params(&Settings::load_from(Some(file.path()))?, vhost.name())?;

    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let daemon = PikaDaemon::new(params, "daemon", EXCHANGE, Arc::new(Clumsy::default()));
    let running = tokio::spawn(async move {
        let mut reasons = Vec::new();
        let mut report = |report: Report<'_>| {
            if let Report::Waiting { reason } = report {
                reasons.push(reason.to_owned());
            }
        };
        let unfinished = daemon.run(stopping, &mut report).await;
        (unfinished, reasons)
    });

    let caller = Caller::connect(&vhost, &schema).await?;
    let request = caller.request("first");
    caller.publish(&request).await?;
    let uuid = request.uuid().context("uuid")?;
    assert_eq!(caller.answer_to(&uuid, PATIENCE).await?.text(), "first");

    stop.cancel();
    let (unfinished, reasons) = tokio::time::timeout(PATIENCE, running).await??;
    assert_eq!(unfinished?, 0);
    assert_eq!(reasons, ["a message handler failed"]);
    assert_eq!(vhost.depth("daemon").await?, (0, 0));
    Ok(())
}
