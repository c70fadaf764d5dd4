//! CSV: one key and one value a line. The separator is the first of five with which every line is such a pair.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{DecodeError, Pairs};

/// A line of more cells, most of them blank, is none.
const MOST_CELLS: usize = 64;

const SEPARATORS: &[u8] = b";,\t|:";

pub(super) fn decode(text: &str) -> Result<Pairs, DecodeError> {
    let lines: Vec<(usize, &str)> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    let mut closest = None;
    for separator in SEPARATORS {
        let mut reader = Lines::new(*separator);
        let cells: Vec<_> = lines.iter().map(|(_, line)| reader.pair(line)).collect();
        let good = cells.iter().flatten().count();
        if good == lines.len() {
            return Ok(cells.into_iter().flatten().collect());
        }
        // the separator that was meant: the one that fits most lines
        if closest.is_none_or(|(most, _)| good > most) {
            let bad = cells.iter().position(Option::is_none).unwrap_or_default();
            closest = Some((good, bad));
        }
    }
    let bad = closest.map_or(0, |(_, bad)| bad);
    let (number, line) = lines.get(bad).copied().unwrap_or((1, ""));
    Err(DecodeError::BadLine {
        number,
        line: line.to_owned(),
    })
}

/// Reads lines, one by one, with one separator.
struct Lines {
    reader: Reader,
    output: Vec<u8>,
}

impl Lines {
    fn new(separator: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(separator).build(),
            output: Vec::new(),
        }
    }

    /// The two cells of a line, if they are two; blank ones do not count.
    fn pair(&mut self, line: &str) -> Option<(String, String)> {
        let mut ends = [0; MOST_CELLS];
        self.reader.reset();
        self.output.resize(line.len() + 1, 0);
        let output = self.output.as_mut_slice();
        let (mut result, _, mut written, mut cells) =
            self.reader.read_record(line.as_bytes(), output, &mut ends);
        if result == ReadRecordResult::InputEmpty {
            // that was all
            let (output, ends) = (output.get_mut(written..)?, ends.get_mut(cells..)?);
            let more = self.reader.read_record(&[], output, ends);
            result = more.0;
            written += more.2;
            cells += more.3;
        }
        if result != ReadRecordResult::Record {
            return None;
        }
        let text = std::str::from_utf8(self.output.get(..written)?).ok()?;
        let mut begin = 0;
        let mut found = Vec::new();
        for end in &ends[..cells] {
            let cell = cell(text.get(begin..*end)?);
            begin = *end;
            if !cell.is_empty() {
                found.push(cell.to_owned());
            }
        }
        let [key, value] = <[String; 2]>::try_from(found).ok()?;
        Some((key, value))
    }
}

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
    }
}
