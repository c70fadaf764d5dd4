use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::*;

/// The settings that a file of this text makes, and its path.
fn read(text: &str) -> (Settings, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("amqp.json");
    fs::write(&path, text).unwrap();
    // Whatever the umask of whoever runs the tests.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let sources = Sources {
        explicit: Some(path.clone()),
        ..Sources::none()
    };
    (Settings::load_sources(&sources).unwrap(), path)
}

fn defaults() -> Settings {
    Settings::load_sources(&Sources::none()).unwrap()
}

fn warnings(text: &str) -> Vec<String> {
    let (settings, path) = read(text);
    let path = path.display().to_string();
    settings
        .warnings()
        .iter()
        .map(|w| w.replace(&path, "F"))
        .collect()
}

#[test]
fn the_general_constants_are_texts() {
    let settings = defaults();
    assert_eq!(settings.get("RABBITMQ_HOST"), Some("127.0.0.1"));
    assert_eq!(settings.get("RABBITMQ_PORT"), Some("5672"));
    assert_eq!(settings.get("RABBITMQ_USER_NAME"), Some("guest"));
    assert_eq!(settings.get("RABBITMQ_USER_PASSWORD"), Some("guest"));
    assert_eq!(
        settings.get("RABBITMQ_ALEPH_EXCEPTION_KEY"),
        Some("exception")
    );
    assert_eq!(settings.get("SETTINGS_PATH"), Some("/edeposit/amqp.json"));
    assert_eq!(settings.source().to_string(), "the defaults");
}

#[test]
fn get_amqp_settings_has_all_submodules() {
    let all = defaults().get_amqp_settings().unwrap();
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "aleph",
            "calibre",
            "ftp",
            "antivirus",
            "harvester",
            "ltp",
            "pdfgen",
            "downer",
            "storage",
            "mx2mods",
            "aleph_link_export"
        ]
    );
    assert_eq!(
        serde_json::to_value(&all["downer"]).unwrap(),
        json!({"vhost": "downloader", "exchange": "downloader",
               "queues": {"daemon": "request", "plone": "result"},
               "in_key": "request", "out_key": "result"})
    );
    assert_eq!(
        serde_json::to_string(&all["aleph_link_export"].queues).unwrap(),
        r#"{"updater":"request","plone":"result"}"#
    );
    assert_eq!(all["aleph"].exchange, "search");
    assert_eq!(all["mx2mods"].vhost, "marcxml2mods");
}

#[test]
fn new_submodules_join_by_their_names() {
    let (settings, _) = read(
        r#"{"RABBITMQ_MY_THING_VIRTUALHOST": "thing", "RABBITMQ_ECHO_PREFETCH": 2,
            "RABBITMQ_FTP_EXCHANGE": "other"}"#,
    );
    assert!(settings.warnings().is_empty(), "{:?}", settings.warnings());
    let all = settings.get_amqp_settings().unwrap();
    assert_eq!(all.len(), 12);
    assert_eq!(all["my_thing"].vhost, "thing");
    assert_eq!(all["my_thing"].exchange, "my_thing");
    assert_eq!(all["ftp"].exchange, "other");
    // Only a virtual host makes a submodule of its own; the other constants count all the same.
    assert_eq!(settings.submodule_names()[11..], ["my_thing"]);
    let echo = settings.submodule("echo").unwrap();
    assert_eq!((echo.vhost.as_str(), echo.prefetch), ("echo", 2));
    assert!(
        settings
            .get_all_constants()
            .contains(&"RABBITMQ_MY_THING_VIRTUALHOST")
    );
}

