//! The daemon of the submodule ftp: keeps the accounts of the FTP server.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_ftp_manager::FtpManager;

fn main() -> ExitCode {
    AmqpDaemon::of::<FtpManager>()
        .about("ProFTPD user manager: adds, removes and changes users over AMQP.")
        // a request may build on the one before: settings of a user who has just been added
        .strict_order()
        .run_from_args()
}
