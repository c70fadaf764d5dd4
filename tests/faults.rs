//! The catalogue of faults: one test a row, named `fault_NN_...`; each shows what its row promises.
//!
//! What is injected is real: a TCP proxy that fails, a RabbitMQ node that is killed, frozen, stopped or told to refuse.

mod faults_broker;
mod faults_connecting;
mod faults_harness;
mod faults_network;
mod faults_world;
