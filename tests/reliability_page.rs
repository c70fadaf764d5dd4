//! Pages that name tests name tests that there are: `docs/reliability.md` every test of the fault catalogue, and no other;
//! `docs/lapin.md` tests and files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Rows of the catalogue that can be injected on one machine.
const ROWS: std::ops::RangeInclusive<u32> = 1..=51;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// All words in a text that begin so, after what stands before them.
fn names(text: &str, before: &str) -> BTreeSet<String> {
    let start = format!("{before}fault_");
    let word = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        format!("fault_{}", &rest[..end.unwrap_or(rest.len())])
    };
    text.split(&start).skip(1).map(word).collect()
}

#[test]
fn the_page_names_every_test() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace")?;
    let mut files = Vec::new();
    for dir in ["tests", "crates"] {
        sources(&root.join(dir), &mut files)?;
    }
    let mut tests = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with(file!())) {
        tests.extend(names(&fs::read_to_string(file)?, "fn "));
    }
    let page = names(&fs::read_to_string(root.join("docs/reliability.md"))?, "`");
    let of_no_test: Vec<_> = page.difference(&tests).collect();
    let of_no_line: Vec<_> = tests.difference(&page).collect();
    assert!(of_no_test.is_empty(), "no such tests: {of_no_test:?}");
    assert!(of_no_line.is_empty(), "not on the page: {of_no_line:?}");
    for row in ROWS {
        let prefix = format!("fault_{row:02}_");
        assert!(
            tests.iter().any(|test| test.starts_with(&prefix)),
            "row {row} has no test"
        );
    }
    Ok(())
}

/// What stands in backticks in a page.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[test]
fn the_page_on_lapin_names_tests_and_files_that_there_are() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace")?;
    let mut files = Vec::new();
    for dir in ["tests", "crates"] {
        sources(&root.join(dir), &mut files)?;
    }
    let mut texts = String::new();
    for file in &files {
        texts += &fs::read_to_string(file)?;
    }
    let page = fs::read_to_string(root.join("docs/lapin.md"))?;
    let (mut tests, mut places) = (0, 0);
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.split(" | ").collect();
        let [_, _, remedy, test, _] = cells[..] else {
            anyhow::bail!("not five cells: {row}");
        };
        for name in quoted(test).filter(|name| !name.contains('/')) {
            assert!(texts.contains(&format!("fn {name}(")), "no test {name}");
            tests += 1;
        }
        for file in quoted(remedy).chain(quoted(test)) {
            // Files go from crate to crate more often than they get other names.
            if let Some((_, within)) = file.split_once("/src/") {
                let within = Path::new("src").join(within);
                assert!(
                    files.iter().any(|file| file.ends_with(&within)),
                    "no {file}"
                );
                places += 1;
            }
        }
    }
    assert!(tests > 30 && places > 30, "{tests} tests, {places} files");
    Ok(())
}
