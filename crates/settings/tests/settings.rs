//! The general constants are documented as they are declared.

use edeposit_settings::Settings;

#[test]
fn general_constants() {
    edeposit_testkit::settings::check_table("operations.md", &Settings::table());
}
