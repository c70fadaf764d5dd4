//! The daemon of the submodule template_name: template_about.

use std::process::ExitCode;

use edeposit_amqpdaemon::AmqpDaemon;
use edeposit_template_name::TemplateName;

fn main() -> ExitCode {
    AmqpDaemon::of::<TemplateName>()
        .about("AMQP API of the template_name module: template_about.")
        .run_from_args()
}
