//! What the tests and the demo stand on: a real RabbitMQ, real daemons, a faithful catalogue.
//!
//! - [`RabbitNode`] is a RabbitMQ node of our own: own ports, own data, gone with the process that started it.
//!   Every test takes a [`Vhost`] of its own from the node all tests of a run share.
//!   [`Cluster`] is several nodes that are one broker.
//! - [`FaultProxy`] is a way to the broker that fails when told to: cut, black-holed, slow, refused.
//! - [`Load`] publishes numbered requests whatever happens, and accounts for every one of them.
//! - [`Schema`] is the exchange, the two queues and the two bindings a daemon needs, laid out as the original's tool does.
//! - [`Caller`] publishes raw requests and reads answers with all their properties, as an old client sees them.
//! - [`DaemonUnderTest`] runs a daemon's real binary with its own `$HOME`, and shows its log when the test fails.
//! - [`clamd`] is a private ClamAV server that knows one signature.
//! - [`ProFtpd`] is a private FTP server, [`FtpSession`] an ordinary client's session with it.
//! - [`settings`] checks what holds for every submodule's settings, and their table in the documentation.
//! - [`sip`] checks submission packages with programs that are not ours.
//! - [`web`] is a web server that misbehaves on demand.
//! - [`xserver`] is a double of the catalogue's X-Server, with faults to be switched on.
//!
//! Nothing here sleeps in the hope that something has happened meanwhile: [`wait_until`] and its like ask for the
//! condition until it holds, or fail and name it.
//!
//! Not published; a library for tests only.

mod caller;
pub mod clamd;
mod daemon;
mod dirs;
mod load;
mod node;
mod proftpd;
mod proxy;
mod schema;
pub mod settings;
pub mod sip;
mod wait;
pub mod web;
pub mod xserver;

pub use caller::{Answer, Caller, RawRequest};
pub use daemon::{DaemonUnderTest, Outcome};
pub use dirs::{bin_dir, fake_time_library, target_dir};
pub use load::{Account, Load, LoadPlan};
pub use node::{
    Alarm, ClientIdentity, Cluster, NodeInfo, QueueState, RabbitNode, SHARED_NODE_VARIABLE,
    TlsFiles, Vhost,
};
pub use proftpd::{FtpSession, ProFtpd};
pub use proxy::{End, FaultProxy, Hole, ProxiedConnection, Refusal, Way};
pub use schema::{QueueType, Schema};
pub use wait::{poll_until, wait_for, wait_until};
