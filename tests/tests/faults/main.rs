//! The catalogue of faults: one test a row, named `fault_NN_...`; each shows what its row promises.
//!
//! What is injected is real: a TCP proxy that fails, a RabbitMQ node that is killed, frozen, stopped or told to refuse.

mod alarms;
mod broker;
mod connecting;
mod harness;
mod hostile;
mod messages;
mod network;
mod poison;
mod pressure;
mod process;
mod world;
