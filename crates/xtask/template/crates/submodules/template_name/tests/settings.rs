//! The settings are as they are declared, and documented as they are declared.

use edeposit_template_name::Settings;

#[test]
fn settings() {
    edeposit_testkit::settings::check::<Settings>("template_name.md");
}
