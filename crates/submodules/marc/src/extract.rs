//! What a record says about the publication: title, imprint, numbers, links.
//!
//! Unless said otherwise a value is all subfields of that code put together, without the card punctuation at its ends
//! (`Brno :` is `Brno`), and `""` if there is none.

use std::collections::HashSet;

use crate::text::{clean_date, first_word, join, join_distinct, strip, trim};
use crate::{DataField, Record};

impl Record {
    /// The record's own number, control field 001.
    #[must_use]
    pub fn id_number(&self) -> Option<&str> {
        self.control("001")
    }

    /// Title proper, 245 $a.
    #[must_use]
    pub fn title(&self) -> String {
        join(self.values("245", 'a'))
    }

    /// Subtitle, 245 $b.
    #[must_use]
    pub fn subtitle(&self) -> String {
        join(self.values("245", 'b'))
    }

    /// Number of the part, 245 $n, e.g. `Díl druhý`. (The original took it for the part's name, and the name for it.)
    #[must_use]
    pub fn part_number(&self) -> String {
        join(self.values("245", 'n'))
    }

    /// Name of the part, 245 $p. (See [`part_number`](Self::part_number).)
    #[must_use]
    pub fn part_name(&self) -> String {
        join(self.values("245", 'p'))
    }

    /// Price, 020 $c.
    #[must_use]
    pub fn price(&self) -> String {
        join(self.values("020", 'c'))
    }

    /// Edition, 901 $f, a local field. (The standard's 250 is not used, as the original did not.)
    #[must_use]
    pub fn edition(&self) -> String {
        join(self.values("901", 'f'))
    }

    /// Dimensions, 300 $c.
    #[must_use]
    pub fn format(&self) -> String {
        join(self.values("300", 'c'))
    }

    /// Who made the record, the first 040 $a, as it is.
    #[must_use]
    pub fn maker(&self) -> &str {
        self.values("040", 'a').next().unwrap_or_default()
    }

    /// Publishers, joined by `, `: [260 and 264](Self::imprints) $b.
    #[must_use]
    pub fn publisher(&self) -> String {
        self.imprint('b')
    }

    /// Places of publication, joined by `, `: [260 and 264](Self::imprints) $a.
    #[must_use]
    pub fn place(&self) -> String {
        self.imprint('a')
    }

    /// Dates of publication, joined by `, `: [260 and 264](Self::imprints) $c. Of each only the digits stay, and a
    /// hyphen after them: `[2014?]` is `2014`, `2015-` stays.
    #[must_use]
    pub fn date(&self) -> String {
        join_distinct(self.imprints().flat_map(|f| f.values('c')).map(clean_date))
    }

    fn imprint(&self, code: char) -> String {
        let values = self.imprints().flat_map(|f| f.values(code));
        trim(&join_distinct(values.map(|v| trim(v).to_owned()))).to_owned()
    }

    /// The statements of publication: each 260 with both indicators blank (others name later publishers), then each 264
    /// whose second indicator says "publication" (`1`), or if there is no such one, each 264.
    ///
    /// The original mixed in distributors, printers and copyright years, and left the order of several values to chance.
    pub fn imprints(&self) -> impl Iterator<Item = &DataField> {
        let current = self
            .fields("260")
            .iter()
            .filter(|f| f.has_indicators(' ', ' '));
        let any_publication = self.fields("264").iter().any(|f| f.ind2 == '1');
        let statements = self.fields("264").iter();
        current.chain(statements.filter(move |f| f.ind2 == '1' || !any_publication))
    }

    /// ISBNs, 020 $a without what follows the number, save those also listed as invalid; if none remain, 901 $i.
    #[must_use]
    pub fn isbns(&self) -> Vec<String> {
        let mut isbns = valid(self.values("020", 'a'), &self.invalid_isbns());
        if isbns.is_empty() {
            isbns = first_words(self.values("901", 'i'));
        }
        isbns
    }

    /// ISBNs marked as wrong, 020 $z.
    #[must_use]
    pub fn invalid_isbns(&self) -> Vec<String> {
        first_words(self.values("020", 'z'))
    }

    /// Bindings as written behind the ISBNs in 020 $a: `80-251-0225-4 (brož.) :` has `brož.`, `... (soubor : váz.)` has
    /// `váz.` An ISBN written without hyphens has none, as in the original.
    #[must_use]
    pub fn bindings(&self) -> Vec<String> {
        self.values("020", 'a')
            .filter(|text| text.contains('-'))
            .filter_map(|text| text.split_once(' '))
            .map(|(_, note)| trim(note))
            .map(|note| note.rsplit(':').next().unwrap_or(note))
            .map(|binding| strip(binding).to_owned())
            .collect()
    }

    /// ISSNs, 022 $a, save those also listed as invalid.
    #[must_use]
    pub fn issns(&self) -> Vec<String> {
        valid(self.values("022", 'a'), &self.invalid_issns())
    }

    /// ISSNs marked as cancelled or wrong, 022 $z, then $y.
    #[must_use]
    pub fn invalid_issns(&self) -> Vec<String> {
        first_words(self.values("022", 'z').chain(self.values("022", 'y')))
    }

    /// Linking ISSNs, 022 $l: shared by all media a serial appears in.
    #[must_use]
    pub fn linking_issns(&self) -> Vec<String> {
        first_words(self.values("022", 'l'))
    }

