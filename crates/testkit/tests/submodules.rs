//! What every submodule has.

use std::fs;
use std::path::Path;

/// Who declares settings has them checked, and compared with the documentation.
#[test]
fn settings_are_checked() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../submodules");
    let mut checked = 0;
    for entry in fs::read_dir(crates).unwrap() {
        let path = entry.unwrap().path();
        if path.join("src/settings.rs").exists() {
            let test = path.join("tests/settings.rs");
            let text = fs::read_to_string(&test).unwrap_or_default();
            assert!(
                text.contains("edeposit_testkit::settings::check::<"),
                "{} does not call edeposit_testkit::settings::check",
                test.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
}
