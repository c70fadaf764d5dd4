//! The examples, as their reader would try them. `greeter` has a file of its own.

use anyhow::Result;
use edeposit_testkit::Schema;
use edeposit_tests::{PATIENCE, World};
use serde_json::{Value, json};

#[tokio::test]
async fn ask_greeter_prints_progress_and_the_answer() -> Result<()> {
    let world = World::new("greeter", "GREETER", Schema::new("greeter"), &json!({})).await?;
    world.daemon.start()?.success()?;
    let outcome = world.daemon.run_other("ask_greeter", &["Jan"])?;
    assert_eq!(outcome.success()?.stdout, "50 %\nHello Jan\n");
    let outcome = world.daemon.run_other("ask_greeter", &[])?;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("usage:"), "{}", outcome.stderr);
    // Nothing is left of the callers.
    let queues = world.vhost.list("queues")?;
    assert_eq!(queues.len(), 2, "{queues:?}");
    Ok(())
}

#[tokio::test]
async fn counter_remembers() -> Result<()> {
    let world = World::new("counter", "COUNTER", Schema::new("counter"), &json!({})).await?;
    let caller = world.start().await?;
    let ask = async |record: &str, what: &str| -> Result<Value> {
        let request = json!({"__nt_name": record, "what": what});
        caller.call(request.to_string()).await?.json()
    };
    for (record, what, seen) in [
        ("Count", "books", 1),
        ("Count", "books", 2),
        ("Count", "maps", 1),
        ("Forget", "books", 2),
        ("Count", "books", 1),
    ] {
        let total = ask(record, what).await?;
        assert_eq!(total, json!({"__nt_name": "Total", "seen": seen}));
    }
    let unknown = caller
        .call(r#"{"__nt_name": "Forget", "what": "nothing"}"#)
        .await?;
    assert_eq!(
        unknown.header("exception_name").as_deref(),
        Some("KeyError")
    );
    Ok(())
}

#[tokio::test]
async fn strict_order_keeps_it() -> Result<()> {
    let world = World::new(
        "strict_order",
        "STRICT_ORDER",
        Schema::new("strict_order"),
        // Even where the setting says otherwise.
        &json!({"RABBITMQ_STRICT_ORDER_PREFETCH": 10}),
    )
    .await?;
    let caller = world.start().await?;
    let mut uuids = Vec::new();
    for milliseconds in [80, 60, 40, 20, 0] {
        let request =
            caller.request(json!({"__nt_name": "Work", "milliseconds": milliseconds}).to_string());
        caller.publish(&request).await?;
        uuids.extend(request.uuid());
    }
    for (number, uuid) in (1..).zip(&uuids) {
        let answer = caller.answer_to(uuid, PATIENCE).await?;
        assert_eq!(answer.json()?["number"], number);
    }
    assert_eq!(uuids.len(), 5);
    Ok(())
}
