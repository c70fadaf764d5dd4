//! Free ports on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// `N` different ports that nobody listened on a moment ago. Somebody else may take one before it is used; who starts a
/// server on them must be ready to try again.
pub(super) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut listeners = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("looking for a free port on 127.0.0.1")?;
        *port = listener.local_addr()?.port();
        // All stay open till the end, else the system might hand out the same one twice.
        listeners.push(listener);
    }
    Ok(ports)
}
