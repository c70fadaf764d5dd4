//! Why there is no session with the broker, and what to do about it.
//!
//! With one node, the error is that node's. With several, [`NoNode`] has what each said; a refusal by any of them (the
//! login, the virtual host) counts for more than nodes that are away, since all have the same users and virtual hosts.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use edeposit_settings::Node;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::ConnectionParams;
use crate::tls_error::{CLIENT_CERTIFICATE, advice, tls_error};

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
    #[error("no TLS connection with RabbitMQ at {address}: {cause}; {}", advice(.cause))]
    Tls {
        /// `host:port`.
        address: String,
        /// What was wrong.
        cause: std::io::Error,
    },
    /// The broker ended the connection right after the TLS handshake, in which no client certificate was shown.
    #[error(
        "RabbitMQ at {address} ended the TLS connection at once ({cause}): it is just starting or stopping, or {CLIENT_CERTIFICATE}"
    )]
    CutOff {
        /// `host:port`.
        address: String,
        /// What the system said.
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
    #[error("RabbitMQ at {address} has no virtual host '{virtualhost}'; run: {create}")]
    NoVirtualHost {
        /// The command that makes it.
        create: String,
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
    #[error("virtual host '{virtualhost}' has no queue '{queue}'; run: {create}")]
    NoQueue {
        /// The command that makes it.
        create: String,
        /// The virtual host.
        virtualhost: String,
        /// The queue.
        queue: String,
    },
    /// The exchange for the answers does not exist.
    #[error("virtual host '{virtualhost}' has no exchange '{exchange}'; run: {create}")]
    NoExchange {
        /// The command that makes it.
        create: String,
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
    /// None of several nodes can be used.
    #[error(transparent)]
    NoNode(NoNode),
}

/// What each node said when none of several could be used, in the order of the tries.
#[derive(Debug)]
pub struct NoNode(Vec<(Node, ConnectError)>);

impl fmt::Display for NoNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no node of RABBITMQ_HOST can be used: ")?;
        for (number, (node, error)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{node} {}", error.cause())?;
        }
        Ok(())
    }
}

impl std::error::Error for NoNode {}

impl ConnectError {
    /// The error for nodes that were all tried in vain.
    pub(crate) fn none_of(mut tried: Vec<(Node, ConnectError)>) -> Self {
        match tried.pop() {
            Some((_, error)) if tried.is_empty() => error,
            last => {
                tried.extend(last);
                Self::NoNode(NoNode(tried))
            }
        }
    }

    /// The error that counts: of several nodes the first refusal, else the first error of all.
    #[must_use]
    pub fn decisive(&self) -> &Self {
        let Self::NoNode(NoNode(tried)) = self else {
            return self;
        };
        let mut errors = tried.iter().map(|(_, error)| error);
        let refusal = errors.clone().find(|error| !error.is_temporary());
        refusal.or(errors.next()).unwrap_or(self)
    }

    /// What went wrong, for a text that has just named the node.
    fn cause(&self) -> String {
        match self {
            Self::Unreachable { cause, .. } => format!("can't be reached ({cause})"),
            Self::Timeout { step, after, .. } => {
                let seconds = after.as_secs_f32();
                format!("did not answer within {seconds} s while {step}")
            }
            Self::Tls { cause, .. } => {
                format!("gives no TLS connection ({cause}; {})", advice(cause))
            }
            Self::LoginRefused { user, .. } => format!(
                "refuses user '{user}': wrong name or password (RABBITMQ_USER_NAME, RABBITMQ_USER_PASSWORD)"
            ),
            Self::NoVirtualHost {
                create,
                virtualhost,
                ..
            } => format!("has no virtual host '{virtualhost}' (run: {create})"),
            Self::CutOff { cause, .. } => format!(
                "ended the TLS connection at once ({cause}; it is just starting or stopping, or {CLIENT_CERTIFICATE})"
            ),
            Self::NotAmqp { cause, .. } => format!("is no AMQP 0-9-1 broker ({cause})"),
            Self::Failed { step, cause, .. } => format!("failed while {step} ({cause})"),
            other => format!("({other})"),
        }
    }

    /// Sorts out what the client library reports while a connection to a node is set up.
    pub(crate) fn from_handshake(
        params: &ConnectionParams,
        node: &Node,
        error: lapin::Error,
    ) -> Self {
        let address = node.to_string();
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
                        create: params.create_command(),
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
            // With TLS 1.3 a broker refuses the client's certificate only after the handshake.
            lapin::ErrorKind::IOError(cause) if tls_error(cause).is_some() => Self::Tls {
                address,
                cause: copy_of(cause),
            },
            // Its reason may be lost when it closes the connection right behind it.
            lapin::ErrorKind::IOError(cause) if was_cut(cause) && !shows_certificate(params) => {
                Self::CutOff {
                    address,
                    cause: copy_of(cause),
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
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::CutOff { .. }
            | Self::Failed { .. } => true,
            // A broker that is just starting or ending.
            Self::Tls { cause, .. } => matches!(
                cause.kind(),
                ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
            ),
            Self::NoNode(NoNode(tried)) => tried.iter().all(|(_, error)| error.is_temporary()),
            _ => false,
        }
    }
}

/// Whether the broker could ask for a certificate that we do not show: over TLS without one of our own it could.
fn shows_certificate(params: &ConnectionParams) -> bool {
    let tls = params.connection.tls.as_ref();
    tls.is_none_or(|tls| tls.cert_file.is_some())
}

fn was_cut(cause: &std::io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}

/// The library shares its errors; this one is to be owned, with the TLS library's error in it.
fn copy_of(error: &std::io::Error) -> std::io::Error {
    match tls_error(error) {
        Some(inner) => std::io::Error::new(error.kind(), inner.clone()),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

pub(crate) fn is(error: &AMQPError, kind: AMQPSoftError) -> bool {
    *error.kind() == AMQPErrorKind::Soft(kind)
}

fn is_hard(error: &AMQPError, kind: AMQPHardError) -> bool {
    *error.kind() == AMQPErrorKind::Hard(kind)
}
