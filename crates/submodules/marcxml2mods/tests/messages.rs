//! Every message the original put on the wire is read, and written again as the same JSON.

use edeposit_marcxml2mods::messages::{ConversionResponse, Request};
use edeposit_testkit::wire::{again, check_recorded};

#[test]
fn all_recorded_messages() {
    check_recorded("marcxml2mods", 4, |kind| match kind {
        "ConversionRequest" => Some(again::<Request>),
        "ConversionResponse" => Some(again::<ConversionResponse>),
        _ => None,
    });
}
