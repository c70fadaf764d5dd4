use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::TempDir;

use std::time::Duration;

use super::*;
use crate::Declaration;

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
        Setting::any_text("OLD", "", "nothing needs it").unused(),
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
        .env("EDEPOSIT_ALEPH_ALEPH_LIMIT", "7")
        .env("ALEPH_DELAY", "soon")
        .env("EDEPOSIT_ALEPH_LINK_EXPORT_ALEPH_LIMIT", "8")
        .env("EDEPOSIT_ALEPHS_ALEPH_LIMIT", "8")
        .env("SETTINGS_PATH", "/x");
    world.home(r#"{"ALEPH_LIMIT": 6, "ALEPH_DELAY": 1.5}"#);
    let constants = world.load().unwrap();
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("7"));
    assert_eq!(constants.get("ALEPH_DELAY"), Some("1.5"));
    let variable = Origin::Environment("EDEPOSIT_ALEPH_ALEPH_LIMIT".into());
    assert_eq!(constants.origin("ALEPH_LIMIT"), Some(&variable));
    // Other names of the environment are nobody's mistake.
    assert!(constants.warnings().is_empty());
}

#[test]
fn unknown_variables_are_warned_of() {
    let warnings = |name: &str| {
        let constants = World::new().env(name, "1").load().unwrap();
        constants.warnings().join("\n")
    };
    assert_eq!(
        warnings("EDEPOSIT_ALEPH_ALEPH_LIMTI"),
        "ALEPH_LIMTI in the environment is ignored: unknown name, did you mean EDEPOSIT_ALEPH_ALEPH_LIMIT?"
            .replace("ALEPH_LIMTI", "EDEPOSIT_ALEPH_ALEPH_LIMTI")
    );
    assert_eq!(
        warnings("EDEPOSIT_ALEPH_"),
        "EDEPOSIT_ALEPH_ in the environment is ignored: unknown name"
    );
    assert_eq!(
        warnings("EDEPOSIT_ALEPH_SETTINGS_PATH"),
        "EDEPOSIT_ALEPH_SETTINGS_PATH in the environment is ignored: it cannot be set there"
    );
}

#[test]
fn an_environment_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let mut world = World::new();
    let bytes = std::ffi::OsString::from_vec(vec![0xff]);
    let variable = "EDEPOSIT_ALEPH_ALEPH_URL".to_owned();
    world.sources.env.insert(variable, bytes);
    assert_eq!(
        world.load().unwrap_err().to_string(),
        "EDEPOSIT_ALEPH_ALEPH_URL in the environment: a text that is no valid UTF-8 cannot be used, it takes text"
    );
}

