//! `edeposit_amqp_tool`: what it prints, how it ends, and what is in RabbitMQ afterwards.

mod tool_call;
mod tool_create;
mod tool_messages;
mod tool_runner;
mod tool_schema;
mod tool_set_aside;
