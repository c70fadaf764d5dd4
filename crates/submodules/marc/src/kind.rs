//! Book, periodical or work in several volumes: what the leader says of a publication.

use crate::Record;

/// The kind of publication a record describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A monograph of which nothing more is known, or a part of one.
    Monographic,
    /// A monograph in one volume.
    SingleUnit,
    /// A work in several volumes, or one volume of it.
    MultipartMonograph,
    /// A continuing resource: periodical, series, updated web site.
    Continuing,
}

impl Kind {
    /// The original's name of the kind, e.g. `multipart_monograph`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monographic => "monographic",
            Self::SingleUnit => "single_unit",
            Self::MultipartMonograph => "multipart_monograph",
            Self::Continuing => "continuing",
        }
    }
}

impl Record {
    /// The kind of publication.
    ///
    /// The control field `FMT` with `SE` means a continuing resource. Else the leader tells, counted from 0: position 7
    /// is the bibliographic level, position 19 the level in a work of several parts. Without a leader, or with one too
    /// short, the publication is monographic.
    ///
    /// The original was one position off, took the type of record (position 6) for the bibliographic level and thus
    /// knew a periodical by `FMT` alone; a record without leader made it fail.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.is_summary_record() {
            return Kind::Continuing;
        }
        let position = |n| {
            self.leader
                .as_ref()
                .and_then(|leader| leader.chars().nth(n))
        };
        match position(7) {
            Some('b' | 'i' | 's') => Kind::Continuing,
            Some('m') if !self.part_number().is_empty() || !self.part_name().is_empty() => {
                Kind::MultipartMonograph
            }
            Some('m') => match position(19) {
                Some('a' | 'b' | 'c') => Kind::MultipartMonograph,
                // Aleph and others show a blank as one of these
                Some(' ' | '-' | '^' | '#') => Kind::SingleUnit,
                _ => Kind::Monographic,
            },
            _ => Kind::Monographic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leader_decides() {
        let part = r#"<datafield tag="245"><subfield code="n">2</subfield></datafield>"#;
        let fmt = r#"<controlfield tag="FMT">SE</controlfield>"#;
        for (leader, rest, kind) in [
            (Some("-----nam-a22------a-4500"), "", Kind::SingleUnit),
            (Some("00000nam^^2200265^a^4500"), "", Kind::SingleUnit),
            (
                Some("00000nam a2200265 aa4500"),
                "",
                Kind::MultipartMonograph,
            ),
            (
                Some("-----nam-a22------a-4500"),
                part,
                Kind::MultipartMonograph,
            ),
            (Some("-----nas-a22------i-4500"), "", Kind::Continuing),
            (Some("-----nab-a22------i-4500"), "", Kind::Continuing),
            (Some("-----nai-a22------i-4500"), "", Kind::Continuing),
            // a sound recording: type of record `i` says nothing about periodicity
            (Some("-----nim-a22------a-4500"), "", Kind::SingleUnit),
            (Some("-----naa-a22------a-4500"), part, Kind::Monographic),
            (Some("-----nam"), "", Kind::Monographic),
            (Some("-----na"), "", Kind::Monographic),
            (Some("abc"), fmt, Kind::Continuing),
            (Some("-----nam-a22------a-4500"), fmt, Kind::Continuing),
            (None, "", Kind::Monographic),
            (None, fmt, Kind::Continuing),
        ] {
            let leader = leader.map_or(String::new(), |l| format!("<leader>{l}</leader>"));
            let record = Record::from_xml(&format!("<record>{leader}{rest}</record>")).unwrap();
            assert_eq!(record.kind(), kind, "{leader} {rest}");
        }
    }
}
