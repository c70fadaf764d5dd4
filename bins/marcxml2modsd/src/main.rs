//! The daemon of the submodule marcxml2mods: converts catalogue records to MODS. `convert` does it without a broker.

mod convert;

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_marcxml2mods::Marcxml2Mods;

fn main() -> ExitCode {
    AmqpDaemon::of::<Marcxml2Mods>()
        .about("AMQP API of the marcxml2mods module: converts catalogue records to MODS.")
        .own_command(convert::command(), convert::run)
        .run_from_args()
}