    /// Titles of the originals a translation was made from, 765 $t, as they are.
    #[must_use]
    pub fn originals(&self) -> Vec<String> {
        self.values("765", 't').map(str::to_owned).collect()
    }

    /// The publication's public links: 856 $u with indicators `4` and `2`.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.links('2').map(str::to_owned).collect()
    }

    /// The library's own links: 856 $u with indicators `4` and `0`, then 998 $a, then URL $u.
    #[must_use]
    pub fn internal_urls(&self) -> Vec<String> {
        let links = self
            .links('0')
            .chain(self.values("998", 'a'))
            .chain(self.values("URL", 'u'));
        links.map(str::to_owned).collect()
    }

    fn links(&self, ind2: char) -> impl Iterator<Item = &str> {
        let fields = self.fields("856").iter();
        fields
            .filter(move |f| f.has_indicators('4', ind2))
            .flat_map(|f| f.values('u'))
    }
}

fn first_words<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    values.map(|text| first_word(text).to_owned()).collect()
}

/// The numbers that are not among the invalid ones.
fn valid<'a>(values: impl Iterator<Item = &'a str>, invalid: &[String]) -> Vec<String> {
    let invalid: HashSet<&str> = invalid.iter().map(String::as_str).collect();
    values
        .map(first_word)
        .filter(|number| !invalid.contains(number))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, &str, char, &str)]) -> Record {
        let mut xml = String::from("<record>");
        for (id, indicators, code, value) in fields {
            xml += &format!(
                r#"<datafield tag="{id}" ind1="{}" ind2="{}"><subfield code="{code}">{value}</subfield></datafield>"#,
                &indicators[..1],
                &indicators[1..],
            );
        }
        Record::from_xml(&(xml + "</record>")).unwrap()
    }

    #[test]
    fn isbns_and_bindings() {
        for (text, isbn, bindings) in [
            ("80-251-0225-4 (brož.) :", "80-251-0225-4", &["brož."][..]),
            (
                "978-80-260-9077-9 (soubor : váz.)",
                "978-80-260-9077-9",
                &["váz."],
            ),
            ("8025102254 (brož.)", "8025102254", &[]),
            ("80-251-0225-4", "80-251-0225-4", &[]),
        ] {
            let record = record(&[("020", "  ", 'a', text)]);
            assert_eq!(record.isbns(), [isbn]);
            assert_eq!(record.bindings(), bindings, "{text}");
        }
    }

    #[test]
    fn an_isbn_also_marked_invalid_gives_way_to_the_local_field() {
        let record = record(&[
            ("020", "  ", 'a', "80-1 (brož.)"),
            ("020", "  ", 'z', "80-1 (chybné)"),
            ("901", "  ", 'i', "80-2 (váz.)"),
        ]);
        assert_eq!(record.isbns(), ["80-2"]);
        assert_eq!(record.invalid_isbns(), ["80-1"]);
    }

    #[test]
    fn issns() {
        let record = record(&[
            ("022", "  ", 'a', "1805-9999 (print)"),
            ("022", "  ", 'a', "1111-1111"),
            ("022", "  ", 'y', "1111-1111"),
            ("022", "  ", 'z', "2222-2222 x"),
            ("022", "  ", 'l', "1805-9999"),
        ]);
        assert_eq!(record.issns(), ["1805-9999"]);
        assert_eq!(record.invalid_issns(), ["2222-2222", "1111-1111"]);
        assert_eq!(record.linking_issns(), ["1805-9999"]);
    }

    #[test]
    fn imprint_prefers_the_statement_of_publication() {
        let fields = [
            ("264", " 2", 'b', "Distributor,"),
            ("264", " 1", 'b', "Zeta,"),
            ("264", " 1", 'b', "Alfa,"),
            ("264", " 4", 'c', "©2010"),
            ("264", " 1", 'c', "[2011]"),
            ("260", "3 ", 'b', "Pozdější"),
            ("260", "  ", 'b', "Zeta ;"),
            ("260", "  ", 'a', "Praha :"),
        ];
        let everything = record(&fields);
        assert_eq!(everything.publisher(), "Zeta, Alfa");
        assert_eq!(everything.date(), "2011");
        assert_eq!(everything.place(), "Praha");
        // no statement of publication at all: what there is, is taken
        let others = record(&[fields[0], fields[3]]);
        assert_eq!(others.publisher(), "Distributor");
        assert_eq!(others.date(), "2010");
    }

    #[test]
    fn links_by_indicators() {
        let record = record(&[
            ("URL", "  ", 'u', "c"),
            ("998", "  ", 'a', "b?x=1&amp;y=2"),
            ("856", "40", 'u', "a"),
            ("856", "41", 'u', "no"),
            ("856", "42", 'u', "public"),
        ]);
        assert_eq!(record.internal_urls(), ["a", "b?x=1&y=2", "c"]);
        assert_eq!(record.urls(), ["public"]);
    }

    #[test]
    fn part_number_and_name() {
        let record = record(&[
            ("245", "10", 'n', "Díl druhý,"),
            ("245", "10", 'p', "Čas květu /"),
        ]);
        assert_eq!(record.part_number(), "Díl druhý");
        assert_eq!(record.part_name(), "Čas květu");
    }
}
