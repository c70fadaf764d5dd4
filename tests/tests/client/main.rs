//! The client crate against real daemons.

mod calls;
mod faults;
mod world;
