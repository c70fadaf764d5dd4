use std::time::Duration;

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

fn connection(env: &[(&str, &str)]) -> Connection {
    settings(env).connection().unwrap()
}

fn error(env: &[(&str, &str)]) -> String {
    settings(env).connection().unwrap_err().to_string()
}

#[test]
fn defaults() {
    assert_eq!(
        connection(&[]),
        Connection {
            host: "127.0.0.1".into(),
            port: 5672,
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
    assert_eq!((plain.port, plain.tls), (5671, Some(Tls::default())));
    let set = connection(&[("RABBITMQ_SCHEME", "amqps"), ("RABBITMQ_PORT", "5672")]);
    assert_eq!(set.port, 5672);
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
        "RABBITMQ_SCHEME in the environment: 'tls' is neither amqp nor amqps"
    );
    assert_eq!(
        error(&[
            ("RABBITMQ_SCHEME", "amqps"),
            ("RABBITMQ_TLS_CA_FILE", "ca.pem")
        ]),
        "RABBITMQ_TLS_CA_FILE in the environment: 'ca.pem' is no absolute path"
    );
}

#[test]
fn hosts() {
    for (host, plain, address) in [
        (
            "rabbit.example.org",
            "rabbit.example.org",
            "rabbit.example.org:5672",
        ),
        ("[::1]", "::1", "[::1]:5672"),
        ("::1", "::1", "[::1]:5672"),
    ] {
        let connection = connection(&[("RABBITMQ_HOST", host)]);
        assert_eq!(
            (connection.host.as_str(), connection.address()),
            (plain, address.into())
        );
    }
    for host in ["", "amqps://rabbit", "rabbit:5671", "user@rabbit"] {
        assert!(
            error(&[("RABBITMQ_HOST", host)]).starts_with("RABBITMQ_HOST in the environment: ")
        );
    }
    assert_eq!(
        error(&[("RABBITMQ_HOST", "rabbit:5671")]),
        "RABBITMQ_HOST in the environment: 'rabbit:5671' is no host name; \
         the port goes to RABBITMQ_PORT, amqps to RABBITMQ_SCHEME"
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
        "cannot read /nonexistent/pw: No such file or directory (os error 2)"
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
    let url = |env: &[(&str, &str)]| settings(env).management_url();
    let good = |env: &[(&str, &str)]| url(env).unwrap();
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
