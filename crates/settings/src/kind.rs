//! What values a setting takes: a kind, with its limits.
//!
//! All values are kept as text. A kind says which texts do, how JSON that is no text becomes one, and what documentation
//! and errors say of it: `seconds from 0.1 to 3600`.

use crate::given::Given;

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Text {
        may_be_empty: bool,
    },
    Path {
        may_be_empty: bool,
    },
    Integer {
        least: i64,
        most: i64,
    },
    Seconds {
        least: f64,
        most: f64,
    },
    Flag,
    List,
    Word(&'static [&'static str]),
    /// The mode of a file, in octal digits.
    Mode,
}

impl Kind {
    /// Does this text do?
    pub fn takes(self, text: &str) -> bool {
        match self {
            Kind::Text { may_be_empty } => may_be_empty || !text.is_empty(),
            Kind::Path { may_be_empty } => {
                text.starts_with('/') || (may_be_empty && text.is_empty())
            }
            Kind::Integer { least, most } => {
                whole(text).is_some_and(|number| (least..=most).contains(&number))
            }
            Kind::Seconds { least, most } => {
                let number = text.trim().parse::<f64>().ok();
                number.is_some_and(|number| (least..=most).contains(&number))
            }
            Kind::Flag => flag(text).is_some(),
            Kind::List => true,
            Kind::Word(words) => words.contains(&text),
            Kind::Mode => mode(text).is_some(),
        }
    }

    /// The text for a value as it was found, or what that value is instead of something usable ("an array").
    pub fn text_of(self, given: Given) -> Result<String, &'static str> {
        match (given, self) {
            (Given::Text(text), _) => Ok(text),
            (Given::Flag(flag), Kind::Flag) => Ok(flag.to_string()),
            (Given::List(items), Kind::List) if items.iter().any(|item| is_divided(item)) => {
                Err("a list with a blank or a comma in an item")
            }
            (Given::List(items), Kind::List) => Ok(items.join(",")),
            (Given::Flag(_), _) => Err("a boolean"),
            (Given::List(_), _) => Err("an array"),
            (Given::Unusable(what), _) => Err(what),
        }
    }

    /// What is taken, in words for documentation and errors; `unit` is what a whole number counts, or empty.
    pub fn in_words(self, unit: &str) -> String {
        let or_nothing = |may_be_empty| if may_be_empty { ", or nothing" } else { "" };
        match self {
            Kind::Text { may_be_empty } => format!("text{}", or_nothing(may_be_empty)),
            Kind::Path { may_be_empty } => format!("absolute paths{}", or_nothing(may_be_empty)),
            Kind::Integer { least, most } => {
                let of = if unit.is_empty() { "" } else { " of " };
                let up = match most {
                    i64::MAX => "on".to_owned(),
                    most => format!("to {most}"),
                };
                format!("whole numbers{of}{unit} from {least} {up}")
            }
            Kind::Seconds { least, most } => format!("seconds from {least} to {most}"),
            Kind::Flag => "true or false".to_owned(),
            Kind::List => "lists of texts".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Mode => "octal digits in a string".to_owned(),
        }
    }
}

/// A whole number, written as an integer or, as in Python, as a float without a fraction.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse::<i64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        // Beyond 2^53 a float no longer holds every integer.
        let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        exact.then_some(number as i64)
    })
}

/// Yes or no: `true` or `false`, as JSON has it, or `1` or `0`.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        number => match whole(number) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
    }
}

/// The mode of a file.
pub(crate) fn mode(text: &str) -> Option<u32> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o7777)
}

/// The items of a list in one text.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_divider).filter(|item| !item.is_empty())
}

fn is_divider(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn is_divided(item: &str) -> bool {
    item.contains(is_divider)
}
