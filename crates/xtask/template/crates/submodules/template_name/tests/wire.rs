//! The wire: the messages that docs/template_name.md shows are those that the submodule reads and writes.

use edeposit_amqpdaemon::{Handler, Sendback};
use edeposit_serializers::{Value, from_str, to_value};
use edeposit_settings::{Declared, Sources};
use edeposit_template_name::messages::{Request, Response};
use edeposit_template_name::{Settings, TemplateName};
use edeposit_testkit::wire::again;

const PAGE: &str = include_str!("../../../../docs/template_name.md");

/// The blocks of JSON in the page: in each a request, progress if there is some, the answer; a message a line.
fn documented() -> Vec<Vec<&'static str>> {
    let blocks: Vec<_> = PAGE
        .split("```json\n")
        .skip(1)
        .map(|block| block.lines().take_while(|line| *line != "```").collect())
        .collect();
    assert!(!blocks.is_empty());
    blocks
}

fn json(text: &str) -> Value {
    from_str(text).unwrap()
}

/// What is read can be written, and is then the same JSON.
#[test]
fn messages_are_written_as_they_are_read() {
    for messages in documented() {
        let [request, responses @ ..] = &messages[..] else {
            panic!("an empty block");
        };
        assert_eq!(again::<Request>(request).unwrap(), json(request));
        for response in responses {
            assert_eq!(again::<Response>(response).unwrap(), json(response));
        }
    }
}

/// Each request in the page has the progress and the answer that stand below it.
#[tokio::test]
async fn requests_are_answered_as_documented() {
    let submodule = TemplateName::new(Settings::load_sources(&Sources::none()).unwrap());
    for messages in documented() {
        let [request, progress @ .., answer] = &messages[..] else {
            panic!("a block without an answer");
        };
        let (sendback, mut sent) = Sendback::collecting();
        let request = from_str(request).unwrap();
        let response = submodule.react(request, sendback).await.unwrap();
        assert_eq!(to_value(&response).unwrap(), json(answer));
        for progress in progress {
            let sent = sent.recv().await.expect("progress");
            assert_eq!(json(&String::from_utf8(sent).unwrap()), json(progress));
        }
        assert_eq!(sent.recv().await, None, "more progress than documented");
    }
}
