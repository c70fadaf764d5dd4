//! The settings are as they are declared, and documented as they are declared.

use edeposit_ftp::Settings;

#[test]
fn settings() {
    edeposit_testkit::settings::check::<Settings>("ftp_managerd.md");
}
