//! The ways answers come back.

/// How a client gets its answers.
///
/// The original's Python callers read the submodule's output queue, all of them the same one. Two such programs take each
/// other's answers, so a client never does that; it leaves that queue to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// Requests with a routing key of one's own, `NAME.request`: the daemon answers to the submodule's exchange with
    /// `NAME.result`, into the queue `edeposit-client-NAME`. Works with every daemon, the original's too.
    ///
    /// Declares that queue, and binds the daemon's input queue to `*.request`, which stays bound. The user needs the rights
    /// for both.
    #[default]
    SharedExchange,
    /// AMQP's `reply_to` with the same kind of queue. Needs no binding, but a daemon that honours it: the original does not.
    ReplyTo,
    /// AMQP's direct reply-to: no queue at all, the least work for the broker. Answers are lost with the connection, so all
    /// calls in flight fail then. For daemons that honour `reply_to`.
    Direct,
}
