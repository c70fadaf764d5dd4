//! Constants as typed values: text becomes a number, a time, a path here, and errors say which
//! constant, from which place, has what wrong. Limits are those of the declaration.

use std::path::PathBuf;
use std::time::Duration;

use crate::kind::{flag, items, mode, whole};
use crate::{Constants, Error, Origin, Setting};

impl Constants {
    /// A text, or a word. It is empty only if that is declared so.
    ///
    /// # Errors
    /// Its declaration does not take it, or there is no such constant.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        Ok(self.checked(name)?.0)
    }

    /// A whole number. As in Python, `5672.0` is one.
    ///
    /// # Errors
    /// It is none, or not within its limits or those of `T`, or there is no such constant.
    pub fn integer<T: TryFrom<i64>>(&self, name: &str) -> Result<T, Error> {
        self.parsed(name, |text| T::try_from(whole(text)?).ok())
    }

    /// A number of seconds, which may have a fraction.
    ///
    /// # Errors
    /// It is none, or not within its limits, or there is no such constant.
    pub fn seconds(&self, name: &str) -> Result<Duration, Error> {
        self.parsed(name, |text| {
            let number = text.trim().parse().ok()?;
            Duration::try_from_secs_f64(number).ok()
        })
    }

    /// Yes or no.
    ///
    /// # Errors
    /// It is neither, or there is no such constant.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        self.parsed(name, flag)
    }

    /// The items of a list, which have neither commas nor blanks in them.
    ///
    /// # Errors
    /// There is no such constant.
    pub fn list(&self, name: &str) -> Result<Vec<&str>, Error> {
        Ok(items(self.checked(name)?.0).collect())
    }

    /// An absolute path that is not empty.
    ///
    /// # Errors
    /// It is relative or empty, or there is no such constant.
    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        self.optional_path(name)?
            .ok_or_else(|| self.invalid(name, "it is empty"))
    }

    /// An absolute path, or `None` if the constant is empty.
    ///
    /// # Errors
    /// The path is relative, or there is no such constant.
    pub fn optional_path(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let (text, _) = self.checked(name)?;
        Ok(Some(PathBuf::from(text)).filter(|_| !text.is_empty()))
    }

    /// The mode of a file.
    ///
    /// # Errors
    /// It is none, or there is no such constant.
    pub fn mode(&self, name: &str) -> Result<u32, Error> {
        self.parsed(name, mode)
    }

    /// The value of a constant that its declaration takes.
    fn checked(&self, name: &str) -> Result<(&str, &'static Setting), Error> {
        let held = self.get(name).zip(self.setting(name));
        let (text, setting) = held.ok_or_else(|| Error::Unknown {
            name: name.to_owned(),
        })?;
        match setting.problem(text) {
            Some(problem) => Err(self.invalid(name, &problem)),
            None => Ok((text, setting)),
        }
    }

    fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let (text, setting) = self.checked(name)?;
        parse(text).ok_or_else(|| {
            let value = format!("'{}'", setting.shown(text));
            self.invalid(name, &setting.unusable(&value))
        })
    }

    /// The error that the value of `name` is `what` ("no address"), with the value.
    #[must_use]
    pub fn unfit(&self, name: &str, what: &str) -> Error {
        let value = self.get(name).unwrap_or_default();
        let value = match self.setting(name) {
            Some(setting) => setting.shown(value),
            None => "".into(),
        };
        self.invalid(name, &format!("'{value}' is {what}"))
    }

    /// The error that something is wrong with the value of `name`: `problem` says what ("it names no server").
    #[must_use]
    pub fn invalid(&self, name: &str, problem: &str) -> Error {
        Error::Value {
            name: name.to_owned(),
            origin: self.origin(name).cloned().unwrap_or(Origin::Default),
            problem: problem.to_owned(),
        }
    }
}
