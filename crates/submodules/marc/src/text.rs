//! Cleaning of catalogue texts, which end with the punctuation of the printed catalogue card.

/// Strips ASCII white space, as the original's byte strings did; a no-break space stays.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

/// Strips the punctuation cataloguers put between values, repeatedly, from both ends. Nothing inside is touched.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(['/', ':', ';', ',', '-', ' ', '[', ']', '<', '>', '(', ')'])
}

/// Concatenates the values with nothing between them, then trims: `Prvni :` and `Druhy /` give `Prvni :Druhy`.
pub(crate) fn join<'a>(values: impl Iterator<Item = &'a str>) -> String {
    trim(&values.collect::<String>()).to_owned()
}

/// The text before the first blank: the number without the qualifier written after it.
pub(crate) fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

/// Joins the values with `, `, leaving out empty ones and all but the first of equal ones.
pub(crate) fn join_distinct(values: impl Iterator<Item = String>) -> String {
    let mut distinct = indexmap::IndexSet::new();
    distinct.extend(values.filter(|value| !value.is_empty()));
    Vec::from_iter(distinct).join(", ")
}

/// Makes `2014` of `[2014?]-`: keeps digits and blanks, and a hyphen directly after a digit, so that `2015-` still says
/// "since 2015". The original left blanks at the ends, here they go.
pub(crate) fn clean_date(date: &str) -> String {
    let mut previous = None;
    let mut cleaned = String::with_capacity(date.len());
    for character in date.chars() {
        let after_digit = previous.is_some_and(|p: char| p.is_ascii_digit());
        if character.is_ascii_digit() || character == ' ' || (character == '-' && after_digit) {
            cleaned.push(character);
        }
        previous = Some(character);
    }
    strip(&cleaned).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (date, cleaned) in [
            ("[2014?]-", "2014"),
            ("c2009", "2009"),
            ("2015-", "2015-"),
            ("1998-1999", "1998-1999"),
            ("[200-]", "200-"),
            ("--2001--", "2001-"),
            ("březen 2011.", "2011"),
            ("2004 [i.e. 2005]", "2004  2005"),
            ("©2011", "2011"),
            ("", ""),
        ] {
            assert_eq!(clean_date(date), cleaned, "{date}");
        }
    }

    #[test]
    fn trimming_and_joining() {
        assert_eq!(trim("  Anonymní [sborník]  /"), "Anonymní [sborník");
        assert_eq!(join(["Prvni :", "Druhy /"].into_iter()), "Prvni :Druhy");
        assert_eq!(join(std::iter::empty()), "");
        let values = ["B", "", "A", "B"].map(str::to_owned);
        assert_eq!(join_distinct(values.into_iter()), "B, A");
        assert_eq!(strip("\t\u{a0}x \n"), "\u{a0}x");
    }
}
