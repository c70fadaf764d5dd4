//! A submodule with a temporary directory of its own, which must be empty in the end.

#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use edeposit_amqpdaemon::Exception;
use edeposit_calibre::messages::{ConversionRequest, ConversionResponse};
use edeposit_calibre::{Calibre, Sandbox, Settings};
use edeposit_serializers::Base64;
use edeposit_settings::{Declared, Sources};
use tempfile::TempDir;

pub const CZECH: &str = "Příklad\n\nPříliš žluťoučký kůň úpěl ďábelské ódy.\n";

pub struct World {
    pub calibre: Calibre,
    pub dir: TempDir,
}

impl World {
    /// With the real converter, and settings changed by `change`.
    pub fn new(change: impl FnOnce(&mut Settings)) -> World {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("jobs")).unwrap();
        let mut settings = Settings::load_sources(&Sources::none()).unwrap();
        settings.temp_dir = dir.path().join("jobs");
        change(&mut settings);
        World {
            calibre: Calibre::new(settings).unwrap(),
            dir,
        }
    }

    /// With a shell script in place of the converter; no sandbox, so that it can tell what it sees by files.
    pub fn with_script(script: &str, change: impl FnOnce(&mut Settings)) -> World {
        World::new(|settings| {
            settings.ebook_convert = program(settings.temp_dir.parent().unwrap(), script);
            settings.sandbox = Sandbox::Off;
            change(settings);
        })
    }

    pub fn jobs(&self) -> PathBuf {
        self.dir.path().join("jobs")
    }

    pub fn leftovers(&self) -> usize {
        fs::read_dir(self.jobs()).unwrap().count()
    }

    pub async fn convert(
        &self,
        from: &str,
        to: &str,
        book: &[u8],
    ) -> Result<ConversionResponse, Exception> {
        self.calibre.convert(&request(from, to, book)).await
    }
}

pub fn request(from: &str, to: &str, book: &[u8]) -> ConversionRequest {
    ConversionRequest {
        input_format: from.to_owned(),
        output_format: to.to_owned(),
        b64_data: edeposit_serializers::to_value(&Base64(book.to_vec()))
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned(),
    }
}

/// The book of an answer.
pub fn book(response: &ConversionResponse) -> Vec<u8> {
    Base64::decode(&response.b64_data).unwrap().0
}

fn program(dir: &Path, script: &str) -> String {
    let path = dir.join("ebook-convert");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}
