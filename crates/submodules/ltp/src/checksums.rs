//! Checksums of a package's files, and the manifests that list them.
//!
//! A manifest has a line for each file: the checksum in lower-case hex, one blank, the path. The path begins with `/` and
//! is absolute *within the package*. Lines are sorted by path.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// How checksums are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, which the archive asks for.
    Md5,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

impl Algorithm {
    /// As it is called in the settings and in the manifest's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The manifest's name in the package of the book `id`.
    pub(crate) fn manifest_name(self, id: &str) -> String {
        let name = self.name();
        format!("{name}_{id}.{}", name.to_ascii_lowercase())
    }
}

/// A computation under way.
enum State {
    Md5(Md5),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

/// Computes the checksums of one file while it is written.
pub(crate) struct Sums(Vec<State>);

impl Sums {
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let start = |algorithm: &Algorithm| match algorithm {
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
        };
        Self(algorithms.iter().map(start).collect())
    }

    pub fn update(&mut self, piece: &[u8]) {
        for state in &mut self.0 {
            match state {
                State::Md5(md5) => md5.update(piece),
                State::Sha256(sha) => sha.update(piece),
                State::Sha512(sha) => sha.update(piece),
            }
        }
    }

    /// In hex, in the order of the algorithms.
    pub fn finish(self) -> Vec<String> {
        let finish = |state| match state {
            State::Md5(md5) => hex::encode(md5.finalize()),
            State::Sha256(sha) => hex::encode(sha.finalize()),
            State::Sha512(sha) => hex::encode(sha.finalize()),
        };
        self.0.into_iter().map(finish).collect()
    }
}

/// The lines of files, each a path within the package and its checksum.
pub(crate) fn manifest<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_unstable();
    files
        .into_iter()
        .map(|(path, sum)| format!("{sum} {path}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_pieces() {
        let all = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512];
        let mut sums = Sums::new(&all);
        sums.update(b"a");
        sums.update(b"bc");
        let sums = sums.finish();
        assert_eq!(sums[0], "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            sums[1],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(sums[2].starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(Algorithm::Sha256.manifest_name("U"), "SHA256_U.sha256");
    }

    #[test]
    fn lines_are_sorted_by_path() {
        let files = [("/original/x", "11"), ("/metadata/y", "22")];
        assert_eq!(manifest(files), "22 /metadata/y\n11 /original/x\n");
    }
}
