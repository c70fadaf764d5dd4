//! `edeposit_amqp_tool`: what it prints, how it ends, and what is in RabbitMQ afterwards.

mod call;
mod create;
mod messages;
mod runner;
mod schema;
mod set_aside;
