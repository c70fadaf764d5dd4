//! The daemon of the submodule ltp: lays out packages for long-term preservation.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_ltp::Ltp;

fn main() -> ExitCode {
    AmqpDaemon::of::<Ltp>()
        .about("AMQP API of the ltp module: lays out packages for long-term preservation.")
        .run_from_args()
}
