//! What is read from clamd's own configuration: where it listens, and how large a file it scans.
//!
//! Each line is a name and a value; `#` begins a comment; sizes may end in `K`, `M` or `G`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::address::Address;

/// A configuration is some kilobytes; more is none.
const LONGEST: u64 = 1024 * 1024;

/// The part of the configuration that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClamdConf {
    /// `LocalSocket`, then `TCPAddr` and `TCPSocket`.
    pub addresses: Vec<Address>,
    /// `MaxFileSize`, bytes; 0 is without limit.
    pub max_file_size: Option<usize>,
}

impl ClamdConf {
    /// Reads a configuration; one that cannot be read says nothing: clamd may be on another machine.
    pub fn read(path: &Path) -> Self {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        match read {
            Ok(_) => Self::parse(&String::from_utf8_lossy(&text)),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "clamd's configuration is not read");
                Self::default()
            }
        }
    }

    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(name)).then(|| words.next())?
            })
        };
        let unix = value("LocalSocket").map(|path| Address::Unix(path.into()));
        let tcp = value("TCPSocket").map(|port| {
            let host = value("TCPAddr").unwrap_or("127.0.0.1");
            if host.contains(':') && !host.starts_with('[') {
                Address::Tcp(format!("[{host}]:{port}"))
            } else {
                Address::Tcp(format!("{host}:{port}"))
            }
        });
        Self {
            addresses: unix.into_iter().chain(tcp).collect(),
            max_file_size: value("MaxFileSize").and_then(size),
        }
    }
}

fn size(text: &str) -> Option<usize> {
    let shift = match text.chars().last()?.to_ascii_uppercase() {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => 0,
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_sizes() {
        let conf =
            ClamdConf::parse("LocalSocketMode 660\nTCPAddr ::1\nTCPSocket 3310\nMaxFileSize 1g\n");
        assert_eq!(conf.addresses, [Address::Tcp("[::1]:3310".to_owned())]);
        assert_eq!(conf.max_file_size, Some(1 << 30));
        for (text, bytes) in [
            ("0", Some(0)),
            ("25k", Some(25_600)),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(ClamdConf::read(Path::new("/nowhere")), ClamdConf::default());
    }
}
