//! The daemon of the submodule aleph: searches the library catalogue for its callers.

use std::process::ExitCode;

use edeposit_aleph::Aleph;
use edeposit_amqpdaemon::AmqpDaemon;

fn main() -> ExitCode {
    AmqpDaemon::of::<Aleph>()
        .about("AMQP API of the aleph module: searches the library catalogue.")
        .run_from_args()
}
