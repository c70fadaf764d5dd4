//! The process of a daemon, as an operator has it: commands, instances, ways to the broker, metrics.

mod hosts;
mod instances;
mod metrics;
mod process;
mod tls;
