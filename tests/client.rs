//! The client crate against real daemons.

mod client_calls;
mod client_faults;
mod client_world;
