//! ProFTPD's main configuration: read, never changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where Debian's ProFTPD writes its pid if it is not told where.
const PID_FILE: &str = "/run/proftpd.pid";

/// The directives of a file, one a line: a name in any case, and its value.
pub struct Configuration {
    lines: Vec<String>,
}

impl Configuration {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| {
            format!(
                "reading {}: ProFTPD's own is restored by apt-get install --reinstall -o \
                 Dpkg::Options::=--force-confmiss proftpd-core",
                path.display()
            )
        })?;
        let text = String::from_utf8_lossy(&text);
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::to_owned).collect();
        Self { lines }
    }

    /// Line number, name and value of every directive that is in force, sections left out of account.
    fn directives(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        self.lines.iter().enumerate().filter_map(|(index, line)| {
            let line = line.trim();
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let is_directive = name.starts_with(|c: char| c.is_ascii_alphabetic());
            is_directive.then_some((index + 1, name, value.trim().trim_matches('"')))
        })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.directives()
            .filter(move |(_, found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, _, value)| value)
    }

    /// Which of these directives are in force, and in which line.
    pub fn active(&self, names: &[&str]) -> Vec<(usize, String)> {
        self.directives()
            .filter(|(_, found, _)| names.iter().any(|name| found.eq_ignore_ascii_case(name)))
            .map(|(line, name, _)| (line, name.to_owned()))
            .collect()
    }

    /// Whether the file `drop_in` in `directory` is read too.
    pub fn includes(&self, directory: &Path, drop_in: &Path) -> bool {
        self.values("Include").any(|value| {
            let value = Path::new(value);
            let patterns = ["*", "*.conf"].map(|pattern| directory.join(pattern));
            value == directory || value == drop_in || patterns.iter().any(|p| value == p)
        })
    }

    /// Where the server writes its pid.
    pub fn pid_file(&self) -> PathBuf {
        PathBuf::from(self.values("PidFile").last().unwrap_or(PID_FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force() {
        let text = "# DefaultRoot ~\n  defaultroot ~\nServerName \"x\"\n<Limit SITE_CHMOD>\n  DenyAll\n</Limit>\n";
        let configuration = Configuration::parse(text);
        assert_eq!(
            configuration.active(&["DefaultRoot", "AuthPAM"]),
            [(2, "defaultroot".to_owned())]
        );
        assert_eq!(configuration.pid_file(), Path::new(PID_FILE));
        let pid_file = Configuration::parse("PidFile /run/x.pid");
        assert_eq!(pid_file.pid_file(), Path::new("/run/x.pid"));
    }

    #[test]
    fn the_directory_is_included() {
        let directory = Path::new("/etc/proftpd/conf.d");
        let drop_in = directory.join("edeposit.conf");
        for (line, expected) in [
            ("Include /etc/proftpd/conf.d/", true),
            ("\tinclude \"/etc/proftpd/conf.d\"", true),
            ("Include /etc/proftpd/conf.d/*.conf", true),
            ("Include /etc/proftpd/conf.d/edeposit.conf", true),
            ("#Include /etc/proftpd/conf.d/", false),
            ("Include /etc/proftpd/modules.conf", false),
            ("", false),
        ] {
            let included = Configuration::parse(line).includes(directory, &drop_in);
            assert_eq!(included, expected, "{line}");
        }
    }
}
