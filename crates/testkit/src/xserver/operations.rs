//! The five operations: parameters in, XML out. No HTTP here.

use std::collections::HashMap;

use super::index;
use super::marcxml::marcxml;
use super::reply::Reply;
use super::{Catalogue, Record};

/// A real server refuses longer requests.
const LONGEST_REQUEST: usize = 500;

/// How many entries of a set can be fetched, unless a test says otherwise.
pub(super) const DEFAULT_CAP: usize = 2500;

/// The first set number: short, so that clients have to pad it.
const FIRST_SET: u32 = 42;

/// Parameters of a request, by name in lower case.
pub(super) type Parameters = HashMap<String, String>;

/// A change a fault makes to the records shown.
pub(super) type Distort<'a> = &'a dyn Fn(&str) -> String;

/// The records, and the sets that `find` has made of them.
#[derive(Debug)]
pub(super) struct Library {
    catalogue: Catalogue,
    /// Positions of the hits in the catalogue.
    sets: HashMap<u32, Vec<usize>>,
    next_set: u32,
    pub(super) cap: usize,
}

impl Library {
    pub(super) fn new(catalogue: Catalogue) -> Self {
        Self {
            catalogue,
            sets: HashMap::new(),
            next_set: FIRST_SET,
            cap: DEFAULT_CAP,
        }
    }

    pub(super) fn answer(&mut self, parameters: &Parameters, distort: Distort<'_>) -> String {
        let get = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| parameters.get(*name))
                .map_or("", String::as_str)
        };
        let set_number = get(&["set_number", "set_no"]);
        let doc_number = get(&["doc_num", "doc_number"]);
        match operation(parameters).as_str() {
            "find" => self.find(get(&["request"]), get(&["base"])),
            "present" => self.present(set_number, get(&["set_entry"]), distort),
            "ill_get_set" => self.ill_get_set(set_number, get(&["start_point"]), get(&["no_docs"])),
            "find_doc" => self.find_doc(doc_number, get(&["base"]), distort),
            "ill_get_doc" => self.ill_get_doc(doc_number, get(&["library"])),
            other => Reply::error("login", &format!("Unknown operation: {other}")),
        }
    }

    fn find(&mut self, request: &str, base: &str) -> String {
        let error = |text: &str| Reply::error("find", text);
        if !self.catalogue.has_base(base) {
            return error(&format!("The base {base} is not known"));
        }
        let Some((code, phrase)) = request.split_once('=') else {
            return error("Request without an index");
        };
        if request.chars().count() > LONGEST_REQUEST {
            return error("Request is too long");
        }
        let mut hits = Vec::new();
        for (position, record) in self.catalogue.records().iter().enumerate() {
            match index::matches(record, code, phrase) {
                Some(true) => hits.push(position),
                Some(false) => {}
                None => return error(&format!("The index {code} is not known")),
            }
        }
        if hits.is_empty() {
            return error("empty set");
        }
        let (set, records) = (self.next_set, hits.len());
        self.next_set += 1;
        self.sets.insert(set, hits);
        Reply::new("find")
            .element("set_number", &format!("{set:06}"))
            .element("no_records", &format!("{records:09}"))
            .element("no_entries", &format!("{:09}", records.min(self.cap)))
            .finish()
    }

    fn present(&self, set_number: &str, entries: &str, distort: Distort<'_>) -> String {
        let Some(wanted) = entry_numbers(entries) else {
            return Reply::error("present", &no_entry(entries));
        };
        let mut reply = Reply::new("present");
        for number in wanted {
            let Some(record) = self.entry(set_number, number) else {
                return Reply::error("present", &no_entry(&number.to_string()));
            };
            reply = reply
                .raw("<record>")
                .raw("<record_header>")
                .element("set_entry", &format!("{number:09}"))
                .raw("</record_header>")
                .element("doc_number", &record.doc_number)
                .raw(&distort(&metadata(record)))
                .raw("</record>");
        }
        reply.finish()
    }

    fn find_doc(&self, doc_number: &str, base: &str, distort: Distort<'_>) -> String {
        if !self.catalogue.has_library(base) && !self.catalogue.has_base(base) {
            return Reply::error("find-doc", &format!("Cannot open library {base}"));
        }
        let Some(record) = self.catalogue.by_number(doc_number) else {
            return Reply::error("find-doc", "Error reading document");
        };
        let reply = Reply::new("find-doc")
            .raw("<record>")
            .raw(&distort(&metadata(record)))
            .raw("</record>")
            .finish();
        // The real server ends this one reply with a blank line.
        reply + "\n"
    }

    fn ill_get_set(&self, set_number: &str, start: &str, count: &str) -> String {
        let error = || Reply::error("ill-get-set", "There is no such set");
        let Some(hits) = self.set(set_number) else {
            return error();
        };
        let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) else {
            return error();
        };
        let numbers: Vec<&str> = hits
            .iter()
            .skip(start.saturating_sub(1))
            .take(count)
            .map(|position| self.catalogue.records()[*position].doc_number.as_str())
            .collect();
        let mut reply = Reply::new("ill-get-set");
        for number in &numbers {
            reply = reply.element("doc-number", number);
        }
        reply
            .element("no-docs", &format!("{:09}", numbers.len()))
            .element("set-library", "NKC01")
            .finish()
    }

    fn ill_get_doc(&self, doc_number: &str, library: &str) -> String {
        if !self.catalogue.has_library(library) {
            return Reply::error("login", &format!("Cannot open library {library}"));
        }
        match self.catalogue.by_number(doc_number) {
            Some(record) => Reply::new("ill-get-doc").raw(&marcxml(record)).finish(),
            None => Reply::error("ill-get-doc", "Error reading document"),
        }
    }

    fn set(&self, set_number: &str) -> Option<&Vec<usize>> {
        if set_number.len() != 6 {
            return None;
        }
        self.sets.get(&set_number.parse().ok()?)
    }

    fn entry(&self, set_number: &str, number: usize) -> Option<&Record> {
        let position = self.set(set_number)?.get(number.checked_sub(1)?)?;
        self.catalogue.records().get(*position)
    }
}

/// The operation's name, with underscores; a real server takes hyphens as well.
pub(super) fn operation(parameters: &Parameters) -> String {
    let operation = parameters.get("op").map_or("", String::as_str);
    operation.to_lowercase().replace('-', "_")
}

/// `7`, `5,6,11` or `1-25`.
pub(super) fn entry_numbers(entries: &str) -> Option<Vec<usize>> {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let mut numbers = Vec::new();
    for part in entries.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(number(first)?..=number(last)?);
    }
    Some(numbers)
}

fn no_entry(number: &str) -> String {
    format!("There is no entry number: {number} in set number given")
}

fn metadata(record: &Record) -> String {
    format!(
        "<metadata>\n<oai_marc>\n{}\n</oai_marc>\n</metadata>",
        record.fields
    )
}
