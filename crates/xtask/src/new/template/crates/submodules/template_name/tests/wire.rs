//! The wire: the messages that docs/template_name.md shows are those that the submodule reads and writes.

use edeposit_amqpdaemon::{Handler, Sendback};
use edeposit_serializers::{Value, from_str, to_value};
use edeposit_settings::{Declared, Sources};
use edeposit_template_name::messages::{Request, Response};
use edeposit_template_name::{Settings, TemplateName};
use edeposit_testkit::wire::{Again, again};

const PAGE: &str = include_str!("../../../../docs/template_name.md");

/// The messages in the page, one a line: request, progress, answer.
fn documented() -> [&'static str; 3] {
    let lines = PAGE.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<&str> = lines.collect();
    lines.try_into().expect("three messages in the page")
}

fn json(text: &str) -> Value {
    from_str(text).unwrap()
}

/// What is read can be written, and is then the same JSON.
#[test]
fn messages_are_written_as_they_are_read() {
    let types: [Again; 3] = [again::<Request>, again::<Response>, again::<Response>];
    for (wire, again) in documented().into_iter().zip(types) {
        assert_eq!(again(wire).unwrap(), json(wire));
    }
}

/// The request in the page has the progress and the answer that stand below it.
#[tokio::test]
async fn a_request_is_answered_as_documented() {
    let [request, progress, answer] = documented();
    let settings = Settings::load_sources(&Sources::none()).unwrap();
    let (sendback, mut sent) = Sendback::collecting();
    let response = TemplateName::new(settings)
        .react(from_str(request).unwrap(), sendback)
        .await
        .unwrap();
    assert_eq!(to_value(&response).unwrap(), json(answer));
    let sent = String::from_utf8(sent.recv().await.unwrap()).unwrap();
    assert_eq!(json(&sent), json(progress));
}
