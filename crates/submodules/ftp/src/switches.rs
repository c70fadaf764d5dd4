//! The five switches a user may have, kept as five letters in the GECOS field of the password file.

/// The five switches, in the order in which they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// `SAME_NAME_DIR_PAIRING`: pair files of one name in one directory.
    pub same_name_dir_pairing: bool,
    /// `SAME_DIR_PAIRING`: pair the two files of a directory that holds just two.
    pub same_dir_pairing: bool,
    /// `ISBN_PAIRING`: pair files named by the same valid ISBN anywhere in the home.
    pub isbn_pairing: bool,
    /// `CREATE_IMPORT_LOG`: write the import report.
    pub create_import_log: bool,
    /// `LEAVE_BAD_FILES`: keep metadata files that could not be parsed.
    pub leave_bad_files: bool,
}

impl Switches {
    fn to_array(self) -> [bool; 5] {
        [
            self.same_name_dir_pairing,
            self.same_dir_pairing,
            self.isbn_pairing,
            self.create_import_log,
            self.leave_bad_files,
        ]
    }

    fn from_array(
        [
            same_name_dir_pairing,
            same_dir_pairing,
            isbn_pairing,
            create_import_log,
            leave_bad_files,
        ]: [bool; 5],
    ) -> Self {
        Self {
            same_name_dir_pairing,
            same_dir_pairing,
            isbn_pairing,
            create_import_log,
            leave_bad_files,
        }
    }

    /// As they are stored: `tfttf`.
    #[must_use]
    pub fn gecos(self) -> String {
        let letter = |on: bool| if on { 't' } else { 'f' };
        self.to_array().map(letter).iter().collect()
    }
}

/// What a user's GECOS field says of the switches; each may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredSwitches([Option<bool>; 5]);

impl StoredSwitches {
    /// Reads a GECOS field. One that is not up to five of `t`, `T`, `f`, `F`, such as a person's name, stores nothing.
    #[must_use]
    pub fn parse(gecos: &[u8]) -> Self {
        let letters = gecos.trim_ascii();
        let mut stored = Self::default();
        if letters.len() > 5 || !letters.iter().all(|c| b"tTfF".contains(c)) {
            return stored;
        }
        for (place, letter) in stored.0.iter_mut().zip(letters) {
            *place = Some(letter.eq_ignore_ascii_case(&b't'));
        }
        stored
    }

    /// What is stored; for what is not, the global values.
    #[must_use]
    pub fn or(self, global: Switches) -> Switches {
        self.with(global, |stored, global| stored.unwrap_or(global))
    }

    /// What is in force: a switch must be on both globally and for the user; one that is not stored counts as on.
    #[must_use]
    pub fn in_force(self, global: Switches) -> Switches {
        self.with(global, |stored, global| global && stored.unwrap_or(true))
    }

    fn with(self, global: Switches, each: impl Fn(Option<bool>, bool) -> bool) -> Switches {
        let mut values = global.to_array();
        for (value, stored) in values.iter_mut().zip(self.0) {
            *value = each(stored, *value);
        }
        Switches::from_array(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Switches = Switches {
        same_name_dir_pairing: true,
        same_dir_pairing: true,
        isbn_pairing: true,
        create_import_log: true,
        leave_bad_files: true,
    };

    #[test]
    fn five_letters() {
        let stored = StoredSwitches::parse(b" tFtTf ").or(ON);
        assert_eq!(stored.gecos(), "tfttf");
        assert!(stored.same_name_dir_pairing && !stored.same_dir_pairing);
        assert!(stored.create_import_log && !stored.leave_bad_files);
        let stored = StoredSwitches::parse(b"ff");
        assert_eq!(stored.or(ON).gecos(), "ffttt");
        for nothing in [&b""[..], b"Jan Novak", b"tttttt", b"txttt", b"f f"] {
            assert_eq!(
                StoredSwitches::parse(nothing),
                StoredSwitches::default(),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn both_must_be_on() {
        let mut global = ON;
        global.isbn_pairing = false;
        let stored = StoredSwitches::parse(b"tftt");
        assert_eq!(stored.in_force(global).gecos(), "tfftt");
        assert_eq!(stored.or(global).gecos(), "tfttt");
    }
}
