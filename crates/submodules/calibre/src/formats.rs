//! The formats that may be asked for: nothing else reaches the converter.

/// Formats of a book that can be read. No dot, in small letters.
pub const INPUT_FORMATS: [&str; 24] = [
    "cbz", "cbr", "cbc", "chm", "djvu", "docx", "epub", "fb2", "html", "htmlz", "lit", "lrf",
    "mobi", "odt", "pdf", "prc", "pdb", "pml", "rb", "rtf", "snb", "tcr", "txt", "txtz",
];

/// Formats of a book that can be asked for.
pub const OUTPUT_FORMATS: [&str; 17] = [
    "azw3", "epub", "fb2", "oeb", "lit", "lrf", "mobi", "htmlz", "pdb", "pml", "rb", "pdf", "rtf",
    "snb", "tcr", "txt", "txtz",
];

/// The list's own word for `name`, so that no text of a caller goes into a file name.
pub(crate) fn listed(list: &[&'static str], name: &str) -> Option<&'static str> {
    list.iter().copied().find(|format| *format == name)
}

/// What the converter calls an output format.
pub(crate) fn converters_name(output_format: &'static str) -> &'static str {
    match output_format {
        "pml" => "pmlz",
        other => other,
    }
}
