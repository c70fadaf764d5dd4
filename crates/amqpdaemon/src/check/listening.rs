//! Whether the address for the metrics can be had. The daemon that `restart` takes down may hold it: that is no fault.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;

use super::finding::Finding;
use crate::metrics_server::MetricsAddress;

/// Looks at the address. `running`: the daemon that runs already, if there is one.
pub(crate) fn look(address: &MetricsAddress, running: Option<u32>) -> Finding {
    match address.listen() {
        Ok(_) => Finding::ok(format!("address {address} is free")),
        Err(error)
            if error.kind() == ErrorKind::AddrInUse
                && running.is_some_and(|pid| listens(pid, address.port()) != Some(false)) =>
        {
            Finding::ok(format!(
                "address {address} is in use, by the daemon that runs"
            ))
        }
        Err(error) => Finding::failed(format!("{}: {error}", address.cannot_listen())),
    }
}

/// Whether a process listens at this port; `None` if that cannot be seen.
fn listens(pid: u32, port: u16) -> Option<bool> {
    let own: HashSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.strip_suffix(']')?.to_owned())
        })
        .collect();
    let listening = ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| sockets_listening_at(&table, port))
        .collect::<Vec<_>>();
    Some(listening.iter().any(|socket| own.contains(socket)))
}

/// The inodes of the sockets that listen at a port, from a table such as `/proc/net/tcp`.
fn sockets_listening_at(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let local = fields.nth(1)?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?;
            (local.ends_with(&suffix) && state == LISTENING).then(|| inode.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_in_use_is_a_fault_unless_the_running_daemon_uses_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address: MetricsAddress = port.to_string().parse().unwrap();
        assert!(look(&address, None).keeps_from_starting());
        assert_eq!(listens(std::process::id(), port), Some(true));
        assert!(!look(&address, Some(std::process::id())).keeps_from_starting());
        // Somebody else's process.
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert_eq!(listens(other.id(), port), Some(false));
        other.kill().unwrap();
        other.wait().unwrap();
        drop(listener);
        assert!(!look(&address, None).keeps_from_starting());
    }
}
