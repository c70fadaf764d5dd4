//! The check digit of an ISBN, as the metadata and the names of files are tested.

/// Whether a text holds a valid ISBN: 10 or 13 digits with the right check digit, whatever stands between them. `x` counts
/// as the tenth digit of ten only.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter_map(|c| match c {
            'x' | 'X' => Some(10),
            c => c.to_digit(10),
        })
        .enumerate()
        .map(|(place, digit)| (digit < 10 || place == 9).then_some(digit))
        .take(14)
        .collect();
    let Some(digits) = digits else { return false };
    let sum =
        |weight: fn(u32) -> u32| -> u32 { (1..).zip(&digits).map(|(i, d)| weight(i) * d).sum() };
    match digits.len() {
        // the weight of the check digit is 10, that is -1
        10 => sum(|i| i) % 11 == 0,
        13 => digits[9] < 10 && sum(|i| 1 + 2 * ((i + 1) % 2)) % 10 == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn check_digits() {
        for good in [
            "80-86056-31-7",
            "978-80-87270-99-8",
            "9788087270998",
            "ISBN 80-251-0225-4",
            "080442957X",
            "0-8044-2957-x",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "80-86056-31-8",
            "978-80-87270-99-9",
            "97880872709980",
            "X80442957X",
            "0804429570",
            "978808727099X",
            "978-80-8727x-99-8",
            "1",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
