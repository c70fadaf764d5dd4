//! `edeposit_amqp_tool`: what it prints, how it ends, and what is in RabbitMQ afterwards.

mod call;
mod check;
mod create;
mod definitions;
mod get;
mod options;
mod printed;
mod put;
mod runner;
mod set_aside;
