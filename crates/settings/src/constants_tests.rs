use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

use std::time::Duration;

use super::*;

static DECLARATION: Declaration = Declaration {
    submodule: "aleph",
    settings: &[
        Setting::text("ALEPH_URL", "http://aleph.nkp.cz", "the catalogue").may_hold_login(),
        Setting::integer("ALEPH_LIMIT", 30, 1..=100, "records"),
        Setting::seconds("ALEPH_DELAY", 0.5, 0.0..=9.0, "between requests"),
        Setting::any_text("ALEPH_PASSWORD", "", "password").secret(),
        Setting::optional_path("LOG", "", "a file"),
        Setting::flag("USE_IT", true, "whether it is used"),
        Setting::list("NETS", "networks"),
        Setting::word("MODE", "auto", &["auto", "off"], "what is done"),
        Setting::mode("RIGHTS", "0660", "of files"),
    ],
};

/// A home and an `/etc` in a directory that goes away with the test.
struct World {
    _directory: TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            home: Some(directory.path().join("home")),
            etc: directory.path().join("etc"),
            ..Sources::none()
        };
        World {
            _directory: directory,
            sources,
        }
    }

    fn write(base: &Path, text: &str) -> PathBuf {
        let path = base.join("edeposit/aleph.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn home(&self, text: &str) -> PathBuf {
        Self::write(self.sources.home.as_ref().unwrap(), text)
    }

    fn etc(&self, text: &str) -> PathBuf {
        Self::write(&self.sources.etc, text)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.into(), value.into());
        self
    }

    fn load(&self) -> Result<Constants, Error> {
        Constants::load(Names::Own(&DECLARATION), &self.sources)
    }
}

/// The constants after reading a file with this text, and the file.
fn read(text: &str) -> (Constants, PathBuf) {
    let world = World::new();
    let path = world.home(text);
    (world.load().unwrap(), path)
}

/// The one warning that a file of this text draws, its path written as `F`.
fn warning(text: &str) -> String {
    let (constants, path) = read(text);
    let [warning] = constants.warnings() else {
        panic!("{:?}", constants.warnings());
    };
    warning.replace(&path.display().to_string(), "F")
}

#[test]
fn without_files_the_defaults_hold() {
    let constants = World::new().load().unwrap();
    assert_eq!(constants.get("ALEPH_URL"), Some("http://aleph.nkp.cz"));
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("30"));
    assert_eq!(constants.get("ALEPH_DELAY"), Some("0.5"));
    assert_eq!(constants.get("NOPE"), None);
    assert_eq!(constants.source().to_string(), "the defaults");
    assert!(constants.warnings().is_empty());
}

#[test]
fn home_comes_before_etc_and_they_are_never_merged() {
    let world = World::new();
    let etc = world.etc(r#"{"ALEPH_LIMIT": 5, "ALEPH_URL": "http://etc"}"#);
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("5"));
    assert_eq!(constants.file(), Some(etc.as_path()));

    let home = world.home(r#"{"ALEPH_LIMIT": 6}"#);
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("6"));
    assert_eq!(constants.get("ALEPH_URL"), Some("http://aleph.nkp.cz"));
    assert_eq!(constants.source(), Origin::File(home));
}

