//! A package: a directory with the publication, its MODS documents, manifests of checksums, and the info file.
//!
//! ```text
//! info_ID.xml
//! MD5_ID.md5
//! original/oc_ID.SUFFIX
//! metadata/mods_volume.xml
//! ```

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use edeposit_serializers::Base64;
use rustix::fs::Mode;
use rustix::io::Errno;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::book_id::BookId;
use crate::checksums::{Algorithm, Sums, manifest};
use crate::dir::Dir;
use crate::info::{Catalogued, Info};
use crate::{LtpError, Settings};

const ORIGINAL: &str = "original";
const METADATA: &str = "metadata";

/// What goes into a package.
pub(crate) struct Package<'a> {
    pub id: &'a BookId,
    /// The publication: suffix and content in base64.
    pub suffix: &'a str,
    pub b64_data: &'a str,
    /// Documents, at least one.
    pub mods: &'a [String],
    pub catalogued: &'a Catalogued,
    pub urn_nbn: Option<&'a str>,
    pub created: OffsetDateTime,
}

/// A file of a package.
struct Written {
    /// Within the package, with a leading slash.
    path: String,
    /// Bytes.
    size: u64,
    /// In hex, in the order of the settings' algorithms.
    sums: Vec<String>,
}

impl Package<'_> {
    /// Lays the package out in `dir`, which is empty and nobody else's. All of it has reached the disk when this returns.
    pub fn lay_out(
        &self,
        dir: &Dir,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Result<(), LtpError> {
        let id = self.id;
        let original = dir.make(ORIGINAL)?;
        let metadata = dir.make(METADATA)?;
        let mut files = vec![self.publication(&original, settings, stop)?];
        for (number, document) in self.mods.iter().enumerate() {
            let name = mods_name(number);
            let document = document.as_bytes();
            files.push(write(&metadata, METADATA, &name, settings, document)?);
        }
        let items: Vec<String> = files.iter().map(|file| file.path.clone()).collect();

        let mut manifests = Vec::new();
        for (index, algorithm) in settings.checksums.iter().enumerate() {
            let lines = manifest(
                files
                    .iter()
                    .map(|file| (file.path.as_str(), file.sums[index].as_str())),
            );
            let name = algorithm.manifest_name(id.as_str());
            manifests.push(write(dir, "", &name, settings, lines.as_bytes())?);
        }
        let size = files.iter().chain(&manifests).map(|file| file.size).sum();
        let md5 = settings.checksums.iter().position(|a| *a == Algorithm::Md5);
        let (path, sum) = md5.map_or(("", ""), |index| {
            let manifest = &manifests[index];
            (manifest.path.as_str(), manifest.sums[index].as_str())
        });
        let info = Info {
            created: self.created,
            id: id.as_str(),
            catalogued: self.catalogued,
            urn_nbn: self.urn_nbn,
            size,
            items: &items,
            manifest: (path, sum),
        };
        let name = format!("info_{id}.xml");
        write(dir, "", &name, settings, info.to_xml().as_bytes())?;

        for dir in [&original, &metadata, dir] {
            dir.set_mode(settings.dir_mode)?;
            dir.sync()?;
        }
        Ok(())
    }

    fn publication(
        &self,
        original: &Dir,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Result<Written, LtpError> {
        let name = format!("oc_{}.{}", self.id, self.suffix);
        let mut file = Output::new(original, ORIGINAL, &name, settings)?;
        Base64::decode_in_pieces(self.b64_data, |piece| {
            if stop.is_cancelled() {
                return Err(LtpError::GivenUp);
            }
            file.put(piece)?;
            if file.size > settings.max_file_size {
                return Err(LtpError::TooLarge(settings.max_file_size));
            }
            Ok(())
        })?;
        file.finish()
    }
}

/// `mods_volume.xml`, then `mods_volume_1.xml` and so on.
fn mods_name(number: usize) -> String {
    match number {
        0 => "mods_volume.xml".to_owned(),
        more => format!("mods_volume_{more}.xml"),
    }
}

/// Writes a whole file. `place` is the path of `dir` within the package.
fn write(
    dir: &Dir,
    place: &str,
    name: &str,
    settings: &Settings,
    content: &[u8],
) -> Result<Written, LtpError> {
    let mut file = Output::new(dir, place, name, settings)?;
    file.put(content)?;
    file.finish()
}

/// A file being written, and its checksums.
struct Output<'a> {
    file: File,
    dir: &'a Dir,
    name: &'a str,
    path: String,
    mode: u32,
    size: u64,
    sums: Sums,
}

impl<'a> Output<'a> {
    fn new(
        dir: &'a Dir,
        place: &str,
        name: &'a str,
        settings: &Settings,
    ) -> Result<Self, LtpError> {
        let slash = if place.is_empty() { "" } else { "/" };
        Ok(Self {
            file: dir.create(name)?,
            dir,
            name,
            path: format!("{slash}{place}/{name}"),
            mode: settings.file_mode,
            size: 0,
            sums: Sums::new(&settings.checksums),
        })
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), LtpError> {
        self.file
            .write_all(piece)
            .map_err(|error| self.refused(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        self.size += piece.len() as u64;
        self.sums.update(piece);
        Ok(())
    }

    fn finish(self) -> Result<Written, LtpError> {
        let fd = self.file.as_fd();
        rustix::fs::fchmod(fd, Mode::from_raw_mode(self.mode))
            .and_then(|()| rustix::fs::fsync(fd))
            .map_err(|errno| self.refused(errno))?;
        Ok(Written {
            path: self.path,
            size: self.size,
            sums: self.sums.finish(),
        })
    }

    fn refused(&self, errno: Errno) -> LtpError {
        LtpError::at("writing", &self.dir.path().join(self.name))(errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The original wrote `%d` into the name of a second document.
    #[test]
    fn names_of_documents() {
        assert_eq!(mods_name(0), "mods_volume.xml");
        assert_eq!(mods_name(2), "mods_volume_2.xml");
    }
}
