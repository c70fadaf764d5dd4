//! CSV: one key and one value a line. The separator is the first of five with which every line is such a pair; cells and
//! lines without content do not count.

use std::borrow::Cow;

use ::csv::{ReaderBuilder, StringRecord};

use super::error::DecodeError;
use super::node::Pairs;

const SEPARATORS: &[u8] = b";,\t|:";

pub(super) fn decode(text: &str) -> Result<Pairs, DecodeError> {
    let text = line_feeds(text);
    let mut closest: Option<(usize, usize)> = None;
    // an odd one closes nothing: it is rather an inch than the beginning of a text that has no end
    let is_odd = text.matches('"').count() % 2 == 1;
    let quoting: &[bool] = if is_odd { &[false, true] } else { &[true] };
    let ways = quoting.iter().flat_map(|quoting| {
        SEPARATORS
            .iter()
            .map(move |separator| (*separator, *quoting))
    });
    for (separator, quoting) in ways {
        let (pairs, first_bad) = read(&text, separator, quoting);
        let Some(first_bad) = first_bad else {
            return Ok(pairs);
        };
        // the separator that was meant: the one that fits most lines
        if closest.is_none_or(|(most, _)| pairs.len() > most) {
            closest = Some((pairs.len(), first_bad));
        }
    }
    let begin = closest.map_or(0, |(_, begin)| begin);
    let (before, rest) = text.split_at(begin);
    Err(DecodeError::BadLine {
        number: before.matches('\n').count() + 1,
        line: rest.lines().next().unwrap_or_default().to_owned(),
    })
}

/// All pairs, and where the first line begins that is none, in bytes.
fn read(text: &str, separator: u8, quoting: bool) -> (Pairs, Option<usize>) {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .quoting(quoting)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut pairs, mut first_bad) = (Pairs::new(), None);
    let mut record = StringRecord::new();
    // it reads from memory, and the text is UTF-8: it cannot fail
    while let Ok(true) = reader.read_record(&mut record) {
        let mut cells = record.iter().map(cell).filter(|cell| !cell.is_empty());
        match (cells.next(), cells.next(), cells.next()) {
            (None, ..) => {}
            (Some(key), Some(value), None) => pairs.push((key.to_owned(), value.to_owned())),
            _ if first_bad.is_none() => first_bad = Some(begin(&record, text)),
            _ => {}
        }
    }
    (pairs, first_bad)
}

/// Where a record begins: the reader's position is before the empty lines in front of it.
fn begin(record: &StringRecord, text: &str) -> usize {
    let position = record.position().map_or(0, ::csv::Position::byte);
    let position = usize::try_from(position).unwrap_or_default();
    let rest = text.get(position..).unwrap_or_default();
    position + rest.len() - rest.trim_start_matches('\n').len()
}

/// The text with every end of a line (CR LF, CR) as a line feed.
fn line_feeds(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

/// A cell without blanks around it, and without the quotes that the reader has left: those after a blank, and single ones.
fn cell(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.trim();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::decode::tests::{error, pairs, texts};

    #[test]
    fn separators_and_quotes() {
        let expected = texts(&[("ISBN knihy", "80-86056-31-7"), ("Vazba", "brož.")]);
        for text in [
            "ISBN knihy;80-86056-31-7\nVazba;brož.\n",
            "ISBN knihy, 80-86056-31-7\r\n\r\n Vazba ,brož.",
            "ISBN knihy\t80-86056-31-7\nVazba\tbrož.",
            "ISBN knihy|80-86056-31-7\nVazba|\"brož.\"",
            "ISBN knihy: '80-86056-31-7'\n\nVazba: brož.\n  \n",
            "\"ISBN knihy\";;80-86056-31-7;\n;Vazba; ;brož.",
        ] {
            assert_eq!(pairs("x.csv", text), expected, "{text}");
        }
        let quoted = pairs("x.csv", "Nazev;\"jedna; dvě\"\nUrl;http://x/,y");
        assert_eq!(
            quoted,
            texts(&[("Nazev", "jedna; dvě"), ("Url", "http://x/,y")])
        );
        assert_eq!(pairs("x.csv", ""), []);
    }

    /// What spreadsheets write (RFC 4180): rows without content, line breaks in quotes, quotes doubled, lines that CR ends.
    #[test]
    fn files_of_spreadsheets() {
        let expected = texts(&[("Nazev", "Kniha \"A\"\na B"), ("Vazba", "brož.")]);
        for text in [
            "Nazev;\"Kniha \"\"A\"\"\na B\"\n;;;\nVazba;brož.\n",
            ";\r\nNazev;\"Kniha \"\"A\"\"\r\na B\";\r\nVazba;brož.;\r\n;;\r\n",
            "Nazev,\"Kniha \"\"A\"\"\ra B\"\r,,\rVazba,brož.",
        ] {
            assert_eq!(pairs("x.csv", text), expected, "{text}");
        }
        assert_eq!(pairs("x.csv", ";;;\n \n"), []);
    }

    #[test]
    fn a_quote_that_is_not_closed_ends_with_its_line() {
        let expected = texts(&[("Nazev", "\"Kniha"), ("Vazba", "brož.")]);
        assert_eq!(pairs("x.csv", "Nazev;\"Kniha\nVazba;brož."), expected);
        let expected = texts(&[("Rozmer", "5\" x"), ("Nazev", "a;b")]);
        assert_eq!(pairs("x.csv", "Rozmer;5\" x\nNazev;\"a;b\""), expected);
    }

    #[test]
    fn lines_that_are_no_pair() {
        assert_eq!(
            error("x.csv", "a;b\n\nc;d;e\nf"),
            "Bad number of elements - line 3:\n\tc;d;e\n"
        );
        assert_eq!(
            error("x.csv", "jen text"),
            "Bad number of elements - line 1:\n\tjen text\n"
        );
        assert_eq!(
            error("x.csv", "a;b;c"),
            "Bad number of elements - line 1:\n\ta;b;c\n"
        );
        assert_eq!(
            error("x.csv", "a;\"b\nb\"\r\n\r\nčtvrtá"),
            "Bad number of elements - line 4:\n\tčtvrtá\n"
        );
    }
}
