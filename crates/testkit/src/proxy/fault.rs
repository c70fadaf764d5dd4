//! What can be done to a connection, and in which direction.

/// A direction, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the broker.
    Up,
    /// From the broker to the client.
    Down,
    /// Both directions.
    Both,
}

impl Way {
    pub(super) fn covers(self, one: Way) -> bool {
        self == Way::Both || self == one
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In an orderly way: both sides read an end of file.
    Fin,
    /// Both sides get "connection reset by peer".
    Reset,
}

/// What becomes of the bytes in a black hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// They wait, and arrive when it is healed: a network that was away for a while.
    Hold,
    /// They are gone. After healing, the stream continues somewhere in its middle, which no network does, but broken
    /// middle boxes do.
    Swallow,
}

/// How new connections are turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing listens: connecting fails with "connection refused".
    Closed,
    /// The connection is accepted and reset at once.
    Reset,
}
