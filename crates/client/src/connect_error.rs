//! Why a client could not be set up.

/// Why a [`Client`](crate::Client) or [`Sender`](crate::Sender) could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] edeposit_settings::Error),
    /// RabbitMQ cannot be reached, or refuses.
    #[error(transparent)]
    Broker(#[from] edeposit_amqp::ConnectError),
    /// A client's name would not do in a routing key.
    #[error("'{name}' is no name for a client: use 1 to 100 of the characters A-Z a-z 0-9 _ -")]
    Name {
        /// The name given.
        name: String,
    },
    /// The user may not set up what this way of getting answers needs.
    #[error("RabbitMQ refuses {what}: {text}; {advice}")]
    Refused {
        /// What was refused.
        what: String,
        /// The broker's words.
        text: String,
        /// What to do.
        advice: &'static str,
    },
}

impl ConnectError {
    /// Whether trying again without anybody's help may succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Broker(error) if error.is_temporary())
    }
}