#[test]
fn a_mistake_in_one_submodule_does_not_stop_another() {
    let (settings, _) = read(r#"{"RABBITMQ_FTP_INPUT_QUEUE": "plone"}"#);
    assert!(settings.get_amqp_settings().is_err());
    assert!(settings.submodule("ftp").is_err());
    assert_eq!(settings.submodule("ltp").unwrap().vhost, "ltp");
}

#[test]
fn old_names_are_reported_with_the_new_one() {
    assert_eq!(
        warnings(
            r#"{"RABBITMQ_ALEPH_DAEMON_QUEUE": "d", "RABBITMQ_ALEPH_PLONE_QUEUE": "p",
                "RABBITMQ_ALEPH_DAEMON_KEY": "k", "RABBITMQ_ALEPH_PLONE_KEY": "l",
                "RABBITMQ_DOWNLOADER_EXCHANGE": "x"}"#
        ),
        [
            "RABBITMQ_ALEPH_DAEMON_QUEUE in F is ignored: it is called RABBITMQ_ALEPH_INPUT_QUEUE now",
            "RABBITMQ_ALEPH_PLONE_QUEUE in F is ignored: it is called RABBITMQ_ALEPH_OUTPUT_QUEUE now",
            "RABBITMQ_ALEPH_DAEMON_KEY in F is ignored: it is called RABBITMQ_ALEPH_INPUT_KEY now",
            "RABBITMQ_ALEPH_PLONE_KEY in F is ignored: it is called RABBITMQ_ALEPH_OUTPUT_KEY now",
            "RABBITMQ_DOWNLOADER_EXCHANGE in F is ignored: it is called RABBITMQ_DOWNER_EXCHANGE now",
        ]
    );
    let (settings, _) = read(r#"{"RABBITMQ_ALEPH_DAEMON_QUEUE": "d"}"#);
    assert_eq!(settings.submodule("aleph").unwrap().input_queue, "daemon");
}

#[test]
fn misspelt_names_are_reported() {
    assert_eq!(
        warnings(r#"{"RABBITMQ_HOTS": "x", "RABBITMQ_ALEPH_INPUT_QEUE": "x"}"#),
        [
            "RABBITMQ_HOTS in F is ignored: unknown name, did you mean RABBITMQ_HOST?",
            "RABBITMQ_ALEPH_INPUT_QEUE in F is ignored: unknown name, \
             did you mean RABBITMQ_ALEPH_INPUT_QUEUE?",
        ]
    );
    assert_eq!(
        warnings(r#"{"RABBITMQ_ALPEH_EXCHANGE": "x"}"#),
        ["RABBITMQ_ALPEH_... is taken for a new submodule 'alpeh'; \
          if RABBITMQ_ALEPH_... is meant, correct it"]
    );
}

#[test]
fn old_names_in_the_environment_are_reported_but_foreign_ones_are_not() {
    let settings = Settings::load_sources(&Sources {
        env: [
            ("RABBITMQ_ALEPH_PLONE_KEY".to_owned(), "x".into()),
            ("RABBITMQ_NODENAME".to_owned(), "rabbit@here".into()),
            ("RABBITMQ_HOME".to_owned(), "/usr/lib/rabbitmq".into()),
        ]
        .into(),
        ..Sources::none()
    })
    .unwrap();
    assert_eq!(
        settings.warnings(),
        ["RABBITMQ_ALEPH_PLONE_KEY in the environment is ignored: \
          it is called RABBITMQ_ALEPH_OUTPUT_KEY now"]
    );
}

#[test]
fn flags() {
    assert!(!defaults().answer_without_uuid().unwrap());
    assert!(defaults().tracebacks().unwrap());
    let (settings, path) =
        read(r#"{"RABBITMQ_TRACEBACKS": 0, "RABBITMQ_ANSWER_WITHOUT_UUID": "yes"}"#);
    assert!(!settings.tracebacks().unwrap());
    assert_eq!(
        settings.answer_without_uuid().unwrap_err().to_string(),
        format!(
            "RABBITMQ_ANSWER_WITHOUT_UUID in {}: 'yes' cannot be used, it takes whole numbers from 0 to 1",
            path.display()
        )
    );
}

#[test]
fn debug_hides_the_password() {
    let (settings, _) = read(r#"{"RABBITMQ_USER_PASSWORD": "hunter2"}"#);
    assert!(!format!("{settings:?}").contains("hunter2"));
}

/// As with the original, whose file this is: what cannot be used is passed over.
#[test]
fn what_cannot_be_used_is_ignored_with_a_warning() {
    let must = "but must be a string or a number";
    for (value, kind) in [
        ("true", "a boolean"),
        ("null", "null"),
        ("[1]", "an array"),
        ("{}", "an object"),
        ("9223372036854775808", "an integer beyond 64 bits"),
    ] {
        let text = format!(r#"{{"RABBITMQ_PREFETCH": {value}}}"#);
        let (settings, _) = read(&text);
        assert_eq!(settings.get("RABBITMQ_PREFETCH"), Some("8"), "{value}");
        assert_eq!(
            warnings(&text),
            [format!(
                "RABBITMQ_PREFETCH in F is ignored: its value is {kind}, {must}"
            )]
        );
    }
    assert_eq!(warnings("[1]"), ["F is ignored: it holds no JSON object"]);
}

#[test]
fn substitute_globals_follows_the_rules_of_files() {
    let (mut settings, _) = read(r#"{"RABBITMQ_PREFETCH": 7}"#);
    let values = serde_json::json!({"RABBITMQ_PREFETCH": 8, "RABBITMQ_HOST": true, "NOPE": 1});
    settings.substitute_globals(values.as_object().unwrap());
    assert_eq!(settings.get("RABBITMQ_PREFETCH"), Some("8"));
    assert_eq!(settings.get("RABBITMQ_HOST"), Some("127.0.0.1"));
    assert_eq!(settings.warnings().len(), 2);
    assert!(settings.warnings()[0].starts_with("RABBITMQ_HOST in the program is ignored"));
}

#[test]
fn effective_values_are_those_of_one_submodule() {
    let (settings, path) = read(
        r#"{"RABBITMQ_SCHEME": "amqps", "RABBITMQ_USER_PASSWORD": "hunter2", "RABBITMQ_HOST": "mq",
            "RABBITMQ_GREETER_PREFETCH": 3, "RABBITMQ_ALEPH_PREFETCH": 4}"#,
    );
    let effective = settings.effective("greeter").unwrap();
    let value = |name: &str| {
        let found = effective.iter().find(|one| one.name == name);
        found.map(|one| (one.value.clone(), one.origin.clone()))
    };
    let file = Origin::File(path);
    assert_eq!(value("RABBITMQ_HOST"), Some(("mq".into(), file.clone())));
    assert_eq!(
        value("RABBITMQ_USER_PASSWORD"),
        Some(("***".into(), file.clone()))
    );
    assert_eq!(
        value("RABBITMQ_PORT"),
        Some(("5671".into(), Origin::Default))
    );
    assert_eq!(
        value("RABBITMQ_GREETER_EXCHANGE"),
        Some(("greeter".into(), Origin::Default))
    );
    assert_eq!(
        value("RABBITMQ_GREETER_INPUT_QUEUE"),
        Some(("daemon".into(), Origin::Default))
    );
    assert_eq!(value("RABBITMQ_GREETER_PREFETCH"), Some(("3".into(), file)));
    assert_eq!(value("RABBITMQ_ALEPH_PREFETCH"), None);
    assert_eq!(value("RABBITMQ_ALEPH_EXCHANGE"), None);
    assert!(settings.effective("no name").is_err());
}
