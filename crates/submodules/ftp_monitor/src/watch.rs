//! Waiting until something happens to the log, without asking all the time.

use std::path::Path;
use std::time::Duration;

use inotify::{Inotify, WatchMask};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Notices that a file in a directory is made, renamed or written to.
pub(crate) struct Watch {
    inotify: Option<Inotify>,
}

impl Watch {
    /// Watches the directory of this file. If that cannot be done, waiting takes its full time.
    pub(crate) fn of(log: &Path) -> Self {
        let mask = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::MODIFY | WatchMask::DELETE;
        let watch = || {
            let inotify = Inotify::init()?;
            inotify
                .watches()
                .add(log.parent().unwrap_or(Path::new("/")), mask)?;
            Ok::<_, std::io::Error>(inotify)
        };
        let inotify = watch().inspect_err(|error| {
            tracing::info!(%error, log = %log.display(), "the log's directory is not watched, but looked at");
        });
        Self {
            inotify: inotify.ok(),
        }
    }

    /// Waits until something has happened, so long at most.
    pub(crate) fn wait(&mut self, at_most: Duration) {
        let Some(inotify) = &mut self.inotify else {
            return std::thread::sleep(at_most);
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        let mut ready = [PollFd::new(inotify, PollFlags::IN)];
        // interrupted or not: whoever waits looks again anyway
        let happened = poll(&mut ready, Some(&timeout)).unwrap_or_default();
        if happened > 0 {
            let mut buffer = [0; 4096];
            while inotify
                .read_events(&mut buffer)
                .is_ok_and(|mut events| events.next().is_some())
            {}
        }
    }
}
