//! Every message the original put on the wire is read, and written again as the same JSON.

use edeposit_calibre::messages::{ConversionRequest, ConversionResponse};
use edeposit_testkit::wire::{again, check_recorded};

#[test]
fn all_recorded_messages() {
    check_recorded("calibre", 4, |kind| match kind {
        "ConversionRequest" => Some(again::<ConversionRequest>),
        "ConversionResponse" => Some(again::<ConversionResponse>),
        _ => None,
    });
}
