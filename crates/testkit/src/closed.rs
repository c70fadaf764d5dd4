//! A port at which connections are refused, for as long as the test wants that.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

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
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        // No daemon that the test starts is to inherit it.
        let bound = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        set_socket_reuseaddr(&bound, true)?;
        bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .context("binding a socket to a port of 127.0.0.1")?;
        let address: SocketAddr = getsockname(&bound)?.try_into()?;
        Ok(ClosedPort {
            _bound: bound,
            port: address.port(),
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn refuses_is_given_to_nobody_and_can_be_listened_on_by_name() -> Result<()> {
        let closed = ClosedPort::new()?;
        let refused = TcpStream::connect(closed.address()).map_err(|error| error.kind());
        assert_eq!(refused.err(), Some(ErrorKind::ConnectionRefused));
        for _ in 0..1000 {
            let given = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            assert_ne!(given.port(), closed.port());
        }
        let _listener = TcpListener::bind(closed.address())?;
        TcpStream::connect(closed.address())?;
        Ok(())
    }
}
