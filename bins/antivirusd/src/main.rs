//! The daemon of the submodule antivirus: checks its callers' files with ClamAV.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_antivirus::Antivirus;

fn main() -> ExitCode {
    AmqpDaemon::of::<Antivirus>()
        .about("AMQP API of the antivirus module: checks files with ClamAV.")
        .run_from_args()
}
