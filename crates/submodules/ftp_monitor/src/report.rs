//! What users read about an import: lines of what was imported, entries of what was not, and the two reports made of them.

/// The name of a metadata file that was imported.
#[must_use]
pub fn metadata_line(file: &str) -> String {
    format!("Metadata file '{file}' successfully imported.")
}

/// The name of a book that was imported.
#[must_use]
pub fn ebook_line(file: &str) -> String {
    format!("Ebook file '{file}' successfully imported.")
}

/// A pair that was imported.
#[must_use]
pub fn pair_line(metadata: &str, ebook: &str) -> String {
    format!(
        "Metadata and data files paired to epub. import request:\n\t{}\n\t{}",
        metadata_line(metadata),
        ebook_line(ebook)
    )
}

/// Three or more files of one name.
#[must_use]
pub fn same_name_error<'a>(files: impl Iterator<Item = &'a str>) -> String {
    let files: String = files.map(|file| format!("\n\t{file}")).collect();
    format!("Too many files with same name:{files}\n\n---\n")
}

/// A metadata file that cannot be read from the disk.
#[must_use]
pub fn unreadable_metadata(file: &str, problem: &str) -> String {
    format!("Can't read MetadataFile '{file}':\n\t{problem}\n")
}

/// A metadata file whose content will not do.
#[must_use]
pub fn bad_metadata(file: &str, problem: &str) -> String {
    format!("Can't parse {file}: {problem}")
}

/// The import report. Scripts of users read its first line.
#[must_use]
pub fn import_report(lines: &[String], errors: &[String], error_log: &str) -> String {
    let lines = lines.join("\n");
    if errors.is_empty() {
        return format!("Status: Ok\n\n--- Sucess ---\n{lines}");
    }
    format!(
        "Status: Error\n\nError: Import only partially successful.\nSee '{error_log}' for details.\n\n\
         --- Errors ---\n{}\n\n--- Successfully imported files ---\n{lines}",
        error_report(errors)
    )
}

/// The error report.
#[must_use]
pub fn error_report(errors: &[String]) -> String {
    errors.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let lines = [pair_line("/m.csv", "/b.pdf"), ebook_line("/c.pdf")];
        let imported = "Metadata and data files paired to epub. import request:\n\t\
            Metadata file '/m.csv' successfully imported.\n\tEbook file '/b.pdf' successfully imported.\n\
            Ebook file '/c.pdf' successfully imported.";
        assert_eq!(
            import_report(&lines, &[], "error.log.txt"),
            format!("Status: Ok\n\n--- Sucess ---\n{imported}")
        );
        let errors = [
            same_name_error(["/a", "/b", "/c"].into_iter()),
            unreadable_metadata("/x.csv", "no"),
            bad_metadata("/y.csv", "ISBN '1' is not valid!"),
        ];
        let report = "Too many files with same name:\n\t/a\n\t/b\n\t/c\n\n---\n\n\
            Can't read MetadataFile '/x.csv':\n\tno\n\nCan't parse /y.csv: ISBN '1' is not valid!";
        assert_eq!(error_report(&errors), report);
        assert_eq!(
            import_report(&lines, &errors, "error.log.txt"),
            format!(
                "Status: Error\n\nError: Import only partially successful.\nSee 'error.log.txt' for details.\n\n\
                 --- Errors ---\n{report}\n\n--- Successfully imported files ---\n{imported}"
            )
        );
    }
}
