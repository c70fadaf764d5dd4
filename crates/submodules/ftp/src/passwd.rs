//! The content of ProFTPD's password file (`AuthUserFile`).
//!
//! One account a line, seven fields parted by `:`: name, hash of the password, uid, gid, GECOS, home, shell. What is no
//! such line (comments, blank lines, lines somebody made by hand) is none of our business: it is skipped when reading and
//! stays where and as it is, byte for byte.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{StoredSwitches, UserName};

const FIELDS: usize = 7;
const HASH: usize = 1;
const GECOS: usize = 4;

/// The lines of a password file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passwd {
    /// Without their line feeds.
    lines: Vec<Vec<u8>>,
}

/// One account, as its line has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    fields: [&'a [u8]; FIELDS],
}

impl<'a> Account<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        if line.starts_with(b"#") || line.starts_with(b":") {
            return None;
        }
        let mut fields = [&line[..0]; FIELDS];
        let mut parts = line.split(|byte| *byte == b':');
        for field in &mut fields {
            *field = parts.next()?;
        }
        parts.next().is_none().then_some(Self { fields })
    }

    /// The name, which need not be a [`UserName`] if the line was made by hand.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.fields[0]
    }

    /// The name, if it is one that this system gives.
    #[must_use]
    pub fn user_name(&self) -> Option<UserName> {
        UserName::new(std::str::from_utf8(self.name()).ok()?)
    }

    /// The password's hash in the form of crypt(3). Empty admits any password; `!` before it locks the account.
    #[must_use]
    pub fn hash(&self) -> &'a [u8] {
        self.fields[HASH]
    }

    /// The switches stored for this user.
    #[must_use]
    pub fn switches(&self) -> StoredSwitches {
        StoredSwitches::parse(self.fields[GECOS])
    }

    /// The home that ProFTPD gives the user. For accounts made here it is [`Settings::home`](crate::Settings::home).
    #[must_use]
    pub fn home(&self) -> &'a Path {
        Path::new(OsStr::from_bytes(self.fields[5]))
    }
}

/// Without the hash.
impl std::fmt::Debug for Account<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = String::from_utf8_lossy(self.name());
        f.debug_struct("Account")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

