//! What is written in the PID file: the daemon's number in the first line, as the original wrote it, and a second line once
//! the daemon has been told to end.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// The second line.
pub(super) const STOPPING: &str = "stopping";

/// Writes the number of this process, and the second line if there is one.
pub(super) fn write_pid(mut file: &File, second_line: Option<&str>) -> io::Result<()> {
    let mut text = format!("{}\n", std::process::id());
    if let Some(line) = second_line {
        text = format!("{text}{line}\n");
    }
    // Written over and not emptied first, for somebody may be reading: the number stays the same.
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

/// The number, if it is one that a process can have.
pub(super) fn read_pid(file: &File) -> Option<u32> {
    let pid: u32 = read_line(file, 0)?.parse().ok()?;
    (pid > 0 && i32::try_from(pid).is_ok()).then_some(pid)
}

/// Whether the daemon has noted that it was told to end.
pub(crate) fn is_stopping(file: &File) -> bool {
    read_line(file, 1).is_some_and(|line| line == STOPPING)
}

fn read_line(file: &File, number: usize) -> Option<String> {
    let mut bytes = [0; 32];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    text.lines().nth(number).map(|line| line.trim().to_owned())
}
