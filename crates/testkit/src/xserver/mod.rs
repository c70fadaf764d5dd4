//! A double of the catalogue's X-Server: HTTP in, XML out, as the real one behaves towards a client.
//!
//! It answers `GET` and `POST /X` on 127.0.0.1 from a [`Catalogue`] of OAI MARC records: `find` makes a set, `present` shows
//! its entries, `find_doc` shows a record by its number, `ill_get_set` and `ill_get_doc` do the like for interlibrary
//! loans. It writes down every request, and shows on demand the [`Fault`]s a server on the network can have.
//!
//! Where the real server's wording is not known (an unknown base, index or operation), the texts are this double's own.

mod catalogue;
mod fault;
mod index;
mod listener;
mod marcxml;
mod operations;
mod record;
mod reply;
mod server;

pub use catalogue::Catalogue;
pub use fault::{Fault, FaultRule};
pub use record::Record;
pub use server::{LoggedRequest, XServer};
