//! Which files belong together. Pure: knows names only.

use std::collections::BTreeMap;

use edeposit_ftp::Switches;

use crate::decode::Format;
use crate::isbn;

/// One thing to import; files are numbers in the list they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Metadata and its book.
    Pair {
        /// The metadata.
        metadata: usize,
        /// The book.
        ebook: usize,
    },
    /// Metadata alone.
    Metadata(usize),
    /// A book alone.
    Ebook(usize),
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// In the order in which they are sent.
    pub items: Vec<Item>,
    /// Groups of three or more files of one name in one directory: none of them is imported.
    pub ambiguous: Vec<Vec<usize>>,
}

/// Pairs files, each given by the number of its directory and its name, in the order of directories.
#[must_use]
pub fn pair(files: &[(usize, &str)], switches: Switches) -> Paired {
    let numbered: Vec<usize> = (0..files.len()).collect();
    let mut paired = Paired::default();
    for directory in numbered.chunk_by(|a, b| files[*a].0 == files[*b].0) {
        if let (true, [one, two]) = (switches.same_dir_pairing, directory) {
            paired.items.extend(two_files(files, *one, *two));
        } else if switches.same_name_dir_pairing {
            same_name(files, directory, &mut paired);
        } else {
            let single = directory.iter().map(|file| single(files, *file));
            paired.items.extend(single);
        }
    }
    if switches.isbn_pairing {
        by_isbn(files, &mut paired.items);
    }
    paired
}

fn single(files: &[(usize, &str)], file: usize) -> Item {
    match Format::of(files[file].1) {
        Some(_) => Item::Metadata(file),
        None => Item::Ebook(file),
    }
}

/// A pair, or two single items if they are of one kind.
fn two_files(files: &[(usize, &str)], one: usize, two: usize) -> Vec<Item> {
    match (single(files, one), single(files, two)) {
        (Item::Metadata(metadata), Item::Ebook(ebook))
        | (Item::Ebook(ebook), Item::Metadata(metadata)) => {
            vec![Item::Pair { metadata, ebook }]
        }
        (one, two) => vec![one, two],
    }
}

fn same_name(files: &[(usize, &str)], directory: &[usize], paired: &mut Paired) {
    let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for file in directory {
        let stem = stem(files[*file].1);
        let place = *places.entry(stem).or_insert(groups.len());
        if place == groups.len() {
            groups.push((stem, Vec::new()));
        }
        groups[place].1.push(*file);
    }
    for (_, group) in groups {
        match group.as_slice() {
            [one] => paired.items.push(single(files, *one)),
            [one, two] => paired.items.extend(two_files(files, *one, *two)),
            _ => paired.ambiguous.push(group),
        }
    }
}

/// Pairs single items of the whole tree; pairs come to the end.
fn by_isbn(files: &[(usize, &str)], items: &mut Vec<Item>) {
    let mut books: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for item in items.iter().rev() {
        if let Item::Ebook(ebook) = item {
            books.entry(stem(files[*ebook].1)).or_default().push(*ebook);
        }
    }
    let mut pairs = Vec::new();
    let mut taken = std::collections::BTreeSet::new();
    for item in items.iter() {
        let Item::Metadata(metadata) = *item else {
            continue;
        };
        let stem = stem(files[metadata].1);
        let ebook = books.get_mut(stem).filter(|_| isbn::is_valid(stem));
        if let Some(ebook) = ebook.and_then(Vec::pop) {
            taken.extend([metadata, ebook]);
            pairs.push(Item::Pair { metadata, ebook });
        }
    }
    items.retain(|item| match item {
        Item::Metadata(file) | Item::Ebook(file) => !taken.contains(file),
        Item::Pair { .. } => true,
    });
    items.extend(pairs);
}

/// A file's name without its last suffix.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_ftp::StoredSwitches;

    /// With switches as they are stored, in the order same name, same directory, ISBN.
    fn shown(files: &[(usize, &str)], switches: &str) -> Vec<String> {
        let on = Switches {
            same_name_dir_pairing: true,
            same_dir_pairing: true,
            isbn_pairing: true,
            create_import_log: true,
            leave_bad_files: true,
        };
        let switches = StoredSwitches::parse(switches.as_bytes()).in_force(on);
        let paired = pair(files, switches);
        let name = |file: usize| format!("{}/{}", files[file].0, files[file].1);
        let mut shown: Vec<_> = paired
            .items
            .iter()
            .map(|item| match *item {
                Item::Pair { metadata, ebook } => format!("{} + {}", name(metadata), name(ebook)),
                Item::Metadata(file) => format!("m {}", name(file)),
                Item::Ebook(file) => format!("e {}", name(file)),
            })
            .collect();
        let group = |group: &Vec<usize>| {
            let names: Vec<_> = group.iter().map(|file| name(*file)).collect();
            format!("many {}", names.join(" "))
        };
        shown.extend(paired.ambiguous.iter().map(group));
        shown
    }

    #[test]
    fn two_in_a_directory() {
        let files = [
            (0, "a.epub"),
            (0, "b.CSV"),
            (1, "c.csv"),
            (1, "c.xml"),
            (2, "d"),
            (2, "e.pdf"),
        ];
        let expected = [
            "0/b.CSV + 0/a.epub",
            "m 1/c.csv",
            "m 1/c.xml",
            "e 2/d",
            "e 2/e.pdf",
        ];
        assert_eq!(shown(&files, "ttt"), expected);
        let apart = [
            "e 0/a.epub",
            "m 0/b.CSV",
            "m 1/c.csv",
            "m 1/c.xml",
            "e 2/d",
            "e 2/e.pdf",
        ];
        assert_eq!(shown(&files, "tff"), apart);
    }

    #[test]
    fn same_names() {
        let files = [
            (0, "a.epub"),
            (0, "a.json"),
            (0, "b.csv"),
            (0, "c.epub"),
            (0, "c.pdf"),
            (0, "c.yaml"),
            (0, "d.epub"),
            (0, "d.pdf"),
            (1, "b.epub"),
        ];
        let expected = [
            "0/a.json + 0/a.epub",
            "m 0/b.csv",
            "e 0/d.epub",
            "e 0/d.pdf",
            "e 1/b.epub",
            "many 0/c.epub 0/c.pdf 0/c.yaml",
        ];
        assert_eq!(shown(&files, "ttt"), expected);
        assert_eq!(shown(&files, "ftf").len(), files.len());
    }

    #[test]
    fn by_isbn_in_the_whole_tree() {
        let files = [
            (0, "978-80-87270-99-8.csv"),
            (0, "x.pdf"),
            (0, "y.csv"),
            (1, "978-80-87270-99-8.epub"),
            (2, "978-80-87270-99-8.pdf"),
            (3, "978-80-87270-99-8.xml"),
            (4, "978-80-87270-99-9.xml"),
            (5, "978-80-87270-99-9.pdf"),
        ];
        let expected = [
            "e 0/x.pdf",
            "m 0/y.csv",
            "m 4/978-80-87270-99-9.xml",
            "e 5/978-80-87270-99-9.pdf",
            "0/978-80-87270-99-8.csv + 1/978-80-87270-99-8.epub",
            "3/978-80-87270-99-8.xml + 2/978-80-87270-99-8.pdf",
        ];
        assert_eq!(shown(&files, "ttt"), expected);
        assert_eq!(shown(&files, "ttf").len(), files.len());
    }
}
