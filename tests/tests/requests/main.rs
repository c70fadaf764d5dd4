//! Requests and their answers, on the wire and on their way.

mod load;
mod outcomes;
mod python;
mod recovery;
mod reply_to;
mod wire;
