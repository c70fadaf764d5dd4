//! `convert FILE|-`: the conversion on the command line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use edeposit_marcxml2mods::{CaseSelection, ConversionError, Settings};
use edeposit_settings::Declared;

/// The record cannot be converted.
const NOT_CONVERTED: u8 = 3;

const AFTER_HELP: &str = "\
Without --out the documents are printed one after another. Settings are those of the daemon (marcxml2mods.json),
unless an option says otherwise.

Exit codes: 0 done; 1 a file cannot be read or written, or the settings are wrong; 2 wrong usage;
3 the record cannot be converted. The reason is one line on standard error.";

/// What was typed.
#[derive(Debug, Args)]
struct Convert {
    /// Record in MARCXML or OAI MARC; `-`: standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// UUID of the package, written as an identifier
    #[arg(long)]
    uuid: Option<String>,

    /// Address of the electronic publication
    #[arg(long)]
    url: Option<String>,

    /// What the record is described as: monograph, auto, full, multivolume or periodical
    #[arg(long, value_name = "CASE")]
    case: Option<CaseSelection>,

    /// With the accidents of the original's documents, byte for byte
    #[arg(long)]
    byte_compat: bool,

    /// Write DIR/mods-0.xml, DIR/mods-1.xml, ... instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn command() -> Command {
    Convert::augment_args(Command::new("convert"))
        .about("Convert a record here and now, without a broker")
        .after_help(AFTER_HELP)
}

pub fn run(matches: &ArgMatches) -> ExitCode {
    let convert = Convert::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
    match convert.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let words = error.to_string();
            let line = match error.downcast_ref() {
                Some(ConversionError::NoUrl) => "the record has no address, give one with --url",
                _ => &words,
            };
            let causes = error.chain().skip(1).map(|cause| format!(": {cause}"));
            let line = format!("{line}{}", causes.collect::<String>()).replace('\n', " ");
            // nothing can be done about a closed standard error
            _ = writeln!(io::stderr(), "{line}");
            match error.is::<ConversionError>() {
                true => ExitCode::from(NOT_CONVERTED),
                false => ExitCode::FAILURE,
            }
        }
    }
}

impl Convert {
    fn run(self) -> anyhow::Result<()> {
        let mut settings = Settings::load()?;
        settings.case_selection = self.case.unwrap_or(settings.case_selection);
        settings.byte_compat |= self.byte_compat;
        let record = self.read(settings.max_record_bytes)?;
        let (uuid, url) = (self.uuid.as_deref(), self.url.as_deref());
        let documents = edeposit_marcxml2mods::convert(&record, uuid, url, &settings)?;
        match &self.out {
            Some(directory) => write(&documents, directory),
            None => print(&documents).context("standard output"),
        }
    }

    /// One byte more than the limit at most, so that the conversion sees that it is too large.
    fn read(&self, limit: usize) -> anyhow::Result<String> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let result = if self.file == Path::new("-") {
            io::stdin().take(limit).read_to_end(&mut bytes)
        } else {
            File::open(&self.file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        let name = self.file.display();
        result.with_context(|| format!("{name}: cannot be read"))?;
        String::from_utf8(bytes).with_context(|| format!("{name}: is not UTF-8"))
    }
}

fn print(documents: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for document in documents {
        out.write_all(document.as_bytes())?;
    }
    out.flush()
}

/// Each file is there as a whole or not at all, and replaces what had its name, a link too.
fn write(documents: &[String], directory: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{}: cannot be made", directory.display()))?;
    for (index, document) in documents.iter().enumerate() {
        let path = directory.join(format!("mods-{index}.xml"));
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(document.as_bytes())?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}
