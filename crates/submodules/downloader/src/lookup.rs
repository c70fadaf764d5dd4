//! From a host's name to addresses that may be contacted.
//!
//! The HTTP client connects to just the addresses it is given here, so a name that means another address a moment later
//! makes no difference: what was checked is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::Rule;

/// Finds a host's addresses. [`SystemLookup`] is what daemons use.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a host.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// An address that must not be contacted.
#[derive(Debug, thiserror::Error)]
#[error("address {address} of {host} is not allowed")]
pub(crate) struct Refused {
    pub address: IpAddr,
    pub host: String,
}

/// Lets only those addresses through that the rule allows.
#[derive(Clone)]
pub(crate) struct Guard {
    pub rule: Arc<Rule>,
    pub lookup: Arc<dyn Lookup>,
}

impl Guard {
    /// Checks an address that stands in a URL as such: the client does not look it up.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        if self.rule.allows(address) {
            return Ok(());
        }
        let host = address.to_string();
        Err(Refused { address, host })
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = guard.lookup.lookup(host.clone()).await?;
            let (allowed, refused): (Vec<_>, Vec<_>) = found
                .into_iter()
                .partition(|address| guard.rule.allows(*address));
            match (allowed.is_empty(), refused.first()) {
                (true, Some(address)) => {
                    let address = *address;
                    Err(Refused { address, host }.into())
                }
                (true, None) => Err("the host has no address".into()),
                _ => {
                    let allowed = allowed.into_iter().map(|ip| SocketAddr::new(ip, 0));
                    Ok(Box::new(allowed) as Addrs)
                }
            }
        })
    }
}
