//! How long frames may be: towards the broker, and towards the client library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::stash::Stash;

/// The longest frame we propose to the broker, in bytes: RabbitMQ's default, so that whatever fits into a publisher's frame
/// fits into ours.
const FRAME_MAX: u32 = 131_072;
/// The longest frame of a library in little room, in bytes.
pub(super) const SMALL: u32 = 8 * 1024;
/// The least that AMQP has everybody take.
const FRAME_MIN: u32 = 4096;
/// How much room the client library has.
#[derive(Clone, Debug)]
pub(crate) enum Room {
    /// For whatever frames are agreed with the broker.
    Whole,
    /// For frames of 8 KiB. Properties that do not fit are stashed, or lost if there is no stash.
    Small(Option<Stash>),
}

impl Room {
    /// What the library is to be told of the longest frame. Told beforehand, it takes memory for its buffers only as they
    /// fill.
    pub(crate) fn frame_max(&self) -> u32 {
        match self {
            Self::Whole => FRAME_MAX,
            Self::Small(_) => SMALL,
        }
    }
}

/// The longest frame agreed with the broker, in bytes, as soon as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Agreed(Arc<AtomicU32>);

impl Default for Agreed {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(FRAME_MAX)))
    }
}

impl Agreed {
    pub(crate) fn frame_max(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// The broker has proposed this many bytes.
    pub(super) fn tuned(&self, proposal: u32) {
        // None is "no limit".
        if proposal > 0 {
            self.0.fetch_min(proposal.max(FRAME_MIN), Ordering::Relaxed);
        }
    }
}
