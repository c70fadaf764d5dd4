//! One connection to the broker, owned to its end.
//!
//! The client library gives no deadline for connecting and leaves a thread behind when a peer goes silent in the
//! handshake. A [`Link`] therefore opens the socket itself and keeps a second handle to it: whatever happens, dropping the
//! link shuts the socket, and with it the library's thread ends.
//!
//! RabbitMQ may have several nodes. Each new connection tries them in the order of the settings, always from the first, and
//! each has its own time limits; whatever is wrong with one, the next is tried.

use std::net::Shutdown;
use std::sync::Mutex;
use std::time::Duration;

use async_compat::CompatExt;
use edeposit_settings::Node;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::debug;

use crate::deadline::at_node;
use crate::guard::{Agreed, Guard, Room, Stash, Stream, guarded_runtime};
use crate::tls_files::tls_config;
use crate::{ConnectError, ConnectionParams};

/// An open connection. Dropping it closes the socket at once; [`Link::close`] says goodbye first.
pub struct Link {
    connection: Connection,
    node: Node,
    socket: Socket,
    runtime: Handle,
    agreed: Agreed,
    room: Room,
}

/// A second handle to the connection's socket.
struct Socket(std::net::TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // The socket may be closed already; then there is nothing to do.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Link {
    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the broker has blocked publishing on this connection: it is short of memory or disk.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// The node at the other end.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The longest frame agreed with the broker, in bytes.
    #[must_use]
    pub fn frame_max(&self) -> usize {
        usize::try_from(self.agreed.frame_max()).unwrap_or(usize::MAX)
    }

    /// The properties of a message that has come by this connection.
    #[must_use]
    pub fn restored(&self, properties: BasicProperties) -> BasicProperties {
        match &self.room {
            Room::Small(Some(stash)) => stash.restore(properties),
            _ => properties,
        }
    }

    /// The runtime it was made in.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A second connection to the same node, for publishing.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect_beside(&self, params: &ConnectionParams) -> Result<Link, ConnectError> {
        let tls = tls_config(params)?;
        let room = match &self.room {
            Room::Whole => Room::Whole,
            Room::Small(_) => Room::Small(None),
        };
        Box::pin(connect_to(params, &self.node, tls.as_ref(), room)).await
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// The connection is gone, or the broker does not answer within `RABBITMQ_CONNECT_TIMEOUT`.
    pub async fn channel(&self, params: &ConnectionParams) -> Result<Channel, ConnectError> {
        let step = "opening a channel";
        let limit = params.connection.connect_timeout;
        at_node(&self.node, limit, step, self.connection.create_channel())
            .await?
            .map_err(|e| ConnectError::from_step(params, step, e))
    }

    /// Closes the connection in an orderly way, waiting at most `limit` for the broker.
    pub async fn close(self, limit: Duration) {
        // Whether it answers or not, the socket is shut when the link is dropped.
        let _ = timeout(limit, self.connection.close(200, "OK".into())).await;
        drop(self.socket);
    }
}

/// Connects to the first node that lets us, and logs in.
///
/// # Errors
/// See [`ConnectError`]; each says what to do. Every step has to be done within `RABBITMQ_CONNECT_TIMEOUT`, at each node
/// anew.
pub async fn connect(params: &ConnectionParams) -> Result<Link, ConnectError> {
    connect_with(params, || Room::Whole).await
}

/// The same in little memory: by way of [`Link::restored`], its messages have the properties they were sent with.
///
/// # Errors
/// As [`connect`].
pub async fn connect_small(params: &ConnectionParams) -> Result<Link, ConnectError> {
    connect_with(params, || Room::Small(Some(Stash::default()))).await
}

async fn connect_with(
    params: &ConnectionParams,
    room: impl Fn() -> Room,
) -> Result<Link, ConnectError> {
    let tls = tls_config(params)?;
    let mut tried = Vec::new();
    for node in params.connection.nodes.iter() {
        // Boxed: what is rare and large would else be part of every request that may need it.
        match Box::pin(connect_to(params, node, tls.as_ref(), room())).await {
            Ok(link) => return Ok(link),
            Err(error) => {
                debug!(%error, "this node of RabbitMQ cannot be used");
                tried.push((node.clone(), error));
            }
        }
    }
    Err(ConnectError::none_of(tried))
}

async fn connect_to(
    params: &ConnectionParams,
    node: &Node,
    tls: Option<&OwnedTLSConfig>,
    room: Room,
) -> Result<Link, ConnectError> {
    let limit = params.connection.connect_timeout;
    let (stream, socket) = open_socket(node, limit).await?;
    let stream = match tls {
        None => stream,
        Some(tls) => start_tls(node, tls, stream, limit).await?,
    };

    // Called once: the library's own reconnecting stays off.
    let agreed = Agreed::default();
    let guard = Guard::new(stream, room.clone(), agreed.clone());
    let prepared = Mutex::new(Some(AsyncTcpStream::Plain(guard)));
    let connecting = Connection::connector(
        uri(params, node, &room),
        guarded_runtime().into(),
        async move |_, _| {
            let stream = prepared.lock().ok().and_then(|mut stream| stream.take());
            stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
        },
        ConnectionProperties::default().with_connection_name(params.client_name().into()),
    );
    let connection = at_node(node, limit, "logging in", connecting)
        .await?
        .map_err(|e| ConnectError::from_handshake(params, node, e))?;
    Ok(Link {
        connection,
        node: node.clone(),
        socket,
        runtime: Handle::current(),
        agreed,
        room,
    })
}

async fn open_socket(node: &Node, limit: Duration) -> Result<(Stream, Socket), ConnectError> {
    let unreachable = |cause| ConnectError::Unreachable {
        address: node.to_string(),
        cause,
    };
    let stream = at_node(
        node,
        limit,
        "opening the connection",
        first_to_answer(node, limit),
    )
    .await?
    .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let stream = stream.into_std().map_err(unreachable)?;
    let socket = Socket(stream.try_clone().map_err(unreachable)?);
    let stream = TcpStream::from_std(stream).map_err(unreachable)?;
    Ok((AsyncTcpStream::Plain(stream.compat()), socket))
}

/// Tries the host's addresses one after the other, each for its share of the time: the first may be dead.
async fn first_to_answer(node: &Node, limit: Duration) -> std::io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((node.host.as_str(), node.port))
        .await?
        .collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = std::io::Error::other("the host has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) => failure = e,
            Err(_) => failure = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

async fn start_tls(
    node: &Node,
    config: &OwnedTLSConfig,
    stream: Stream,
    limit: Duration,
) -> Result<Stream, ConnectError> {
    // An error means that the program has chosen a provider itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let starting = stream.into_tls(&node.host, config.as_ref());
    at_node(node, limit, "starting TLS", starting)
        .await?
        .map_err(|cause| ConnectError::Tls {
            address: node.to_string(),
            cause,
        })
}

fn uri(params: &ConnectionParams, node: &Node, room: &Room) -> AMQPUri {
    let settings = &params.connection;
    AMQPUri {
        scheme: match settings.tls {
            Some(_) => AMQPScheme::AMQPS,
            None => AMQPScheme::AMQP,
        },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: settings.user.clone(),
                password: settings.password.expose().to_owned(),
            },
            host: node.host.clone(),
            port: node.port,
        },
        vhost: params.virtualhost.clone(),
        query: AMQPQueryString {
            frame_max: Some(room.frame_max()),
            heartbeat: Some(u16::try_from(settings.heartbeat.as_secs()).unwrap_or(u16::MAX)),
            ..AMQPQueryString::default()
        },
    }
}
