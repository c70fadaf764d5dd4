//! The states of a daemon's session with the broker, and how one follows from another.
//!
//! Pure: [`State::next`] knows no sockets and no clock. Entering a state is what makes the supervisor in `daemon.rs` act.

/// What a daemon is doing with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Setting up a session: both connections, checks, consumer. `attempt` counts failures since the last stable session.
    Connecting {
        /// Failed tries before this one.
        attempt: u32,
    },
    /// Deliveries arrive and are answered.
    Consuming {
        /// Failed tries before this session.
        attempt: u32,
    },
    /// Waiting before the next try.
    BackingOff {
        /// Failed tries so far.
        attempt: u32,
    },
    /// Told to stop: nothing new is taken, what is in hand is finished.
    Draining,
    /// Nothing is left to do.
    Stopped,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session is set up and the broker knows our consumer.
    Ready,
    /// The session could not be set up.
    SetupFailed,
    /// The session is in doubt and has been torn down.
    Lost {
        /// Whether it had lasted long enough to count as good: then the back-off starts anew.
        stable: bool,
    },
    /// The back-off is over.
    WaitOver,
    /// The daemon is told to stop.
    Stop,
    /// Everything in hand is settled or given back.
    Drained,
}

impl State {
    /// The state at the start.
    pub const FIRST: Self = Self::Connecting { attempt: 0 };

    /// The state after `event`. An event that makes no sense in a state leaves it.
    #[must_use]
    pub fn next(self, event: Event) -> Self {
        match (self, event) {
            (Self::Connecting { attempt }, Event::Ready) => Self::Consuming { attempt },
            (Self::Connecting { attempt }, Event::SetupFailed) => Self::BackingOff {
                attempt: attempt.saturating_add(1),
            },
            (Self::Consuming { .. }, Event::Lost { stable: true }) => {
                Self::BackingOff { attempt: 0 }
            }
            (Self::Consuming { attempt }, Event::Lost { stable: false }) => Self::BackingOff {
                attempt: attempt.saturating_add(1),
            },
            (Self::BackingOff { attempt }, Event::WaitOver) => Self::Connecting { attempt },
            (Self::Consuming { .. }, Event::Stop) => Self::Draining,
            (Self::Connecting { .. } | Self::BackingOff { .. }, Event::Stop) => Self::Stopped,
            (Self::Draining, Event::Drained) => Self::Stopped,
            (state, _) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Event::{Drained, Lost, Ready, SetupFailed, Stop, WaitOver};
    use super::State::{BackingOff, Connecting, Consuming, Draining, Stopped};
    use super::*;

    #[test]
    fn every_transition() {
        let table = [
            (Connecting { attempt: 2 }, Ready, Consuming { attempt: 2 }),
            (
                Connecting { attempt: 2 },
                SetupFailed,
                BackingOff { attempt: 3 },
            ),
            (Connecting { attempt: 2 }, Stop, Stopped),
            (
                Consuming { attempt: 2 },
                Lost { stable: true },
                BackingOff { attempt: 0 },
            ),
            (
                Consuming { attempt: 2 },
                Lost { stable: false },
                BackingOff { attempt: 3 },
            ),
            (Consuming { attempt: 2 }, Stop, Draining),
            (
                BackingOff { attempt: 3 },
                WaitOver,
                Connecting { attempt: 3 },
            ),
            (BackingOff { attempt: 3 }, Stop, Stopped),
            (Draining, Drained, Stopped),
        ];
        let states = [
            Connecting { attempt: 2 },
            Consuming { attempt: 2 },
            BackingOff { attempt: 3 },
            Draining,
            Stopped,
        ];
        let events = [
            Ready,
            SetupFailed,
            Lost { stable: true },
            Lost { stable: false },
            WaitOver,
            Stop,
            Drained,
        ];
        for state in states {
            for event in events {
                let listed = table
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (state, event));
                let expected = listed.map_or(state, |(_, _, to)| *to);
                assert_eq!(state.next(event), expected, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn stopping_always_ends() {
        for state in [
            State::FIRST,
            Consuming { attempt: 9 },
            BackingOff { attempt: 9 },
            Draining,
        ] {
            assert_eq!(state.next(Stop).next(Drained), Stopped);
        }
    }
}
