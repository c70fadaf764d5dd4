//! Whether packages can be laid out.

use edeposit_amqpdaemon::Finding;

use crate::dir::Dir;
use crate::{LtpError, Settings};

pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let directory = Finding::of_directory("EXPORT_DIR", &settings.export_dir);
    let state = state(&settings);
    // One that cannot be opened is told of once.
    [Some(directory), state.ok()]
        .into_iter()
        .flatten()
        .chain(open_to_all(&settings))
        .collect()
}

fn state(settings: &Settings) -> Result<Finding, LtpError> {
    let free = Dir::open(&settings.export_dir)?.free_bytes()?;
    let needed = settings.min_free_bytes;
    Ok(match free >= needed {
        true => Finding::ok(format!("{free} bytes are free there")),
        false => Finding::failed_for_now(format!(
            "{free} bytes are free there, less than MIN_FREE_BYTES ({needed})"
        ))
        .next("make room"),
    })
}

/// A warning if everybody can change packages.
fn open_to_all(settings: &Settings) -> Option<Finding> {
    let directory = Dir::open(&settings.export_dir).ok()?;
    directory.is_open_to_all().ok()?.then(|| {
        Finding::warning("everybody on this machine can change packages")
            .next(format!("run: chmod o-w {}", settings.export_dir.display()))
    })
}
