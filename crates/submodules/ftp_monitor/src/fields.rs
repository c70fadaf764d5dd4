//! From keys and values to [`EPublication`]: which key means which field, what must be there, and the ISBN.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::decode::Pairs;
use crate::isbn;
use crate::messages::EPublication;

/// Why the metadata of a file will not do. Users know these texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Something is missing.
    #[error("Missing field(s):{}", list(.0))]
    Missing(Vec<(&'static str, &'static str)>),
    /// The ISBN is none.
    #[error("ISBN '{0}' is not valid!")]
    InvalidIsbn(String),
}

fn list(missing: &[(&str, &str)]) -> String {
    let one =
        |(keyword, shown): &(&str, &str)| format!("\n\tKeyword '{keyword}' ({shown}) not found.");
    missing.iter().map(one).collect()
}

type Place = fn(&mut EPublication) -> &mut Option<String>;

/// In this order keys are tried. The word that a key must have; how the field is called, if it must be there.
const FIELDS: [(&str, Option<&str>, Place); 12] = [
    ("isbn", Some("ISBN"), |p| &mut p.ISBN),
    ("vazba", Some("Vazba/forma"), |p| &mut p.vazba),
    ("nazev", Some("Název"), |p| &mut p.nazev),
    ("misto", Some("Místo vydání"), |p| &mut p.mistoVydani),
    ("nakladatel", Some("Nakladatel"), |p| {
        &mut p.nakladatelVydavatel
    }),
    ("datum", Some("Měsíc a rok vydání"), |p| {
        &mut p.datumVydani
    }),
    ("poradi", Some("Pořadí vydání"), |p| &mut p.poradiVydani),
    ("zpracovatel", Some("Zpracovatel záznamu"), |p| {
        &mut p.zpracovatelZaznamu
    }),
    ("url", None, |p| &mut p.url),
    ("format", None, |p| &mut p.format),
    ("podnazev", None, |p| &mut p.podnazev),
    ("cena", None, |p| &mut p.cena),
];

/// The metadata that keys and values are. Unknown keys are ignored.
///
/// # Errors
/// See [`FieldError`].
pub fn publication(pairs: Pairs) -> Result<EPublication, FieldError> {
    let mut publication = EPublication::default();
    let mut is_plain = [false; FIELDS.len()];
    for (key, value) in pairs {
        let Some((field, plain)) = field(&key) else {
            continue;
        };
        let place = FIELDS[field].2(&mut publication);
        if place.is_none() || (plain && !is_plain[field]) {
            *place = Some(value);
            is_plain[field] = plain;
        }
    }
    let missing: Vec<_> = FIELDS
        .iter()
        .filter_map(|(keyword, shown, place)| {
            shown
                .filter(|_| place(&mut publication).is_none())
                .map(|shown| (*keyword, shown))
        })
        .collect();
    if !missing.is_empty() {
        return Err(FieldError::Missing(missing));
    }
    match &publication.ISBN {
        Some(isbn) if !isbn::is_valid(isbn) => Err(FieldError::InvalidIsbn(isbn.clone())),
        _ => Ok(publication),
    }
}

/// The field a key means, and whether the key is nothing but its keyword.
fn field(key: &str) -> Option<(usize, bool)> {
    let key: String = key
        .to_lowercase()
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .collect();
    let by = |is_between: fn(char) -> bool| {
        FIELDS
            .iter()
            .position(|(keyword, ..)| key.split(is_between).any(|word| word == *keyword))
    };
    let field = by(char::is_whitespace).or_else(|| by(|c| !c.is_alphanumeric()))?;
    Some((field, key.trim() == FIELDS[field].0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::texts;

    const FULL: [(&str, &str); 8] = [
        ("ISBN knihy", "978-80-87270-99-8"),
        ("Vazba/forma", "brož."),
        ("NÁZEV knihy", "Kniha"),
        ("Místo vydání", "Praha"),
        ("Nakladatel:", "Garda"),
        ("Datum", "IX.12"),
        ("pořadí", "1"),
        ("Zpracovatel", ""),
    ];

    #[test]
    fn keys_in_any_dress() {
        let mut pairs = texts(&FULL);
        pairs.extend(texts(&[
            ("Podnázev", "pod"),
            ("x", "y"),
            ("názevx", "no"),
            ("cena", "12.50"),
            ("url", "http://x"),
            ("Nazev", "plain wins"),
            ("nazev", "too late"),
            ("ISBN souboru", "80-86056-31-7"),
        ]));
        let found = publication(pairs).unwrap();
        assert_eq!(found.ISBN.as_deref(), Some("978-80-87270-99-8"));
        assert_eq!(found.nazev.as_deref(), Some("plain wins"));
        assert_eq!(found.vazba.as_deref(), Some("brož."));
        assert_eq!(found.mistoVydani.as_deref(), Some("Praha"));
        assert_eq!(found.nakladatelVydavatel.as_deref(), Some("Garda"));
        assert_eq!(found.zpracovatelZaznamu.as_deref(), Some(""));
        assert_eq!(found.podnazev.as_deref(), Some("pod"));
        assert_eq!(found.cena.as_deref(), Some("12.50"));
        assert_eq!(found.format, None);
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(
            publication(texts(&FULL[2..])).unwrap_err().to_string(),
            "Missing field(s):\n\tKeyword 'isbn' (ISBN) not found.\n\tKeyword 'vazba' (Vazba/forma) not found."
        );
        let all = publication(Vec::new()).unwrap_err().to_string();
        assert_eq!(all.lines().count(), 9);
        assert!(all.ends_with("\n\tKeyword 'zpracovatel' (Zpracovatel záznamu) not found."));
    }

    /// Defect 8, and 5 of the errors: an accented wrong ISBN ended the daemon.
    #[test]
    fn the_isbn_is_checked() {
        let mut pairs = texts(&FULL);
        pairs[0].1 = "žádné".to_owned();
        assert_eq!(
            publication(pairs).unwrap_err().to_string(),
            "ISBN 'žádné' is not valid!"
        );
    }
}
