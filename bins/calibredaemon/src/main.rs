//! The daemon of the submodule calibre: converts e-books for its callers.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_calibre::Calibre;

fn main() -> ExitCode {
    AmqpDaemon::of::<Calibre>()
        .about("AMQP API of the calibre module: converts e-books.")
        .run_from_args()
}