impl Passwd {
    /// Takes a file apart. Anything is a password file, if perhaps one without accounts.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        let mut lines: Vec<_> = content.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        // what is after the last line feed is no line
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        Self { lines }
    }

    /// The file's content: every line ends with a line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut content = Vec::new();
        for line in &self.lines {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
        content
    }

    /// All accounts in the order of the file.
    pub fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.lines.iter().filter_map(|line| Account::parse(line))
    }

    /// The account of this name: the first one, as ProFTPD looks it up.
    #[must_use]
    pub fn account(&self, name: &UserName) -> Option<Account<'_>> {
        let name = name.as_str().as_bytes();
        self.accounts().find(|account| account.name() == name)
    }

    /// All names, each once, in the order of their bytes. What is not UTF-8 in one is replaced.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names: BTreeSet<&[u8]> = self.accounts().map(|account| account.name()).collect();
        names
            .into_iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    /// Appends an account without switches or shell. The caller has seen that there is none of this name.
    pub fn add(&mut self, name: &UserName, hash: &str, uid: u32, home: &Path) {
        let mut line = format!("{name}:{hash}:{uid}:{uid}::").into_bytes();
        line.extend_from_slice(home.as_os_str().as_bytes());
        line.extend_from_slice(b":/bin/false");
        self.lines.push(line);
    }

    /// Removes every account of this name, and tells whether there was one.
    pub fn remove(&mut self, name: &UserName) -> bool {
        let name = name.as_str().as_bytes();
        let before = self.lines.len();
        self.lines
            .retain(|line| Account::parse(line).is_none_or(|account| account.name() != name));
        self.lines.len() != before
    }

    /// Replaces the hash of a user's password, and tells whether there is such a user.
    pub fn set_hash(&mut self, name: &UserName, hash: &str) -> bool {
        self.set(name, HASH, hash)
    }

    /// Replaces a user's GECOS field, and tells whether there is such a user.
    pub fn set_gecos(&mut self, name: &UserName, gecos: &str) -> bool {
        self.set(name, GECOS, gecos)
    }

    fn set(&mut self, name: &UserName, field: usize, value: &str) -> bool {
        for line in &mut self.lines {
            if let Some(mut account) = Account::parse(line)
                && account.name() == name.as_str().as_bytes()
            {
                account.fields[field] = value.as_bytes();
                *line = account.fields.join(&b':');
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# made by hand\n\naxb:$5$x$y:2000:2000:ttttt:/home/ftp/axb:/bin/false\na.b:h:2000:2000::/home/ftp/a.b:/bin/false\n\
        six:fields:1:2:x:/home\nno\xff:h:1:1:Jan Novak:/:/bin/sh\n  \na:b:c:d:e:f:g:h\n:x:1:1:::\n";

    fn name(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    #[test]
    fn what_is_not_changed_stays_as_it_is() {
        for file in [FILE, b"", b"\n", b"\n\n", b"x\r\n"] {
            assert_eq!(Passwd::parse(file).to_bytes(), file);
        }
        assert_eq!(Passwd::parse(b"a\nb").to_bytes(), b"a\nb\n");
        let mut passwd = Passwd::parse(FILE);
        passwd.add(&name("new"), "$6$", 2000, Path::new("/home/ftp/new"));
        let line = b"new:$6$:2000:2000::/home/ftp/new:/bin/false\n";
        assert_eq!(passwd.to_bytes(), [FILE, line].concat());
        assert!(passwd.remove(&name("new")));
        assert_eq!(passwd.to_bytes(), FILE);
        assert!(!passwd.remove(&name("six")));
    }

    /// Defect 3 of the manager: `a.b` was looked up as a pattern.
    #[test]
    fn names_are_compared_exactly() {
        let mut passwd = Passwd::parse(FILE);
        assert_eq!(
            passwd.account(&name("a.b")).unwrap().home(),
            Path::new("/home/ftp/a.b")
        );
        assert!(passwd.set_hash(&name("a.b"), "H"));
        assert_eq!(passwd.account(&name("axb")).unwrap().hash(), b"$5$x$y");
        assert_eq!(passwd.account(&name("a.b")).unwrap().hash(), b"H");
        assert!(passwd.set_gecos(&name("axb"), "fffff"));
        assert_eq!(
            passwd.account(&name("a.b")).unwrap().switches(),
            StoredSwitches::default()
        );
        assert!(!passwd.set_gecos(&name("a"), "fffff"));
        assert_eq!(passwd.names(), ["a.b", "axb", "no\u{fffd}"]);
    }

    proptest::proptest! {
        /// Whatever is in a file, adding, changing and removing a user leaves everything else of it.
        #[test]
        fn any_file(content in "([a-c.:#\n ]|\\PC){0,200}") {
            let user = name("user-1");
            let mut passwd = Passwd::parse(content.as_bytes());
            let whole = passwd.to_bytes();
            proptest::prop_assert!(whole.starts_with(content.as_bytes()));
            proptest::prop_assert!(whole.len() <= content.len() + 1);
            passwd.add(&user, "h", 2000, Path::new("/home/ftp/user-1"));
            proptest::prop_assert!(passwd.set_hash(&user, "H") && passwd.set_gecos(&user, "fffff"));
            proptest::prop_assert_eq!(passwd.account(&user).map(|a| a.hash()), Some(&b"H"[..]));
            proptest::prop_assert!(passwd.remove(&user));
            proptest::prop_assert_eq!(passwd.to_bytes(), whole);
        }
    }

    /// A second line of the name would come into force if only the first were removed.
    #[test]
    fn all_lines_of_a_name_are_removed() {
        let mut passwd = Passwd::parse(b"a:1:1:1:::\nb:1:1:1:::\na::1:1:::\n");
        assert!(passwd.remove(&name("a")));
        assert_eq!(passwd.to_bytes(), b"b:1:1:1:::\n");
    }
}
