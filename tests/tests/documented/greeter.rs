//! The example daemon, as its reader would try it.

use anyhow::Result;
use edeposit_testkit::Schema;
use edeposit_tests::{PATIENCE, World};
use serde_json::json;

#[tokio::test]
async fn the_example_greets_and_reports_progress() -> Result<()> {
    let world = World::new("greeter", "GREETER", Schema::new("greeter"), &json!({})).await?;
    let caller = world.start().await?;
    let request = caller.request(r#"{"__nt_name": "Greet", "name": "Jan"}"#);
    let progress = caller.call_with(&request).await?;
    assert_eq!(
        progress.json()?,
        json!({"__nt_name": "Progress", "percent": 50})
    );
    let answer = caller
        .answer_to(&request.uuid().unwrap_or_default(), PATIENCE)
        .await?;
    assert_eq!(
        answer.json()?,
        json!({"__nt_name": "Greeting", "text": "Hello Jan"})
    );
    assert_eq!(
        answer.properties.content_type(),
        progress.properties.content_type()
    );

    let refused = caller
        .call(r#"{"__nt_name": "Grete", "name": "Jan"}"#)
        .await?;
    assert_eq!(
        refused.header("exception_name").as_deref(),
        Some("KeyError")
    );
    world.daemon.stop()?.success()?;
    Ok(())
}

#[test]
fn it_is_no_longer_than_in_the_design() {
    let lines = include_str!("../../../examples/greeter/src/main.rs").lines();
    let code = lines
        .filter(|line| !line.trim().is_empty() && !line.starts_with("//!"))
        .count();
    assert!(code <= 30, "{code} lines of code");
}
