//! How much a document from the network may ask of the reader.

use crate::Error;

/// Upper bounds for one document. The defaults are far above what a catalogue sends: a rich record has some 200 fields
/// and 30 kB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the whole document in bytes; by default 16 MiB.
    pub bytes: usize,
    /// Size of one record in bytes; by default 1 MiB.
    pub record: usize,
    /// Size of the leader, a control field or a subfield in bytes; by default 64 KiB.
    pub value: usize,
    /// Number of subfields in one field; by default 500.
    pub subfields: usize,
    /// How deep elements may nest; by default 32.
    pub depth: usize,
    /// Number of elements in the whole document; by default 200 000.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            record: 1024 * 1024,
            value: 64 * 1024,
            subfields: 500,
            depth: 32,
            elements: 200_000,
        }
    }
}

/// How many `$a` of one field are read where each of them repeats other subfields of the field. The standard knows one.
/// Without a bound, a field of many short `$a` and a few long others would make hundreds of megabytes of one.
pub(crate) const HEADINGS: usize = 8;

pub(crate) fn within(amount: usize, limit: usize, what: &'static str) -> Result<(), Error> {
    if amount > limit {
        return Err(Error::Limit { what, limit });
    }
    Ok(())
}
