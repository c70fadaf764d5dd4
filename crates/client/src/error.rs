//! Why a call did not end in an answer, and what is known of its request.

use std::fmt;
use std::time::Duration;

use crate::Exception;

/// What is known of a request that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// It never left this process; sending it again is safe.
    NotSent,
    /// It was sent, but the broker has neither confirmed nor refused it: it may be carried out.
    Unknown,
    /// The broker has confirmed it: it is carried out, unless somebody empties the queue.
    Confirmed,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "the request was not sent",
            Self::Unknown => {
                "the request was sent, but whether RabbitMQ has it is not known, so it may be carried out"
            }
            Self::Confirmed => "RabbitMQ has confirmed the request, so it will be carried out",
        })
    }
}

/// Why a call failed, or why a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The daemon answered with an exception.
    #[error(transparent)]
    Exception(#[from] Exception),
    /// The deadline passed.
    #[error("no answer within {} s; {request}", .after.as_secs_f32())]
    TimedOut {
        /// The time given.
        after: Duration,
        /// What is known of the request.
        request: Request,
    },
    /// The connection was lost, or the client closed, in a way that leaves nothing to wait for.
    #[error("{reason}; {request}")]
    Lost {
        /// What happened.
        reason: String,
        /// What is known of the request.
        request: Request,
    },
    /// No queue takes messages with this key: the broker returned it.
    #[error(
        "exchange '{exchange}' has no queue for routing key '{routing_key}', so the message was returned; is the schema \
         created? (edeposit_amqp_tool --host {submodule} --create)"
    )]
    Unroutable {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// What the tool calls the submodule.
        submodule: String,
    },
    /// The broker would not take the message: the queue is full, or the user may not publish there.
    #[error("RabbitMQ did not take the message: {reason}")]
    Refused {
        /// The broker's words.
        reason: String,
    },
    /// The message is larger than RabbitMQ takes; it was not sent.
    #[error("the message has {bytes} bytes; RabbitMQ takes {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A routing key or name that AMQP has no room for; the message was not sent.
    #[error("'{name}' has {} bytes; AMQP allows 255", .name.len())]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// The request cannot be written as JSON; it was not sent.
    #[error("the request cannot be written as JSON: {0}")]
    Encode(#[source] Box<edeposit_serializers::Error>),
    /// The answer is not of the type expected; the request has been carried out.
    #[error("the answer is not what was expected: {error}; it begins with: {beginning}")]
    Decode {
        /// What is wrong with it.
        #[source]
        error: Box<edeposit_serializers::Error>,
        /// Its first characters.
        beginning: String,
    },
}
