//! Circles among files that use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::modules::Use;

/// Files each of which uses, by way of others perhaps, each of the others.
pub struct Circle {
    pub files: BTreeSet<PathBuf>,
    pub uses: Vec<Use>,
}

impl Circle {
    /// For each file and each other one that it uses: the first line where it does.
    pub fn describe(&self, root: &Path) -> String {
        let name = |file: &Path| {
            file.strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string()
        };
        let mut text = String::new();
        let mut before = None;
        for one in &self.uses {
            if before.replace((&one.from, &one.to)) == Some((&one.from, &one.to)) {
                continue;
            }
            let source = fs::read_to_string(&one.from).unwrap_or_default();
            let line = source.lines().nth(one.line - 1).unwrap_or_default().trim();
            let (from, to) = (name(&one.from), name(&one.to));
            text += &format!("{from}:{} uses {to}: {line}\n", one.line);
        }
        text
    }
}

/// All circles.
pub fn circles(uses: &BTreeSet<Use>) -> Vec<Circle> {
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for one in uses {
        next.entry(&one.from).or_default().insert(&one.to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = next
        .keys()
        .map(|file| (*file, reached(file, &next)))
        .collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|all| all.contains(to));
    let mut found: BTreeSet<BTreeSet<PathBuf>> = BTreeSet::new();
    for (file, all) in &reached {
        let back: BTreeSet<PathBuf> = all
            .iter()
            .filter(|other| reaches(other, file))
            .map(|other| other.to_path_buf())
            .collect();
        if !back.is_empty() {
            found.insert(back);
        }
    }
    let circle = |files: BTreeSet<PathBuf>| Circle {
        uses: uses
            .iter()
            .filter(|one| files.contains(&one.from) && files.contains(&one.to))
            .cloned()
            .collect(),
        files,
    };
    found.into_iter().map(circle).collect()
}

/// What is used from a file on, directly or by way of others.
fn reached<'a>(
    from: &'a Path,
    next: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for other in next.get(file).into_iter().flatten() {
            if found.insert(*other) {
                waiting.push(other);
            }
        }
    }
    found
}
