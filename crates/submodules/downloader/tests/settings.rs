//! The settings are as they are declared, and documented as they are declared.

use edeposit_downloader::Settings;

#[test]
fn settings() {
    edeposit_testkit::settings::check::<Settings>("downloader.md");
}
