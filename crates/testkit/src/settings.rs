//! What holds for the settings of every submodule, and for their table in its page of the documentation.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use edeposit_settings::{Declared, Error, OwnSettings, Sources};

/// Set to have the tables in the documentation written instead of compared.
const UPDATE: &str = "UPDATE_DOCS";

const BEGIN: &str = "<!-- settings: begin -->\n";
const END: &str = "<!-- settings: end -->\n";

/// Checks the settings of a submodule, whose page of the documentation is `docs/<page>`. To be called by a test of the
/// submodule's crate.
///
/// # Panics
/// Something does not hold. If it is the table in the page, the panic says how to write it anew.
pub fn check<S: Declared + Debug + PartialEq>(page: &str) {
    defaults_are_within_limits::<S>();
    bare_names_in_the_environment_mean_nothing::<S>();
    what_cannot_be_used_is_refused::<S>();
    check_table(page, &S::DECLARATION.table());
}

fn defaults_are_within_limits<S: Declared + Debug + PartialEq>() {
    let mut sources = Sources::none();
    for setting in S::DECLARATION.settings {
        let variable = S::DECLARATION.variable(setting.name);
        sources.env.insert(variable, setting.default_text().into());
        assert!(!setting.meaning.is_empty(), "{}", setting.name);
    }
    let set = S::load_sources(&sources).expect("what is a default can be set");
    assert_eq!(set, defaults());
}

/// Names like `TIMEOUT` are anybody's.
fn bare_names_in_the_environment_mean_nothing<S: Declared + Debug + PartialEq>() {
    let mut sources = Sources::none();
    for setting in S::DECLARATION.settings {
        let value = OsString::from("\u{7}no such value");
        sources.env.insert(setting.name.to_owned(), value);
    }
    let loaded = <S as OwnSettings>::read(&sources).expect("the environment is not asked");
    assert_eq!(loaded.settings, defaults());
    for constants in loaded.constants {
        assert_eq!(constants.warnings(), [""; 0]);
    }
}

/// Whether the submodule uses the setting or not.
fn what_cannot_be_used_is_refused<S: Declared + Debug + PartialEq>() {
    let home = tempfile::tempdir().expect("a directory");
    let directory = home.path().join("edeposit");
    let file = directory.join(S::DECLARATION.file_name());
    fs::create_dir(&directory).expect("a directory in it");
    let sources = Sources {
        home: Some(home.path().to_path_buf()),
        ..Sources::none()
    };
    for setting in S::DECLARATION.settings {
        let text = format!(r#"{{"{}": {{"no": "such value"}}}}"#, setting.name);
        fs::write(&file, text).expect("a settings file");
        let error = S::load_sources(&sources).expect_err(setting.name);
        assert!(matches!(error, Error::Value { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(setting.name), "{error}");
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains(&setting.takes()), "{error}");
    }
}

fn defaults<S: Declared>() -> S {
    S::load_sources(&Sources::none()).expect("without files the defaults hold")
}

/// Compares the table in `docs/<page>`, between its markers, with what it should be.
///
/// # Panics
/// It differs; the panic says how to write it anew. Or the page has no markers.
pub fn check_table(page: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    let text = fs::read_to_string(&path).expect("the page can be read");
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(END)?;
        Some((before, old, after))
    });
    let Some((before, old, after)) = parts else {
        panic!("docs/{page} has no place for the settings: write the lines {BEGIN}{END}into it");
    };
    // Blank lines, so that every reader of Markdown sees a table.
    let new = format!("\n{table}\n");
    if old == new {
        return;
    }
    assert!(
        std::env::var_os(UPDATE).is_some(),
        "the settings in docs/{page} are not as they are declared; to write them anew, run this test with {UPDATE}=1:\n\
         {UPDATE}=1 cargo test -p {} --test settings",
        std::env::var("CARGO_PKG_NAME").unwrap_or_default()
    );
    let text = [before, BEGIN, &new, END, after].concat();
    fs::write(&path, text).expect("the page can be written");
}
