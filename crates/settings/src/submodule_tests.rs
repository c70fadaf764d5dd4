use super::*;
use crate::{Settings, Sources};

fn settings(env: &[(&str, &str)]) -> Settings {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.into()))
        .collect();
    Settings::load_sources(&Sources {
        env,
        ..Sources::none()
    })
    .unwrap()
}

fn error(env: &[(&str, &str)]) -> String {
    settings(env).submodule("ftp").unwrap_err().to_string()
}

#[test]
fn a_submodule_of_the_table() {
    let link = settings(&[]).submodule("aleph_link_export").unwrap();
    assert_eq!(
        link,
        Submodule {
            name: "aleph_link_export".into(),
            vhost: "aleph".into(),
            exchange: "update-links".into(),
            input_queue: "updater".into(),
            output_queue: "plone".into(),
            in_key: "request".into(),
            out_key: "result".into(),
            prefetch: 8,
            handler_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(30),
            max_request_size: 128 * 1024 * 1024,
        }
    );
}

#[test]
fn a_submodule_of_no_table_follows_the_convention() {
    let thing = settings(&[("RABBITMQ_MY_THING_EXCHANGE", "things")])
        .submodule("my_thing")
        .unwrap();
    assert_eq!(thing.name, "my_thing");
    assert_eq!(thing.vhost, "my_thing");
    assert_eq!(thing.exchange, "things");
    assert_eq!(
        (thing.input_queue.as_str(), thing.in_key.as_str()),
        ("daemon", "request")
    );
    assert_eq!(
        (thing.output_queue.as_str(), thing.out_key.as_str()),
        ("plone", "result")
    );
}

#[test]
fn aliases() {
    let settings = settings(&[]);
    assert_eq!(
        settings.submodule("downloader").unwrap(),
        settings.submodule("downer").unwrap()
    );
    assert_eq!(settings.submodule("marcxml2mods").unwrap().name, "mx2mods");
}

#[test]
fn a_submodule_may_have_limits_of_its_own() {
    let settings = settings(&[
        ("RABBITMQ_PREFETCH", "4"),
        ("RABBITMQ_ALEPH_PREFETCH", "1"),
        ("RABBITMQ_ALEPH_HANDLER_TIMEOUT", "1.5"),
        ("RABBITMQ_ALEPH_DRAIN_TIMEOUT", "0"),
        ("RABBITMQ_ALEPH_MAX_REQUEST_SIZE", "1000"),
    ]);
    let aleph = settings.submodule("aleph").unwrap();
    assert_eq!((aleph.prefetch, aleph.max_request_size), (1, 1000));
    assert_eq!(aleph.handler_timeout, Duration::from_millis(1500));
    assert_eq!(aleph.drain_timeout, Duration::ZERO);
    let ftp = settings.submodule("ftp").unwrap();
    assert_eq!((ftp.prefetch, ftp.max_request_size), (4, 128 * 1024 * 1024));
}

#[test]
fn bad_values_are_told() {
    assert_eq!(
        error(&[("RABBITMQ_FTP_PREFETCH", "0")]),
        "RABBITMQ_FTP_PREFETCH in the environment: '0' cannot be used, it takes whole numbers from 1 to 65535"
    );
    assert_eq!(
        error(&[("RABBITMQ_MAX_REQUEST_SIZE", "1 MB")]),
        "RABBITMQ_MAX_REQUEST_SIZE in the environment: '1 MB' cannot be used, \
         it takes whole numbers of bytes from 1 on"
    );
    assert_eq!(
        error(&[("RABBITMQ_FTP_VIRTUALHOST", "")]),
        "RABBITMQ_FTP_VIRTUALHOST in the environment: it is empty; it takes text"
    );
    assert_eq!(
        error(&[("RABBITMQ_FTP_EXCHANGE", "amq.topic")]),
        "RABBITMQ_FTP_EXCHANGE in the environment: 'amq.topic' is reserved: \
         RabbitMQ's own names begin with 'amq.'"
    );
    assert_eq!(
        error(&[("RABBITMQ_FTP_INPUT_KEY", &"k".repeat(256))]),
        "RABBITMQ_FTP_INPUT_KEY in the environment: it is longer than 255 bytes"
    );
}

#[test]
fn input_and_output_must_differ() {
    assert_eq!(
        error(&[("RABBITMQ_FTP_INPUT_QUEUE", "plone")]),
        "submodule ftp: input and output queue are both 'plone'; \
         change RABBITMQ_FTP_INPUT_QUEUE or RABBITMQ_FTP_OUTPUT_QUEUE"
    );
    assert_eq!(
        error(&[("RABBITMQ_FTP_OUTPUT_KEY", "request")]),
        "submodule ftp: input and output key are both 'request'; \
         change RABBITMQ_FTP_INPUT_KEY or RABBITMQ_FTP_OUTPUT_KEY"
    );
}

#[test]
fn names_that_cannot_be_submodules() {
    assert_eq!(
        settings(&[]).submodule("my thing").unwrap_err().to_string(),
        "'my thing' is no name of a submodule: use letters, digits and '_', a letter first"
    );
}
