//! The nodes of RabbitMQ that `RABBITMQ_HOST` lists.
//!
//! One or more, separated by commas, each a host with an optional port: `mq1.example, mq2.example:5673, [::1]:5672`.

use std::fmt;
use std::net::Ipv6Addr;

use crate::{Constants, Error, shown_url};

const NAME: &str = "RABBITMQ_HOST";
const NO_HOST: &str = "no host name; amqps goes to RABBITMQ_SCHEME, a login to RABBITMQ_USER_NAME";

/// One node of RabbitMQ. `Display` writes `host:port`, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// The nodes in the order in which they are tried; at least one. `Display` writes them separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    first: Node,
    others: Vec<Node>,
}

impl Nodes {
    /// The node that is tried first.
    #[must_use]
    pub fn first(&self) -> &Node {
        &self.first
    }

    /// Whether there is no other node than the first.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.others.is_empty()
    }

    /// All nodes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Those that `RABBITMQ_HOST` lists; one without a port has `default_port`.
    pub(crate) fn from_constants(constants: &Constants, default_port: u16) -> Result<Self, Error> {
        let mut entries = constants.text(NAME)?.split(',');
        let mut next = || {
            entries
                .next()
                .map(|entry| node(constants, entry, default_port))
        };
        let first = next().unwrap_or_else(|| Err(constants.unfit(NAME, NO_HOST)))?;
        let others = std::iter::from_fn(next).collect::<Result<_, _>>()?;
        Ok(Nodes { first, others })
    }
}

impl From<Node> for Nodes {
    fn from(node: Node) -> Self {
        Nodes {
            first: node,
            others: Vec::new(),
        }
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.others
            .iter()
            .try_for_each(|node| write!(f, ", {node}"))
    }
}

/// One entry of the list.
fn node(constants: &Constants, entry: &str, default_port: u16) -> Result<Node, Error> {
    let entry = entry.trim();
    let unfit = |what: &str| constants.invalid(NAME, &format!("'{}' is {what}", shown_url(entry)));
    if entry.is_empty() {
        return Err(constants.unfit(NAME, "a list with an empty entry"));
    }
    let (host, port) = split(entry);
    let ipv6 = host.parse::<Ipv6Addr>().is_ok();
    let address = entry.contains(['/', '@']) || entry.contains(char::is_whitespace);
    if host.is_empty() || address || host.contains(['[', ']']) || (host.contains(':') && !ipv6) {
        return Err(unfit(NO_HOST));
    }
    let port = match port {
        None => default_port,
        Some(port) => Some(port)
            .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| unfit("no host with a port number (1-65535)"))?,
    };
    Ok(Node {
        host: host.to_owned(),
        port,
    })
}

/// Host and port, if there is one; an IPv6 address needs brackets for that.
fn split(entry: &str) -> (&str, Option<&str>) {
    let bracketed = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    match bracketed {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => (entry, None),
        },
        None => match entry.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (entry, None),
        },
    }
}

/// An IPv6 address in the brackets that a port or URL needs; other hosts as they are.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}
