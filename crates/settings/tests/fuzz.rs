//! Whatever a settings file holds, it is read or refused in words that name the file and the constant; never a panic, and
//! never a word of the password.
//!
//! `PROPTEST_CASES=100000 cargo test -p edeposit-settings --test fuzz` tries more.

use std::fs;

use edeposit_settings::{Error, Settings, Sources};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A settings file of its own.
struct File(TempDir);

impl File {
    fn new(content: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("amqp.json"), content).unwrap();
        Self(directory)
    }

    fn path(&self) -> String {
        self.0.path().join("amqp.json").display().to_string()
    }

    fn load(&self) -> Result<Settings, Error> {
        Settings::load_sources(&Sources {
            explicit: Some(self.path().into()),
            ..Sources::none()
        })
    }
}

/// Everything a daemon or the tool asks for, as the texts of what is refused and of what is warned of.
fn exercise(settings: &Settings) -> (Vec<String>, Vec<String>) {
    let mut errors = vec![
        settings.connection().err(),
        settings.management_urls().err(),
        settings.answer_without_uuid().err(),
        settings.tracebacks().err(),
        settings.get_amqp_settings().err(),
    ];
    for name in settings.submodule_names() {
        errors.push(settings.submodule(&name).err());
    }
    errors.push(settings.submodule("greeter").err());
    for name in settings.get_all_constants() {
        assert!(settings.get(name).is_some(), "{name}");
    }
    let errors = errors.into_iter().flatten().map(|error| error.to_string());
    (errors.collect(), settings.warnings().to_vec())
}

const KNOWN: [&str; 27] = [
    "RABBITMQ_HOST",
    "RABBITMQ_PORT",
    "RABBITMQ_USER_NAME",
    "RABBITMQ_SCHEME",
    "RABBITMQ_TLS_CA_FILE",
    "RABBITMQ_TLS_CERT_FILE",
    "RABBITMQ_TLS_KEY_FILE",
    "RABBITMQ_CONNECT_TIMEOUT",
    "RABBITMQ_HEARTBEAT",
    "RABBITMQ_PUBLISH_TIMEOUT",
    "RABBITMQ_PREFETCH",
    "RABBITMQ_HANDLER_TIMEOUT",
    "RABBITMQ_DRAIN_TIMEOUT",
    "RABBITMQ_MAX_REQUEST_SIZE",
    "RABBITMQ_ANSWER_WITHOUT_UUID",
    "RABBITMQ_TRACEBACKS",
    "RABBITMQ_MANAGEMENT_URL",
    "RABBITMQ_ALEPH_VIRTUALHOST",
    "RABBITMQ_ALEPH_EXCHANGE",
    "RABBITMQ_ALEPH_INPUT_QUEUE",
    "RABBITMQ_ALEPH_OUTPUT_QUEUE",
    "RABBITMQ_ALEPH_DAEMON_QUEUE",
    "RABBITMQ_ALEPH_INPUT_KEY",
    "RABBITMQ_ALEPH_PREFETCH",
    "RABBITMQ_GREETER_VIRTUALHOST",
    "RABBITMQ_GREETER_OUTPUT_KEY",
    "RABBITMQ_",
];

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        select(vec![
            "",
            " ",
            "amqps",
            "AMQP",
            "-1",
            "1e9",
            "NaN",
            "inf",
            "65536",
            "0",
            "0x10",
            "5672 ",
            "/no/such",
            "::1",
            "[::1]",
            "http://",
            "http://u:p@h/",
            "1e400",
            "١",
            "99999999999999999999",
            "\0",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        "[a-z]{250,300}",
    ];
    let leaf = prop_oneof![
        4 => text.prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        2 => (-10..70_000_i64).prop_map(Value::from),
        2 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((any::<String>(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn settings() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        9 => select(&KNOWN[..]).prop_map(str::to_owned),
        1 => "RABBITMQ_[A-Z_]{0,20}",
        1 => any::<String>(),
    ];
    vec((name, value()), 0..12).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn fuzz_any_bytes(bytes in vec(any::<u8>(), 0..400)) {
        let file = File::new(&bytes);
        match file.load() {
            Ok(settings) => drop(exercise(&settings)),
            Err(error) => prop_assert!(error.to_string().contains(&file.path()), "{error}"),
        }
    }

    /// A good file with one byte changed, or cut off.
    #[test]
    fn fuzz_damaged_files(settings in settings(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = Value::Object(settings).to_string().into_bytes();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        let file = File::new(&bytes);
        match file.load() {
            Ok(settings) => drop(exercise(&settings)),
            Err(error) => prop_assert!(error.to_string().contains(&file.path()), "{error}"),
        }
    }

    #[test]
    fn fuzz_any_values_of_known_constants(mut members in settings()) {
        const PASSWORD: &str = "Tr0ub4dor&3";
        members.insert("RABBITMQ_USER_PASSWORD".to_owned(), json!(PASSWORD));
        let file = File::new(Value::Object(members.clone()).to_string().as_bytes());
        let settings = file.load().unwrap();
        let (errors, warnings) = exercise(&settings);
        for text in errors.iter().chain(&warnings) {
            prop_assert!(!text.contains(PASSWORD), "{text}");
        }
        // What is refused names the constant, and the file that it stands in.
        for error in errors {
            let named = members.keys().filter(|name| error.contains(name.as_str()) && name.len() > "RABBITMQ_".len());
            prop_assert!(named.count() > 0 || error.contains("_INPUT_") && error.contains("_OUTPUT_"), "{error}");
            let same = error.contains("are both");
            prop_assert!(same || error.contains(&file.path()), "{error}");
        }
    }
}
