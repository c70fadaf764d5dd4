//! A port at which connections are refused, for as long as the test wants that.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A TCP port of 127.0.0.1 that nobody listens on, and that the system gives to nobody meanwhile: a socket is bound to it
/// that never listens. (A port that was opened and closed again may be another test's a moment later.) Who names the port
/// can listen on it all the same, as servers do, with `SO_REUSEADDR`.
#[derive(Debug)]
pub struct ClosedPort {
    _bound: OwnedFd,
    port: u16,
}

impl ClosedPort {
    /// A port of its own.
    ///
    /// # Errors
    /// None is free.
    pub fn new() -> Result<ClosedPort> {
        let bound = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        set_socket_reuseaddr(&bound, true)?;
        bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .context("binding a socket to a port of 127.0.0.1")?;
        let port = match SocketAddr::try_from(getsockname(&bound)?) {
            Ok(address) => address.port(),
            Err(error) => bail!("the address of a bound socket: {error}"),
        };
        Ok(ClosedPort {
            _bound: bound,
            port,
        })
    }

    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}
