//! Why there is no session with the broker, and what to do about it.

use std::io::ErrorKind;
use std::time::Duration;

use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::ConnectionParams;

/// Why a session with the broker could not be set up. The texts include their causes, which are therefore no `source` of their own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing answers at the address.
    #[error(
        "can't reach RabbitMQ at {address}: {cause}; is it running, and are RABBITMQ_HOST and RABBITMQ_PORT right?"
    )]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Something accepts the connection but does not go on.
    #[error("RabbitMQ at {address} did not answer within {} s while {step}", .after.as_secs_f32())]
    Timeout {
        /// `host:port`.
        address: String,
        /// What was being done.
        step: &'static str,
        /// The limit, `RABBITMQ_CONNECT_TIMEOUT`.
        after: Duration,
    },
    /// The TLS handshake failed.
    #[error(
        "no TLS connection with RabbitMQ at {address}: {cause}; see RABBITMQ_TLS_CA_FILE and the certificates"
    )]
    Tls {
        /// `host:port`.
        address: String,
        /// What was wrong.
        cause: std::io::Error,
    },
    /// A certificate or key file cannot be used.
    #[error("can't read {path} ({setting}): {cause}")]
    TlsFile {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Wrong user or password.
    #[error(
        "RabbitMQ at {address} refuses user '{user}': wrong name or password (RABBITMQ_USER_NAME, RABBITMQ_USER_PASSWORD)"
    )]
    LoginRefused {
        /// `host:port`.
        address: String,
        /// The user.
        user: String,
    },
    /// The virtual host does not exist.
    #[error(
        "RabbitMQ at {address} has no virtual host '{virtualhost}'; run: edeposit_amqp_tool --host {submodule} --create"
    )]
    NoVirtualHost {
        /// What the tool calls the submodule.
        submodule: String,
        /// `host:port`.
        address: String,
        /// The virtual host.
        virtualhost: String,
    },
    /// The user may not use the virtual host.
    #[error(
        "user '{user}' may not use virtual host '{virtualhost}' at {address}; \
         run: rabbitmqctl set_permissions -p {virtualhost} {user} '.*' '.*' '.*'"
    )]
    NoPermission {
        /// `host:port`.
        address: String,
        /// The virtual host.
        virtualhost: String,
        /// The user.
        user: String,
    },
    /// The input queue does not exist.
    #[error(
        "virtual host '{virtualhost}' has no queue '{queue}'; run: edeposit_amqp_tool --host {submodule} --create"
    )]
    NoQueue {
        /// What the tool calls the submodule.
        submodule: String,
        /// The virtual host.
        virtualhost: String,
        /// The queue.
        queue: String,
    },
    /// The exchange for the answers does not exist.
    #[error(
        "virtual host '{virtualhost}' has no exchange '{exchange}'; run: edeposit_amqp_tool --host {submodule} --create"
    )]
    NoExchange {
        /// What the tool calls the submodule.
        submodule: String,
        /// The virtual host.
        virtualhost: String,
        /// The exchange.
        exchange: String,
    },
    /// The user may not use a queue or exchange.
    #[error("RabbitMQ at {address} denies access while {step}: {text}")]
    AccessRefused {
        /// `host:port`.
        address: String,
        /// What was being done.
        step: &'static str,
        /// The broker's words.
        text: String,
    },
    /// What answers does not speak AMQP 0-9-1.
    #[error("what answers at {address} is no AMQP 0-9-1 broker: {cause}")]
    NotAmqp {
        /// `host:port`.
        address: String,
        /// What it sent.
        cause: lapin::Error,
    },
    /// Any other refusal or failure.
    #[error("connecting to RabbitMQ at {address} failed while {step}: {cause}")]
    Failed {
        /// `host:port`.
        address: String,
        /// What was being done.
        step: &'static str,
        /// What the broker or the client library said.
        cause: lapin::Error,
    },
}

impl ConnectError {
    /// Sorts out what the client library reports while a connection is set up.
    pub(crate) fn from_handshake(params: &ConnectionParams, error: lapin::Error) -> Self {
        let address = params.address();
        let user = params.connection.user.clone();
        let virtualhost = params.virtualhost.clone();
        match error.kind() {
            lapin::ErrorKind::ProtocolError(amqp) if is(amqp, AMQPSoftError::ACCESSREFUSED) => {
                Self::LoginRefused { address, user }
            }
            lapin::ErrorKind::ProtocolError(amqp) if is_hard(amqp, AMQPHardError::NOTALLOWED) => {
                let text = amqp.get_message().as_str();
                if text.contains("not found") {
                    Self::NoVirtualHost {
                        submodule: params.submodule.clone(),
                        address,
                        virtualhost,
                    }
                } else if text.contains("refused for user") {
                    Self::NoPermission {
                        address,
                        virtualhost,
                        user,
                    }
                } else {
                    // A limit on connections, for one.
                    Self::Failed {
                        address,
                        step: "opening the virtual host",
                        cause: error,
                    }
                }
            }
            lapin::ErrorKind::ParsingError(_) | lapin::ErrorKind::InvalidProtocolVersion(_) => {
                Self::NotAmqp {
                    address,
                    cause: error,
                }
            }
            _ => Self::Failed {
                address,
                step: "logging in",
                cause: error,
            },
        }
    }

    /// Sorts out what the client library reports after the connection stands, while doing `step`.
    #[must_use]
    pub fn from_step(params: &ConnectionParams, step: &'static str, error: lapin::Error) -> Self {
        let address = params.address();
        match error.kind() {
            lapin::ErrorKind::ProtocolError(amqp) if is(amqp, AMQPSoftError::ACCESSREFUSED) => {
                Self::AccessRefused {
                    address,
                    step,
                    text: amqp.get_message().to_string(),
                }
            }
            _ => Self::Failed {
                address,
                step,
                cause: error,
            },
        }
    }

    /// Whether trying again without anybody's help may succeed: the broker is away or slow, as against settings or a
    /// schema that have to be put right.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Failed { .. } => true,
            // A broker that is just starting or ending.
            Self::Tls { cause, .. } => matches!(
                cause.kind(),
                ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
            ),
            _ => false,
        }
    }
}

pub(crate) fn is(error: &AMQPError, kind: AMQPSoftError) -> bool {
    *error.kind() == AMQPErrorKind::Soft(kind)
}

fn is_hard(error: &AMQPError, kind: AMQPHardError) -> bool {
    *error.kind() == AMQPErrorKind::Hard(kind)
}
