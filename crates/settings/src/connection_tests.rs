use std::time::Duration;

use super::*;
use crate::{Node, Settings, Sources};

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

fn connection(env: &[(&str, &str)]) -> Connection {
    settings(env).connection().unwrap()
}

fn node(host: &str, port: u16) -> Node {
    Node {
        host: host.into(),
        port,
    }
}

fn error(env: &[(&str, &str)]) -> String {
    settings(env).connection().unwrap_err().to_string()
}

#[test]
fn defaults() {
    assert_eq!(
        connection(&[]),
        Connection {
            nodes: node("127.0.0.1", 5672).into(),
            user: "guest".into(),
            password: "guest".into(),
            tls: None,
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            publish_timeout: Duration::from_secs(30),
        }
    );
}

#[test]
fn debug_hides_the_password() {
    let connection = connection(&[("RABBITMQ_USER_PASSWORD", "hunter2")]);
    assert_eq!(connection.password.expose(), "hunter2");
    assert!(!format!("{connection:?}").contains("hunter2"));
}

#[test]
fn amqps_has_its_own_default_port() {
    let plain = connection(&[("RABBITMQ_SCHEME", "amqps")]);
    assert_eq!(
        (plain.nodes.first().port, plain.tls),
        (5671, Some(Tls::default()))
    );
    let set = connection(&[("RABBITMQ_SCHEME", "amqps"), ("RABBITMQ_PORT", "5672")]);
    assert_eq!(set.nodes.first().port, 5672);
}

#[test]
fn tls_files() {
    let tls = connection(&[
        ("RABBITMQ_SCHEME", "amqps"),
        ("RABBITMQ_TLS_CA_FILE", "/etc/ca.pem"),
        ("RABBITMQ_TLS_CERT_FILE", "/etc/cert.pem"),
        ("RABBITMQ_TLS_KEY_FILE", "/etc/key.pem"),
    ])
    .tls
    .unwrap();
    assert_eq!(tls.ca_file, Some("/etc/ca.pem".into()));
    assert_eq!(tls.cert_file, Some("/etc/cert.pem".into()));
    assert_eq!(tls.key_file, Some("/etc/key.pem".into()));
}

#[test]
fn tls_mistakes_are_told() {
    assert_eq!(
        error(&[("RABBITMQ_TLS_CA_FILE", "/etc/ca.pem")]),
        "RABBITMQ_TLS_CA_FILE in the environment: it is set, but RABBITMQ_SCHEME is amqp; \
         set that to amqps"
    );
    assert_eq!(
        error(&[
            ("RABBITMQ_SCHEME", "amqps"),
            ("RABBITMQ_TLS_CERT_FILE", "/c")
        ]),
        "RABBITMQ_TLS_CERT_FILE in the environment: RABBITMQ_TLS_KEY_FILE is missing beside it"
    );
    assert_eq!(
        error(&[
            ("RABBITMQ_SCHEME", "amqps"),
            ("RABBITMQ_TLS_KEY_FILE", "/k")
        ]),
        "RABBITMQ_TLS_KEY_FILE in the environment: RABBITMQ_TLS_CERT_FILE is missing beside it"
    );
    assert_eq!(
        error(&[("RABBITMQ_SCHEME", "tls")]),
        "RABBITMQ_SCHEME in the environment: 'tls' cannot be used, it takes one of amqp, amqps"
    );
    assert_eq!(
        error(&[
            ("RABBITMQ_SCHEME", "amqps"),
            ("RABBITMQ_TLS_CA_FILE", "ca.pem")
        ]),
        "RABBITMQ_TLS_CA_FILE in the environment: 'ca.pem' cannot be used, it takes absolute paths, or nothing"
    );
}

#[test]
fn hosts() {
    for (host, plain, port, address) in [
        (
            "rabbit.example",
            "rabbit.example",
            5672,
            "rabbit.example:5672",
        ),
        ("rabbit:5671", "rabbit", 5671, "rabbit:5671"),
        ("::1", "::1", 5672, "[::1]:5672"),
        ("[::1]", "::1", 5672, "[::1]:5672"),
        ("[::1]:5671", "::1", 5671, "[::1]:5671"),
        ("10.0.0.1:1", "10.0.0.1", 1, "10.0.0.1:1"),
    ] {
        let connection = connection(&[("RABBITMQ_HOST", host)]);
        assert_eq!(*connection.nodes.first(), node(plain, port));
        assert!(connection.nodes.is_single());
        assert_eq!(connection.address(), address);
    }
}

#[test]
fn several_hosts_keep_their_order() {
    let several = connection(&[
        ("RABBITMQ_HOST", " mq2 ,mq1:5673,[fe80::1]:9, ::1,mq2"),
        ("RABBITMQ_PORT", "7"),
    ]);
    let nodes: Vec<Node> = several.nodes.iter().cloned().collect();
    let expected = [
        node("mq2", 7),
        node("mq1", 5673),
        node("fe80::1", 9),
        node("::1", 7),
        node("mq2", 7),
    ];
    assert_eq!(nodes, expected);
    assert!(!several.nodes.is_single());
    assert_eq!(
        several.address(),
        "mq2:7, mq1:5673, [fe80::1]:9, [::1]:7, mq2:7"
    );
    let tls = connection(&[("RABBITMQ_HOST", "a,b:1"), ("RABBITMQ_SCHEME", "amqps")]);
    assert_eq!(tls.address(), "a:5671, b:1");
}

