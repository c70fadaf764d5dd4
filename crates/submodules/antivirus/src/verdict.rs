//! What a scanner says of a file.

use crate::AntivirusError;

/// What a scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No signature matches.
    Clean,
    /// Malware of this name.
    Found(String),
}

impl Verdict {
    /// With its limits set to be told, ClamAV reports a file that it did not scan to the end as if it had found something.
    pub(crate) fn found(name: &str) -> Result<Self, AntivirusError> {
        if name.starts_with("Heuristics.Limits.Exceeded") {
            return Err(AntivirusError::Undecided(format!(
                "the file is beyond a limit of ClamAV, it was not scanned to the end: {name}"
            )));
        }
        Ok(Self::Found(name.to_owned()))
    }
}
