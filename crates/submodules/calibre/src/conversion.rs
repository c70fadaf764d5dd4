//! One conversion, from the book's bytes to the converted book's, on the thread that calls.
//!
//! The converter runs in a process group of its own. Whatever ends the conversion (success, failure, a limit, nobody
//! waiting any more) the whole group is killed before the converter's process is reaped, so that its number cannot
//! have become another's, and then its directory is removed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::command::Converter;
use crate::failure::Failure;
use crate::formats::converters_name;
use crate::job_dir::{self, JobDir};
use crate::log::Log;
use crate::oeb;
use crate::request::Work;
use crate::settings::Settings;

/// How often the directory's size is looked at.
const WATCH: Duration = Duration::from_millis(500);

/// The converter's standard output and error kept of a conversion, bytes each.
const MAX_LOG: u64 = 1 << 20;

/// A converted book.
#[derive(Debug)]
pub(crate) struct Converted {
    pub book: Vec<u8>,
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
    File::create_new(dir.work().join(&input))?.write_all(&work.book)?;
    drop(work.book);

    let mut arguments = vec![input.as_str(), output.as_str()];
    if work.from == "html" {
        // Links would be followed to other files of this machine.
        arguments.push("--max-levels=0");
    }
    let (stdout, stderr) = (dir.file("stdout"), dir.file("stderr"));
    let child = converter
        .command(settings, &dir.work(), &arguments)
        .stdout(File::create_new(&stdout)?)
        .stderr(File::create_new(&stderr)?)
        .spawn()?;
    let ended = Group(child).watch(settings, &dir, caller);

    let log = Log {
        stdout: text(&stdout, &dir)?,
        stderr: text(&stderr, &dir)?,
    };
    let failed = |reason: String| Failure::Conversion(reason, log.tail());
    match ended? {
        End::Ended(status) if status.success() => {}
        End::Ended(status) => return Err(failed(in_words(status))),
        End::Timeout => {
            return Err(failed(format!(
                "killed after {} s",
                settings.timeout.as_secs_f64()
            )));
        }
        End::Space => {
            return Err(failed(format!(
                "killed, as its files had more than {} bytes (MAX_TEMP_SIZE)",
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
    let path = dir.work().join(&output);
    let limit = settings.max_output_size;
    let book = match work.to {
        "oeb" => oeb::zipped(&path, limit),
        _ => file(&path, limit),
    };
    let book = book.map_err(|error| failed(format!("its output cannot be read: {error}")))?;
    let book = book.ok_or_else(|| {
        failed(format!(
            "its output is larger than {limit} bytes (MAX_OUTPUT_SIZE)"
        ))
    })?;
    Ok(Converted {
        book,
        protocol: log.stdout,
    })
}

/// Why the converter runs no more.
enum End {
    Ended(ExitStatus),
    Timeout,
    Space,
    Abandoned,
}

/// The converter, leader of its process group.
struct Group(Child);

impl Group {
    /// Waits for the converter's end, or brings it about.
    fn watch(
        mut self,
        settings: &Settings,
        dir: &JobDir,
        caller: BorrowedFd<'_>,
    ) -> io::Result<End> {
        let pidfd = pidfd_open(self.pid()?, PidfdFlags::empty())?;
        let start = Instant::now();
        loop {
            let left = settings.timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(End::Timeout);
            }
            let pause = Timespec::try_from(left.min(WATCH)).map_err(io::Error::other)?;
            let mut polled = [
                PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(caller, PollFlags::IN),
            ];
            match poll(&mut polled, Some(&pause)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if !polled[1].revents().is_empty() {
                return Ok(End::Abandoned);
            }
            if !polled[0].revents().is_empty() {
                self.kill();
                return Ok(End::Ended(self.0.wait()?));
            }
            if job_dir::size(&dir.work()) > settings.max_temp_size {
                return Ok(End::Space);
            }
        }
    }

    fn pid(&self) -> io::Result<Pid> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::other("the converter has no process id"))
    }

    /// Only before the leader is reaped.
    fn kill(&self) {
        if let Ok(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// However the wait ended, nobody survives it.
impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.kill();
            let _ = self.0.wait();
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The end of a log, without the names of private directories.
fn text(path: &Path, dir: &JobDir) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LOG)))?;
    let mut bytes = Vec::new();
    file.take(MAX_LOG).read_to_end(&mut bytes)?;
    let work = dir.work();
    Ok(String::from_utf8_lossy(&bytes)
        .replace(&format!("{}/", work.display()), "")
        .replace(&*work.to_string_lossy(), ".")
        .replace(&format!("{}/", crate::command::INSIDE), ""))
}

/// A regular file's bytes; none if it is larger than `limit`.
pub(crate) fn file(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > limit {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