#[test]
fn mistakes_in_the_list_of_hosts_are_told() {
    let told = |host| error(&[("RABBITMQ_HOST", host)]);
    for host in [
        "",
        "amqps://rabbit",
        "user@rabbit",
        "a b",
        "[::1",
        "::1]",
        "[::1]5672",
        "[rabbit:1]:2",
        "1:2:3",
        ":5672",
        "rabbit:",
        "rabbit:0",
        "rabbit:65536",
        "rabbit:+1",
        "rabbit:amqp",
        "a,,b",
        "a,",
        ",",
        "a,b:x",
    ] {
        let error = told(host);
        assert!(
            error.starts_with("RABBITMQ_HOST in the environment: "),
            "{host:?}: {error}"
        );
    }
    assert_eq!(
        told("mq1, amqps://mq2"),
        "RABBITMQ_HOST in the environment: 'amqps://mq2' is no host name; \
         amqps goes to RABBITMQ_SCHEME, a login to RABBITMQ_USER_NAME"
    );
    assert_eq!(
        told("mq1, mq2:x"),
        "RABBITMQ_HOST in the environment: 'mq2:x' is no host with a port number (1-65535)"
    );
    assert_eq!(
        told("mq1,,mq2"),
        "RABBITMQ_HOST in the environment: 'mq1,,mq2' is a list with an empty entry"
    );
}

#[test]
fn times() {
    let fast = connection(&[
        ("RABBITMQ_CONNECT_TIMEOUT", "0.5"),
        ("RABBITMQ_HEARTBEAT", "5"),
        ("RABBITMQ_PUBLISH_TIMEOUT", "2"),
    ]);
    assert_eq!(fast.connect_timeout, Duration::from_millis(500));
    assert_eq!(fast.heartbeat, Duration::from_secs(5));
    assert_eq!(fast.publish_timeout, Duration::from_secs(2));
    for (name, value) in [
        ("RABBITMQ_CONNECT_TIMEOUT", "0"),
        ("RABBITMQ_CONNECT_TIMEOUT", "inf"),
        ("RABBITMQ_HEARTBEAT", "0"),
        ("RABBITMQ_HEARTBEAT", "0.5"),
        ("RABBITMQ_PUBLISH_TIMEOUT", "-1"),
        ("RABBITMQ_PUBLISH_TIMEOUT", "soon"),
    ] {
        assert!(error(&[(name, value)]).contains(value), "{name} {value}");
    }
}

#[test]
fn the_password_may_be_in_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "s3cret\nnot this\n").unwrap();
    let path = file.path().to_str().unwrap();
    let from_file = settings(&[
        ("RABBITMQ_USER_PASSWORD_FILE", path),
        ("RABBITMQ_USER_PASSWORD", "other"),
    ]);
    assert_eq!(from_file.connection().unwrap().password.expose(), "s3cret");
    assert!(from_file.warnings().is_empty());

    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let open = settings(&[("RABBITMQ_USER_PASSWORD_FILE", path)]);
    assert!(open.warnings()[0].ends_with(&format!("run chmod 600 {path}")));

    let missing = error(&[("RABBITMQ_USER_PASSWORD_FILE", "/nonexistent/pw")]);
    assert_eq!(
        missing,
        "RABBITMQ_USER_PASSWORD_FILE in the environment: /nonexistent/pw cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_password_set_later_overrides_the_password_file() {
    let directory = tempfile::tempdir().unwrap();
    let amqp = directory.path().join("amqp.json");
    fs::write(
        &amqp,
        r#"{"RABBITMQ_USER_PASSWORD_FILE": "/nonexistent/pw"}"#,
    )
    .unwrap();
    let settings = Settings::load_sources(&Sources {
        env: [("RABBITMQ_USER_PASSWORD".to_owned(), "mine".into())].into(),
        explicit: Some(amqp),
        ..Sources::none()
    })
    .unwrap();
    assert_eq!(settings.connection().unwrap().password.expose(), "mine");
}

#[test]
fn management_addresses() {
    let url = |env: &[(&str, &str)]| settings(env).management_urls();
    let good = |env: &[(&str, &str)]| url(env).unwrap().join(" ");
    assert_eq!(good(&[]), "http://127.0.0.1:15672");
    assert_eq!(good(&[("RABBITMQ_HOST", "::1")]), "http://[::1]:15672");
    assert_eq!(
        good(&[("RABBITMQ_SCHEME", "amqps")]),
        "https://127.0.0.1:15671"
    );
    assert_eq!(
        good(&[("RABBITMQ_MANAGEMENT_URL", "https://rabbit/manage/")]),
        "https://rabbit/manage"
    );
    assert_eq!(
        good(&[("RABBITMQ_HOST", "mq1:5672, mq1:5673, [::1]:1")]),
        "http://mq1:15672 http://[::1]:15672"
    );
    let bad = |value| {
        url(&[("RABBITMQ_MANAGEMENT_URL", value)])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        bad("rabbit:15672"),
        "RABBITMQ_MANAGEMENT_URL in the environment: \
         'rabbit:15672' is no http:// or https:// address"
    );
    assert!(!bad("http://u:hunter2@rabbit").contains("hunter2"));
}
