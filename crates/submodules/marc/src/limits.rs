//! How much a document from the network may ask of the reader.

/// Upper bounds for one document. The defaults are far above what a catalogue sends: a rich record has some 200 fields
/// and 30 kB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the whole document in bytes; by default 16 MiB.
    pub bytes: usize,
    /// How deep elements may nest; by default 32.
    pub depth: usize,
    /// Number of elements in the whole document; by default 200 000.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            depth: 32,
            elements: 200_000,
        }
    }
}
