//! The daemon of the submodule downloader: fetches files from the web for its callers.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_downloader::Downloader;

fn main() -> ExitCode {
    AmqpDaemon::of::<Downloader>()
        .about("AMQP API of the downloader module: fetches files from the web.")
        .run_from_args()
}
