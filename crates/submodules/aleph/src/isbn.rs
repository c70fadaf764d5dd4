//! Checking ISBNs.
//!
//! People write ISBNs with hyphens, blanks, a word in front and the binding behind. So everything that cannot belong to
//! the number is dropped before it is checked: all but digits, and an `X` that stands alone (in `text` it is a letter).

/// Whether `text` holds an ISBN-10 or ISBN-13 with the right check digit.
///
/// Stricter than the original, which took `X` for 10 anywhere and any EAN for an ISBN: an `X` may only be the last digit
/// of ten, and thirteen digits have to begin with 978 or 979.
///
/// ```
/// use edeposit_aleph::is_valid_isbn;
///
/// assert!(is_valid_isbn("80-251-0225-4"));
/// assert!(is_valid_isbn("ISBN 978-80-7000-123-3 (brož.)"));
/// assert!(!is_valid_isbn("80-251-0225-5"));
/// ```
#[must_use]
pub fn is_valid_isbn(text: &str) -> bool {
    let digits = digits(text);
    match digits.len() {
        10 => is_isbn10(&digits),
        13 => is_isbn13(&digits),
        _ => false,
    }
}

fn digits(text: &str) -> Vec<u32> {
    let mut digits = Vec::new();
    let mut previous = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_letter = |c: char| c.is_alphabetic();
        let alone =
            !previous.is_some_and(is_letter) && !characters.peek().copied().is_some_and(is_letter);
        match character.to_digit(10) {
            Some(digit) => digits.push(digit),
            None if matches!(character, 'x' | 'X') && alone => digits.push(10),
            None => {}
        }
        previous = Some(character);
    }
    digits
}

fn is_isbn10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let sum: u32 = (1..).zip(rest).map(|(weight, digit)| weight * digit).sum();
    rest.iter().all(|digit| *digit < 10) && sum % 11 == *check
}

fn is_isbn13(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let sum: u32 = [1, 3]
        .iter()
        .cycle()
        .zip(rest)
        .map(|(weight, digit)| weight * digit)
        .sum();
    matches!(digits, [9, 7, 8 | 9, ..])
        && rest.iter().all(|digit| *digit < 10)
        && (10 - sum % 10) % 10 == *check
}

#[cfg(test)]
mod tests {
    use super::is_valid_isbn;

    #[test]
    fn valid() {
        for isbn in [
            "80-7000-123-2",
            "978-80-7000-123-3",
            "0-8044-2957-X",
            "80-7367-131-x",
            "80 251 0225 4",
            "ISBN 80-251-0225-4 (brož.)",
            "080442957X",
            "text 80-251-0225-4 (next)",
            "0000000000",
            "979-10-90636-07-1",
        ] {
            assert!(is_valid_isbn(isbn), "{isbn}");
        }
    }

    #[test]
    fn invalid() {
        for isbn in [
            "",
            "978-0-306-40115-7a8",
            "978-0-306-40615-8",
            "978-0-306-40115-7",
            "80-251-0225-5",
            "80-251-0225",
            "80-251-0225-44",
            "X000000000",
            "00000X0000",
            // the check digit is right, but this is the EAN of something else
            "1234567890128",
            "978-80-7000-123-X",
        ] {
            assert!(!is_valid_isbn(isbn), "{isbn}");
        }
    }
}
