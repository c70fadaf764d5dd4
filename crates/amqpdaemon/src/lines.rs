//! Log lines that one fault may cause for every request.

use tracing::{error, info, warn};

use crate::throttle::{PAUSE, Throttle};

/// A throttle for each such line: the first of each reason is logged, further ones are counted and told as a number.
pub(crate) struct Lines {
    pub(crate) parked: Throttle,
    pub(crate) kept: Throttle,
    pub(crate) lost: Throttle,
    pub(crate) without_uuid: Throttle,
    pub(crate) known: Throttle,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            parked: Throttle::new(|more| {
                error!(
                    parent: None,
                    "{more} more answers were parked in the last {} s",
                    PAUSE.as_secs()
                );
            }),
            kept: Throttle::new(|more| {
                error!(
                    parent: None,
                    "{more} more answers could not be parked in the last {} s; their requests are kept",
                    PAUSE.as_secs()
                );
            }),
            lost: Throttle::new(|more| {
                error!(
                    parent: None,
                    "{more} more answers were lost in the last {} s",
                    PAUSE.as_secs()
                );
            }),
            without_uuid: Throttle::new(|more| {
                warn!(
                    parent: None,
                    "{more} more requests without a usable header UUID came in the last {} s",
                    PAUSE.as_secs()
                );
            }),
            known: Throttle::new(|more| {
                info!(
                    parent: None,
                    "{more} more requests were delivered again and not carried out again in the last {} s",
                    PAUSE.as_secs()
                );
            }),
        }
    }
}
