//! The name of a submodule, and what is called after it.

use std::fmt;

use anyhow::{Result, bail};

/// A submodule's name, such as `word_count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Takes a name from which all others can be made: of the crate, the program, the type, the settings.
    ///
    /// # Errors
    /// It is no such name.
    pub fn new(name: &str) -> Result<Self> {
        let is_word = |word: &str| {
            let is_of_words = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            !word.is_empty() && word.chars().all(is_of_words)
        };
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || !name.split('_').all(is_word) {
            bail!(
                "'{name}' is no name of a submodule: it has to be lower-case letters, digits and single '_', with a letter \
                 first, such as word_count"
            );
        }
        Ok(Self(name.to_owned()))
    }

    /// `word_count`: the submodule, its directory, its page.
    pub fn snake(&self) -> &str {
        &self.0
    }

    /// `word-count`: the crate, behind `edeposit-`.
    pub fn kebab(&self) -> String {
        self.0.replace('_', "-")
    }

    /// `WORD_COUNT`: the settings.
    pub fn upper(&self) -> String {
        self.0.to_ascii_uppercase()
    }

    /// `WordCount`: the type.
    pub fn camel(&self) -> String {
        let words = self.0.split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        });
        words.collect()
    }

    /// `edeposit-word-count`
    pub fn library(&self) -> String {
        format!("edeposit-{}", self.kebab())
    }

    /// `edeposit_amqp_word_countd`
    pub fn program(&self) -> String {
        format!("edeposit_amqp_{}d", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_after_it() -> Result<()> {
        let name = Name::new("word_count_2")?;
        assert_eq!(name.library(), "edeposit-word-count-2");
        assert_eq!(name.program(), "edeposit_amqp_word_count_2d");
        assert_eq!(
            (&*name.camel(), &*name.upper()),
            ("WordCount2", "WORD_COUNT_2")
        );
        Ok(())
    }

    #[test]
    fn what_is_no_name() {
        for no_name in [
            "",
            "Roman",
            "word-count",
            "_x",
            "x_",
            "a__b",
            "2d",
            "č",
            "a/b",
        ] {
            let error = Name::new(no_name).unwrap_err().to_string();
            assert!(error.contains(&format!("'{no_name}'")), "{error}");
        }
    }
}
