//! Imports what publishers uploaded over FTP.
//!
//! A publisher uploads books and metadata, and then deletes one special file in the home, the *lock file*. [`Monitor`]
//! notices that in ProFTPD's log or by the file's absence, closes the home to its user, pairs books with metadata
//! ([`pairing`]), reads the metadata ([`decode`], [`fields`]), and publishes it all as one
//! [`ImportRequest`](messages::ImportRequest). When the broker has confirmed it, the files are deleted, reports written
//! ([`report`]), the home is opened, and the lock file put back.
//!
//! Users are not trusted: nothing here follows a link, sizes and depths have bounds, and an error in one home leaves the
//! others alone. The broker is not trusted either: see [`import()`].
//!
//! Everything here blocks. It knows nothing of AMQP: messages go to a [`Publisher`].

pub mod decode;
pub mod fields;
mod follow;
mod import;
pub mod isbn;
mod journal;
mod message;
pub mod messages;
mod monitor;
mod one_line;
pub mod pairing;
mod plan;
pub mod report;
mod tree;
pub mod trigger;
mod watch;
mod writers;

pub use import::{ImportError, Outcome, Publisher, import};
pub use monitor::{Monitor, Surroundings};
