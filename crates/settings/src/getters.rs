//! Constants as typed values: text becomes a number, a time, a path here, and errors say which
//! constant, from which place, has what wrong.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::shown;
use crate::{Constants, Error, Origin};

impl Constants {
    /// A text that must not be empty.
    ///
    /// # Errors
    /// It is empty, or there is no such constant.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        let text = self.held(name)?;
        if text.is_empty() {
            return Err(self.invalid(name, "it is empty"));
        }
        Ok(text)
    }

    /// A whole number within `range`. As in Python, `5672.0` is one.
    ///
    /// # Errors
    /// It is no such number, or there is no such constant.
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>) -> Result<i64, Error> {
        let text = self.held(name)?.trim();
        whole(text).filter(|n| range.contains(n)).ok_or_else(|| {
            let (low, high) = range.into_inner();
            self.unfit(name, &format!("no whole number from {low} to {high}"))
        })
    }

    /// A finite number.
    ///
    /// # Errors
    /// It is none, or there is no such constant.
    pub fn float(&self, name: &str) -> Result<f64, Error> {
        let number = self.held(name)?.trim().parse::<f64>().ok();
        number
            .filter(|n| n.is_finite())
            .ok_or_else(|| self.unfit(name, "no number"))
    }

    /// A number of seconds within `range`, which may have a fraction.
    ///
    /// # Errors
    /// It is no such number, or there is no such constant.
    pub fn seconds(&self, name: &str, range: RangeInclusive<f64>) -> Result<Duration, Error> {
        let number = self.held(name)?.trim().parse::<f64>().ok();
        number
            .filter(|n| range.contains(n))
            .and_then(|n| Duration::try_from_secs_f64(n).ok())
            .ok_or_else(|| {
                let (low, high) = range.into_inner();
                self.unfit(name, &format!("no number of seconds from {low} to {high}"))
            })
    }

    /// A TCP port.
    ///
    /// # Errors
    /// It is none, or there is no such constant.
    pub fn port(&self, name: &str) -> Result<u16, Error> {
        whole(self.held(name)?.trim())
            .and_then(|n| u16::try_from(n).ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| self.unfit(name, "no port number (1-65535)"))
    }

    /// Yes or no: `1` or `0`.
    ///
    /// # Errors
    /// It is neither, or there is no such constant.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        match whole(self.held(name)?.trim()) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(self.unfit(name, "neither 0 nor 1")),
        }
    }

    /// The items of a list, which have neither commas nor blanks in them.
    ///
    /// # Errors
    /// There is no such constant.
    pub fn list(&self, name: &str) -> Result<Vec<&str>, Error> {
        let items = self
            .held(name)?
            .split(|c: char| c == ',' || c.is_whitespace());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    /// The absolute path of a file, or `None` if the constant is empty.
    ///
    /// # Errors
    /// The path is relative, or there is no such constant.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let text = self.held(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        let path = PathBuf::from(text);
        if path.is_relative() {
            return Err(self.unfit(name, "no absolute path"));
        }
        Ok(Some(path))
    }

    fn held(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::Unknown {
            name: name.to_owned(),
        })
    }

    /// The error that the value of `name` is `what` ("no port number"), with the value.
    pub(crate) fn unfit(&self, name: &str, what: &str) -> Error {
        let value = shown(name, self.get(name).unwrap_or_default());
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

/// A whole number, written as an integer or as a float without a fraction.
fn whole(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        // Beyond 2^53 a float no longer holds every integer.
        let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        exact.then_some(number as i64)
    })
}
