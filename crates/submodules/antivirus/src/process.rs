//! Running a program: no shell, bounded in time and output, and nothing of it left afterwards.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::AntivirusError;

/// Bytes kept of each output; the rest is read and dropped.
const KEPT: usize = 1024 * 1024;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; the signal, negative; none if it was ended for taking too long.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `program`, feeding it `input`. When this is over, or dropped, so are the program and all that it started.
pub(crate) async fn run(
    program: &str,
    args: &[impl AsRef<OsStr>],
    input: &[u8],
    limit: Duration,
) -> Result<Ended, AntivirusError> {
    let mut child = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| match source.kind() {
            ErrorKind::NotFound => AntivirusError::CommandNotFound(program.to_owned()),
            _ => AntivirusError::System {
                doing: "starting a program",
                source,
            },
        })?;
    let group = Group::of(&child);
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // a program that ends without reading everything tells by its status
            let _ = stdin.write_all(input).await;
        }
    };
    let end = async {
        let status = child.wait().await;
        group.end();
        status
    };
    let ended = timeout(limit, async {
        tokio::join!(end, feed, keep(out, &mut stdout), keep(err, &mut stderr)).0
    })
    .await;
    drop(group);
    let status = match ended {
        Ok(Ok(status)) => status.code().or(status.signal().map(|signal| -signal)),
        Ok(Err(source)) => {
            let doing = "waiting for a program";
            return Err(AntivirusError::System { doing, source });
        }
        Err(_) => None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended {
        status,
        stdout: text(&stdout),
        stderr: text(&stderr),
    })
}

async fn keep(source: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut source) = source else { return };
    let mut block = vec![0; 8192];
    while let Ok(count @ 1..) = source.read(&mut block).await {
        let room = KEPT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&block[..room]);
    }
}

/// A program's process group, which ends with this value.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    fn end(&self) {
        if let Some(pid) = self.0 {
            // an error says that there is nobody left
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_status_and_input() {
        let limit = Duration::from_secs(20);
        let script = "cat; echo oops >&2; exit 3";
        let ended = run("sh", &["-c", script], b"hello", limit).await.unwrap();
        assert_eq!(ended.status, Some(3));
        assert_eq!((&*ended.stdout, &*ended.stderr), ("hello", "oops\n"));
        let ended = run("sh", &["-c", "kill -9 $$"], b"", limit).await.unwrap();
        assert_eq!(ended.status, Some(-9));
        let missing = run("edeposit-no-such-program", &[""; 0], b"", limit).await;
        assert!(matches!(missing, Err(AntivirusError::CommandNotFound(_))));
        let much = "head -c 3000000 /dev/zero";
        let ended = run("sh", &["-c", much], b"", limit).await.unwrap();
        assert_eq!(ended.stdout.len(), KEPT);
    }

    /// A child of the program that would go on for a minute is gone when the time is up.
    #[tokio::test]
    async fn nothing_is_left_after_the_limit() {
        let script = "sleep 60 & echo $!; wait";
        let ended = run("sh", &["-c", script], b"", Duration::from_millis(700))
            .await
            .unwrap();
        assert_eq!(ended.status, None);
        let grandchild = ended.stdout.trim().parse::<i32>().unwrap();
        edeposit_testkit::wait_until("it ends", Duration::from_secs(10), async || {
            // until its parent has asked for its status it is a zombie, which has no command line
            std::fs::read(format!("/proc/{grandchild}/cmdline"))
                .map_or(true, |line| line.is_empty())
        })
        .await
        .unwrap();
    }
}
