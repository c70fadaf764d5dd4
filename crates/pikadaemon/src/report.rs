//! What a running daemon has to say about itself.

/// A change in how a daemon stands with the broker, or a sign that nothing has changed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// Deliveries arrive: set up for the first time or again.
    Consuming,
    /// The broker has just answered on the channel that consumes: the queue is there and is consumed.
    Alive,
    /// The broker takes no messages for now: it is short of memory or disk. Consuming goes on.
    Blocked {
        /// The broker's words.
        reason: &'a str,
    },
    /// The broker takes messages again.
    Unblocked,
    /// There is no session; the next try comes by itself.
    Waiting {
        /// Why.
        reason: &'a str,
    },
    /// Told to stop: finishing what is in hand.
    Draining,
}