#[test]
fn strings_and_numbers_stand_for_each_other() {
    let (constants, _) = read(r#"{"ALEPH_URL": 12, "ALEPH_LIMIT": "20", "ALEPH_DELAY": 3}"#);
    assert_eq!(constants.get("ALEPH_URL"), Some("12"));
    assert_eq!(constants.integer::<u8>("ALEPH_LIMIT").unwrap(), 20);
    assert_eq!(
        constants.seconds("ALEPH_DELAY").unwrap(),
        Duration::from_secs(3)
    );
    assert!(constants.warnings().is_empty());

    let (constants, _) = read(r#"{"ALEPH_URL": "\u010de\u0161tina", "ALEPH_LIMIT": 20.0}"#);
    assert_eq!(constants.get("ALEPH_URL"), Some("čeština"));
    assert_eq!(constants.integer::<u8>("ALEPH_LIMIT").unwrap(), 20);
}

#[test]
fn of_a_doubled_key_the_last_counts() {
    let (constants, _) = read(r#"{"ALEPH_LIMIT": 1, "ALEPH_LIMIT": 2}"#);
    assert_eq!(constants.get("ALEPH_LIMIT"), Some("2"));
}

/// What is said of a file with this value, its path written as `F`.
fn refusal(name: &str, value: &str) -> String {
    let world = World::new();
    let path = world.home(&format!(r#"{{"{name}": {value}}}"#));
    let error = world.load().unwrap_err().to_string();
    error.replace(&path.display().to_string(), "F")
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (value, kind) in [
        ("true", "a boolean"),
        ("null", "null"),
        ("[1]", "an array"),
        (r#"["1"]"#, "an array"),
        ("{\"a\": 1}", "an object"),
        ("9223372036854775808", "an integer beyond 64 bits"),
        ("-99999999999999999999999", "an integer beyond 64 bits"),
        (r#""\ud800""#, "a string that is no valid Unicode"),
        ("0", "'0'"),
        ("101", "'101'"),
        ("1.5", "'1.5'"),
        (r#""many""#, "'many'"),
        (r#""a\nb""#, r"'a\nb'"),
    ] {
        assert_eq!(
            refusal("ALEPH_LIMIT", value),
            format!(
                "ALEPH_LIMIT in F: {kind} cannot be used, it takes whole numbers from 1 to 100"
            )
        );
    }
    for (name, value, takes) in [
        ("ALEPH_URL", "null", "text"),
        ("ALEPH_DELAY", "9.5", "seconds from 0 to 9"),
        ("ALEPH_DELAY", r#""nan""#, "seconds from 0 to 9"),
        ("LOG", r#""a.log""#, "absolute paths, or nothing"),
        ("USE_IT", r#""maybe""#, "true or false"),
        ("USE_IT", "2", "true or false"),
        ("NETS", "[1]", "lists of texts"),
        ("NETS", "true", "lists of texts"),
        ("NETS", r#"["a b"]"#, "lists of texts"),
        ("MODE", r#""on""#, "one of auto, off"),
        ("RIGHTS", r#""0888""#, "octal digits in a string"),
        ("RIGHTS", r#""77777""#, "octal digits in a string"),
    ] {
        let refusal = refusal(name, value);
        let begin = format!("{name} in F: ");
        let end = format!(" cannot be used, it takes {takes}");
        assert!(
            refusal.starts_with(&begin) && refusal.ends_with(&end),
            "{refusal}"
        );
    }
    assert_eq!(
        refusal("ALEPH_URL", r#""""#),
        "ALEPH_URL in F: it is empty; it takes text"
    );
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
    let long = format!(r#"{{"{}": 1}}"#, "ALEPH_\\n".repeat(40_000));
    assert!(warning(&long).len() < 400, "{}", warning(&long));
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
fn a_file_without_an_object_is_refused() {
    for text in ["[1, 2]", "12", " \"x\"", "null"] {
        let world = World::new();
        let path = world.home(text).display().to_string();
        assert_eq!(
            world.load().unwrap_err().to_string().replace(&path, "F"),
            r#"F holds no JSON object; write {"NAME": value, ...}"#
        );
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
fn getters_read_good_values() {
    let (constants, _) = read(
        r#"{"ALEPH_URL": "x", "ALEPH_LIMIT": " 22 ", "ALEPH_DELAY": 1, "ALEPH_PASSWORD": "", "LOG": "/etc/x",
            "USE_IT": false, "NETS": ["10.0.0.0/8", "::1/128"], "MODE": "off", "RIGHTS": "2750"}"#,
    );
    assert_eq!(constants.text("ALEPH_URL").unwrap(), "x");
    assert_eq!(constants.text("ALEPH_PASSWORD").unwrap(), "");
    assert_eq!(constants.text("MODE").unwrap(), "off");
    assert_eq!(constants.integer::<u64>("ALEPH_LIMIT").unwrap(), 22);
    assert_eq!(
        constants.seconds("ALEPH_DELAY").unwrap(),
        Duration::from_secs(1)
    );
    assert_eq!(constants.path("LOG").unwrap(), Path::new("/etc/x"));
    assert!(!constants.flag("USE_IT").unwrap());
    assert_eq!(constants.list("NETS").unwrap(), ["10.0.0.0/8", "::1/128"]);
    assert_eq!(constants.mode("RIGHTS").unwrap(), 0o2750);
    assert!(constants.warnings().is_empty());

    let (constants, _) = read(r#"{"USE_IT": 0, "NETS": "a, b c"}"#);
    assert!(!constants.flag("USE_IT").unwrap());
    assert_eq!(constants.list("NETS").unwrap(), ["a", "b", "c"]);
    assert_eq!(constants.optional_path("LOG").unwrap(), None);
    assert_eq!(
        constants.path("LOG").unwrap_err().to_string(),
        "LOG in the defaults: it is empty"
    );
    assert_eq!(
        constants.text("X").unwrap_err().to_string(),
        "there is no constant X"
    );
    // What the program has no room for is an error too.
    let (constants, _) = read(r#"{"ALEPH_LIMIT": 100}"#);
    assert!(constants.integer::<i8>("ALEPH_LIMIT").is_ok());
    assert!(constants.integer::<u8>("ALEPH_URL").is_err());
}

#[test]
fn passwords_are_never_shown() {
    let (constants, _) =
        read(r#"{"ALEPH_PASSWORD": "hunter2", "ALEPH_URL": "http://u:hunter2@h"}"#);
    assert!(!format!("{constants:?}").contains("hunter2"));
    assert!(format!("{constants:?}").contains(r#""ALEPH_LIMIT": "30""#));
    let error = constants.integer::<u8>("ALEPH_PASSWORD").unwrap_err();
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
fn get_all_constants_has_the_settings_path_too() {
    let constants = World::new().load().unwrap();
    assert_eq!(
        constants.get_all_constants(),
        [
            "ALEPH_URL",
            "ALEPH_LIMIT",
            "ALEPH_DELAY",
            "ALEPH_PASSWORD",
            "LOG",
            "USE_IT",
            "NETS",
            "MODE",
            "RIGHTS",
            "OLD",
            "SETTINGS_PATH"
        ]
    );
    assert_eq!(constants.get("SETTINGS_PATH"), Some("/edeposit/aleph.json"));
}

#[test]
fn effective_values_tell_where_they_come_from_and_no_secret() {
    let world = World::new().env("EDEPOSIT_ALEPH_ALEPH_LIMIT", "7");
    let path = world.home(r#"{"ALEPH_PASSWORD": "hunter2", "ALEPH_URL": "http://u:hunter2@h"}"#);
    let effective = world.load().unwrap().effective();
    assert_eq!(effective.len(), DECLARATION.settings.len() - 1);
    let file = path.display().to_string();
    let json = serde_json::to_value(&effective).unwrap();
    assert_eq!(
        json[0],
        json!({"name": "ALEPH_URL", "value": "***", "origin": file, "unit": "", "meaning": "the catalogue"})
    );
    assert_eq!(json[1]["value"], "7");
    assert_eq!(
        json[1]["origin"],
        "the environment variable EDEPOSIT_ALEPH_ALEPH_LIMIT"
    );
    assert_eq!(json[2]["unit"], "seconds");
    assert_eq!(json[2]["origin"], "the defaults");
    assert_eq!(json[3]["value"], "***");
    assert_eq!(json[4]["value"], "");
    assert!(!json.to_string().contains("hunter2"));
}

#[test]
fn the_table_of_the_documentation() {
    let table = DECLARATION.table();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("| name | default | takes | meaning |"));
    assert_eq!(lines.next(), Some("|---|---|---|---|"));
    assert_eq!(
        lines.nth(1),
        Some("| `ALEPH_LIMIT` | `30` | whole numbers from 1 to 100 | records |")
    );
    assert_eq!(
        lines.next_back(),
        Some("| `OLD` |  | text, or nothing | accepted, without effect: nothing needs it |")
    );
    assert_eq!(lines.count(), DECLARATION.settings.len() - 3);
}
