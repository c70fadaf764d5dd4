//! One conversion, from the book's bytes to the answer's, on the thread that calls.
//!
//! The converter runs in a [group](crate::group) of its own, of which nothing is left, whatever ends the conversion:
//! success, failure, a limit, nobody waiting any more. Then its directory is removed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::command::{Converter, INSIDE};
use crate::failure::Failure;
use crate::formats::converters_name;
use crate::group::{End, Group};
use crate::job_dir::JobDir;
use crate::log::{Log, text};
use crate::output;
use crate::request::Work;
use crate::settings::Settings;

/// A converted book.
#[derive(Debug)]
pub(crate) struct Converted {
    pub b64_data: String,
    pub protocol: String,
}

/// Converts a book. Ends early, and in vain, when the other end of `caller` is closed.
pub(crate) fn convert(
    converter: &Converter,
    settings: &Settings,
    work: Work,
    caller: BorrowedFd<'_>,
) -> Result<Converted, Failure> {
    let dir = JobDir::new(&settings.temp_dir).map_err(|source| Failure::Directory {
        parent: settings.temp_dir.clone(),
        source,
    })?;
    let input = format!("document.{}", work.from);
    let output = format!("{input}.{}", converters_name(work.to));
    dir.create_in_work(&input)?.write_all(&work.book)?;
    drop(work.book);

    let mut arguments = vec![input.as_str(), output.as_str()];
    if work.from == "html" {
        // Links would be followed to other files of this machine.
        arguments.push("--max-levels=0");
    }
    let (stdout, stderr) = (dir.create("stdout")?, dir.create("stderr")?);
    // Opened before anybody could put something else in their place.
    let written = (open_log(&dir, "stdout")?, open_log(&dir, "stderr")?);
    let work_dir = dir.work();
    let child = converter
        .command(settings, &work_dir, &arguments)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    let ended =
        Group::new(child, &work_dir, converter.is_sandboxed()).watch(settings, dir.path(), caller);
    let private = [&*work_dir.to_string_lossy(), INSIDE];
    let log = Log {
        stdout: text(written.0, private)?,
        stderr: text(written.1, private)?,
    };
    let failed = |reason: String| Failure::Conversion(reason, log.tail());
    match ended? {
        End::Ended(status) if status.success() => {}
        End::Ended(status) => return Err(failed(in_words(status))),
        End::Timeout => {
            return Err(failed(format!(
                "killed after {} s (TIMEOUT)",
                settings.timeout.as_secs_f64()
            )));
        }
        End::Space => {
            return Err(failed(format!(
                "killed, as its files had more than {} bytes, or could not be counted (MAX_TEMP_SIZE)",
                settings.max_temp_size
            )));
        }
        End::Abandoned => return Err(Failure::Abandoned),
    }
    let phrase = format!(
        "{} output written to",
        converters_name(work.to).to_uppercase()
    );
    if !log.stdout.contains(&phrase) {
        return Err(failed("it did not say that it wrote a book".to_owned()));
    }
    let limit = settings.max_output_size;
    let b64_data = output::encoded(&work_dir.join(&output), work.to, limit)
        .map_err(|error| failed(format!("its output cannot be read: {error}")))?
        .ok_or_else(|| {
            failed(format!(
                "its output is larger than {limit} bytes (MAX_OUTPUT_SIZE)"
            ))
        })?;
    Ok(Converted {
        b64_data,
        protocol: log.stdout,
    })
}

fn open_log(dir: &JobDir, name: &str) -> io::Result<File> {
    File::open(dir.path().join(name))
}

/// A converter that a signal ended comes as 128 and the signal's number, from the shell that leads its group.
fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code @ 129..), _) => format!("ended by signal {}", code - 128),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
