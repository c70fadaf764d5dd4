//! How it is decided what a record is described as.

use std::str::FromStr;

/// How it is decided what a record is described as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CaseSelection {
    /// `monograph`: always a monograph, whatever the record is. So the original does.
    #[default]
    Monograph,
    /// `auto`: as the record says ([`Case::of`](crate::Case::of)); periodicals and multi-volume works get the
    /// few elements that the original's documentation promises.
    Auto,
    /// `full`: as the record says; periodicals and multi-volume works are described completely.
    Full,
    /// `multivolume`: always a multi-volume work, with the few elements of `auto`.
    MultiVolume,
    /// `periodical`: always a periodical, with the few elements of `auto`.
    Periodical,
}

impl CaseSelection {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Monograph,
        Self::Auto,
        Self::Full,
        Self::MultiVolume,
        Self::Periodical,
    ];

    /// The words of all of them.
    pub(crate) const WORDS: [&'static str; Self::ALL.len()] = {
        let mut words = [""; Self::ALL.len()];
        let mut at = 0;
        while at < words.len() {
            words[at] = Self::ALL[at].as_str();
            at += 1;
        }
        words
    };

    /// The word in settings and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monograph => "monograph",
            Self::Auto => "auto",
            Self::Full => "full",
            Self::MultiVolume => "multivolume",
            Self::Periodical => "periodical",
        }
    }
}

impl FromStr for CaseSelection {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|selection| selection.as_str() == text)
            .ok_or("write monograph, auto, full, multivolume or periodical")
    }
}