#[test]
fn without_home_etc_is_read() {
    let mut world = World::new();
    world.home(r#"{"ALEPH_LIMIT": 6}"#);
    world.etc(r#"{"ALEPH_LIMIT": 5}"#);
    world.sources.home = None;
    assert_eq!(world.load().unwrap().get("ALEPH_LIMIT"), Some("5"));
}

#[test]
fn an_explicit_file_replaces_the_search_and_must_exist() {
    let mut world = World::new();
    let etc = world.etc(r#"{"ALEPH_LIMIT": 5}"#);
    world.home(r#"{"ALEPH_LIMIT": 6}"#);
    world.sources.explicit = Some(etc);
    assert_eq!(world.load().unwrap().get("ALEPH_LIMIT"), Some("5"));

    world.sources.explicit = Some("/nonexistent/aleph.json".into());
    assert_eq!(
        world.load().unwrap_err().to_string(),
        "settings file /nonexistent/aleph.json does not exist"
    );
}

#[test]
fn a_directory_cannot_be_read() {
    let mut world = World::new();
    let directory = world.sources.etc.join("edeposit/aleph.json");
    fs::create_dir_all(&directory).unwrap();
    world.sources.home = None;
    let error = world.load().unwrap_err();
    assert!(
        matches!(&error, Error::Read { path, .. } if *path == directory),
        "{error}"
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let world = World::new()
        .env("ALEPH_LIMIT", "7")
        .env("ALEPH_LIMITS", "8")
        .env("SETTINGS_PATH", "/x");
    world.home(r#"{"ALEPH_LIMIT": 6, "ALEPH_DELAY": 1.5}"#);
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("7"));
    assert_eq!(constants.get("ALEPH_DELAY"), Some("1.5"));
    assert_eq!(constants.origin("ALEPH_LIMIT"), Some(&Origin::Environment));
    // Other names of the environment are nobody's mistake.
    assert!(constants.warnings().is_empty());
}

#[test]
fn an_environment_variable_that_is_no_text_is_reported() {
    use std::os::unix::ffi::OsStringExt;
    let mut world = World::new();
    let bytes = std::ffi::OsString::from_vec(vec![0xff]);
    world.sources.env.insert("ALEPH_URL".into(), bytes);
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_URL"), Some("http://aleph.nkp.cz"));
    assert_eq!(
        constants.warnings(),
        ["ALEPH_URL in the environment is ignored: \
          its value is no valid UTF-8, but must be a string or a number"]
    );
}

#[test]
fn strings_and_numbers_stand_for_each_other() {
    let (constants, _) = read(r#"{"ALEPH_URL": 12, "ALEPH_LIMIT": "20", "ALEPH_DELAY": 3}"#);
    assert_eq!(constants.get("ALEPH_URL"), Some("12"));
    assert_eq!(constants.integer("ALEPH_LIMIT", 1..=30).unwrap(), 20);
    assert_eq!(constants.float("ALEPH_DELAY").unwrap(), 3.0);
    assert!(constants.warnings().is_empty());

    let (constants, _) = read(r#"{"ALEPH_URL": "\u010de\u0161tina", "ALEPH_LIMIT": 20.0}"#);
    assert_eq!(constants.get("ALEPH_URL"), Some("čeština"));
    assert_eq!(constants.integer("ALEPH_LIMIT", 1..=30).unwrap(), 20);
}

#[test]
fn of_a_doubled_key_the_last_counts() {
    let (constants, _) = read(r#"{"ALEPH_LIMIT": 1, "ALEPH_LIMIT": 2}"#);
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("2"));
}

#[test]
fn what_cannot_be_used_is_ignored_with_a_warning() {
    let ignored = |value: &str| {
        let text = format!(r#"{{"ALEPH_LIMIT": {value}}}"#);
        assert_eq!(read(&text).0.get("ALEPH_LIMIT"), Some("30"), "{value}");
        warning(&text)
    };
    let must = "but must be a string or a number";
    for (value, kind) in [
        ("true", "a boolean (write 1 or 0)"),
        ("false", "a boolean (write 1 or 0)"),
        ("null", "null"),
        ("[1]", "an array"),
        ("{\"a\": 1}", "an object"),
        ("9223372036854775808", "an integer beyond 64 bits"),
        ("-99999999999999999999999", "an integer beyond 64 bits"),
        (r#""\ud800""#, "a string that is no valid Unicode"),
    ] {
        assert_eq!(
            ignored(value),
            format!("ALEPH_LIMIT in F is ignored: its value is {kind}, {must}")
        );
    }
    let (constants, _) = read(r#"{"ALEPH_LIMIT": 9223372036854775807, "ALEPH_DELAY": 1e30}"#);
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("9223372036854775807"));
    assert_eq!(constants.float("ALEPH_DELAY").unwrap(), 1e30);
}

#[test]
fn unknown_names_are_ignored_with_a_warning() {
    assert_eq!(
        warning(r#"{"ALEPH_LIMTI": 1}"#),
        "ALEPH_LIMTI in F is ignored: unknown name, did you mean ALEPH_LIMIT?"
    );
    assert_eq!(
        warning(r#"{"SOMETHING": 1}"#),
        "SOMETHING in F is ignored: unknown name"
    );
    assert_eq!(
        warning(r#"{"_ALEPH_LIMIT": 1}"#),
        "_ALEPH_LIMIT in F is ignored: names with a leading '_' are no settings"
    );
    assert_eq!(
        warning(r#"{"SETTINGS_PATH": "/x"}"#),
        "SETTINGS_PATH in F is ignored: it cannot be set there"
    );
}

#[test]
fn a_file_without_an_object_is_ignored_with_a_warning() {
    for text in ["[1, 2]", "12", " \"x\"", "null"] {
        assert_eq!(warning(text), "F is ignored: it holds no JSON object");
    }
}

#[test]
fn broken_json_is_an_error_with_line_and_column() {
    let error = |text: &str| {
        let world = World::new();
        let path = world.home(text).display().to_string();
        world.load().unwrap_err().to_string().replace(&path, "F")
    };
    assert_eq!(
        error("{\n  \"ALEPH_LIMIT\": 1,\n}"),
        "F, line 3, column 1: no valid JSON: trailing comma"
    );
    assert_eq!(
        error("{\n  \"ALEPH_LIMIT\": 'x'}"),
        "F, line 2, column 18: no valid JSON: expected value"
    );
    assert!(error("").starts_with("F, line 1, column 0: no valid JSON: EOF"));
    assert!(error("{} {}").starts_with("F, line 1, column 4: no valid JSON: trailing characters"));
}

#[test]
fn getters_name_constant_place_and_value() {
    let (constants, path) = read(
        r#"{"ALEPH_URL": "abc", "ALEPH_LIMIT": "70000", "ALEPH_DELAY": "nan", "ALEPH_PASSWORD": ""}"#,
    );
    let text = |error: Error| error.to_string().replace(&path.display().to_string(), "F");
    for port in ["ALEPH_URL", "ALEPH_LIMIT", "ALEPH_DELAY"] {
        assert!(constants.port(port).is_err(), "{port}");
    }
    assert_eq!(
        text(constants.port("ALEPH_URL").unwrap_err()),
        "ALEPH_URL in F: 'abc' is no port number (1-65535)"
    );
    assert_eq!(
        text(constants.integer("ALEPH_LIMIT", 1..=100).unwrap_err()),
        "ALEPH_LIMIT in F: '70000' is no whole number from 1 to 100"
    );
    assert_eq!(
        text(constants.seconds("ALEPH_LIMIT", 0.1..=3600.0).unwrap_err()),
        "ALEPH_LIMIT in F: '70000' is no number of seconds from 0.1 to 3600"
    );
    assert_eq!(
        text(constants.float("ALEPH_DELAY").unwrap_err()),
        "ALEPH_DELAY in F: 'nan' is no number"
    );
    assert_eq!(
        text(constants.flag("ALEPH_LIMIT").unwrap_err()),
        "ALEPH_LIMIT in F: '70000' is neither 0 nor 1"
    );
    assert_eq!(
        text(constants.path("ALEPH_URL").unwrap_err()),
        "ALEPH_URL in F: 'abc' is no absolute path"
    );
    assert_eq!(
        text(constants.text("ALEPH_PASSWORD").unwrap_err()),
        "ALEPH_PASSWORD in F: it is empty"
    );
    assert_eq!(
        constants.text("X").unwrap_err().to_string(),
        "there is no constant X"
    );
}

#[test]
fn getters_read_good_values() {
    let (constants, _) = read(
        r#"{"ALEPH_URL": "/etc/x", "ALEPH_LIMIT": " 2222 ", "ALEPH_DELAY": 1, "ALEPH_PASSWORD": ""}"#,
    );
    assert_eq!(constants.port("ALEPH_LIMIT").unwrap(), 2222);
    assert!(constants.flag("ALEPH_DELAY").unwrap());
    assert_eq!(
        constants.seconds("ALEPH_DELAY", 0.0..=9.0).unwrap(),
        Duration::from_secs(1)
    );
    assert_eq!(constants.path("ALEPH_URL").unwrap(), Some("/etc/x".into()));
    assert_eq!(constants.path("ALEPH_PASSWORD").unwrap(), None);
    for port in ["0", "65536", "-1", "5672.5"] {
        let (constants, _) = read(&format!(r#"{{"ALEPH_LIMIT": {port}}}"#));
        assert!(constants.port("ALEPH_LIMIT").is_err(), "{port}");
    }
}

#[test]
fn passwords_are_never_shown() {
    let (constants, _) =
        read(r#"{"ALEPH_PASSWORD": "hunter2", "ALEPH_URL": "http://u:hunter2@h"}"#);
    assert!(!format!("{constants:?}").contains("hunter2"));
    assert!(format!("{constants:?}").contains(r#""ALEPH_LIMIT": "30""#));
    let error = constants.port("ALEPH_PASSWORD").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    assert_eq!(constants.get("ALEPH_PASSWORD"), Some("hunter2"));
}

#[test]
fn a_file_that_is_open_to_others_draws_a_warning() {
    let world = World::new();
    let warnings = |text: &str, mode: u32| {
        let path = world.home(text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let constants = world.load().unwrap();
        let path = path.display().to_string();
        constants.warnings().join("\n").replace(&path, "F")
    };
    let password = r#"{"ALEPH_PASSWORD": "x"}"#;
    assert_eq!(warnings(password, 0o600), "");
    for mode in [0o640, 0o604] {
        assert_eq!(
            warnings(password, mode),
            "F holds a password and other users can read it: run chmod 600 F"
        );
    }
    assert_eq!(
        warnings(password, 0o666),
        "F holds a password and other users can read and change it: run chmod 600 F"
    );
    let changed = "F can be changed by other users: run chmod ";
    assert_eq!(warnings(password, 0o622), format!("{changed}600 F"));
    // Whoever can change it can send the password of the environment to a server of his own.
    let no_password = r#"{"ALEPH_LIMIT": 1}"#;
    assert_eq!(warnings(no_password, 0o644), "");
    for mode in [0o664, 0o602] {
        assert_eq!(warnings(no_password, mode), format!("{changed}go-w F"));
    }
}

#[test]
fn a_place_that_cannot_be_looked_at_is_passed_over_with_a_warning() {
    let world = World::new();
    world.etc(r#"{"ALEPH_LIMIT": 7}"#);
    let home = world.sources.home.clone().unwrap();
    // Nobody, not even root, gets through a link to itself.
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::symlink("edeposit", home.join("edeposit")).unwrap();
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("7"));
    let [warning] = constants.warnings() else {
        panic!("{:?}", constants.warnings());
    };
    let path = home.join("edeposit/aleph.json");
    let begin = format!(
        "cannot look whether there is a {}, going on without it: ",
        path.display()
    );
    assert!(warning.starts_with(&begin), "{warning}");

    // No directory at all: nothing can be there.
    fs::remove_dir_all(&home).unwrap();
    fs::write(&home, "").unwrap();
    assert!(world.load().unwrap().warnings().is_empty());
}

#[test]
fn substitute_globals_follows_the_rules_of_files() {
    let mut constants = World::new().env("ALEPH_LIMIT", "7").load().unwrap();
    let values =
        json!({"ALEPH_LIMIT": 8, "ALEPH_URL": true, "ALEPH_DELAY": 18446744073709551615u64});
    constants.substitute_globals(values.as_object().unwrap());
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("8"));
    assert_eq!(constants.get("ALEPH_DELAY"), Some("0.5"));
    assert_eq!(constants.warnings().len(), 2);
    assert!(constants.warnings()[0].starts_with("ALEPH_URL in the program is ignored"));
}

#[test]
fn get_all_constants_has_the_settings_path_too() {
    let constants = World::new().load().unwrap();
    assert_eq!(
        constants.get_all_constants(),
        [
            "ALEPH_URL",
            "ALEPH_LIMIT",
            "ALEPH_DELAY",
            "ALEPH_PASSWORD",
            "SETTINGS_PATH"
        ]
    );
    assert_eq!(constants.get("SETTINGS_PATH"), Some("/edeposit/aleph.json"));
}

#[test]
fn flags_and_lists_of_a_table_may_be_json_of_their_own_type() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("edeposit");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("f.json");
    let table = [
        ("USE_IT", Default::Flag(true)),
        ("NETS", Default::List),
        ("LIMIT", Default::Integer(3)),
    ];
    let mut sources = Sources::none();
    sources.home = Some(home.path().to_path_buf());
    let load = |json: &str| {
        std::fs::write(&file, json).unwrap();
        Constants::load_sources("f.json", &table, &sources).unwrap()
    };
    let mut defaults = load("{}");
    assert!(defaults.flag("USE_IT").unwrap() && defaults.list("NETS").unwrap().is_empty());
    defaults.refuse_unusable().unwrap();
    let mut given = load(r#"{"USE_IT": false, "NETS": ["10.0.0.0/8", "::1/128"]}"#);
    assert!(!given.flag("USE_IT").unwrap());
    assert_eq!(given.list("NETS").unwrap(), ["10.0.0.0/8", "::1/128"]);
    given.refuse_unusable().unwrap();
    let text = load(r#"{"USE_IT": 0, "NETS": "a, b"}"#);
    assert!(!text.flag("USE_IT").unwrap());
    assert_eq!(text.list("NETS").unwrap(), ["a", "b"]);
    for json in [
        r#"{"USE_IT": []}"#,
        r#"{"NETS": [1]}"#,
        r#"{"NETS": true}"#,
        r#"{"LIMIT": true}"#,
    ] {
        let mut wrong = load(json);
        assert_eq!(wrong.warnings().len(), 1, "{json}");
        assert!(wrong.refuse_unusable().is_err(), "{json}");
    }
}
