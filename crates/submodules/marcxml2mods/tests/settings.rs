//! The settings are as they are declared, and documented as they are declared.

use edeposit_marcxml2mods::Settings;

#[test]
fn settings() {
    edeposit_testkit::settings::check::<Settings>("marcxml2mods.md");
}
