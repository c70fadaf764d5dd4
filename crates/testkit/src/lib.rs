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
//! - [`wire`] has the messages the original put on the wire, and the test that every submodule has for them.
//! - [`ClosedPort`] is a port at which connections are refused; [`mount_namespace`] lets a command mount what it likes.
//! - [`Tripwire`] kills a process at an exact point of its work; [`random`] is chance by a seed that is printed.
//! - [`skip`] says that a test cannot check its matter on this machine, which with `CI=true` is a failure.
//!
//! Nothing here sleeps in the hope that something has happened meanwhile: [`wait_until`] and its like ask for the
//! condition until it holds, or fail and name it. How long they do so is [`PATIENCE`], for all.
//!
//! Not published; a library for tests only.

mod apart;
mod caller;
pub mod clamd;
mod closed;
mod daemon;
mod dirs;
mod load;
mod node;
mod proftpd;
mod proxy;
mod random;
mod schema;
pub mod settings;
pub mod sip;
mod skip;
mod tripwire;
mod wait;
pub mod web;
pub mod wire;
pub mod xserver;

pub use apart::mount_namespace;
pub use caller::{Answer, Caller, RawRequest};
pub use closed::ClosedPort;
pub use daemon::{DaemonUnderTest, Outcome};
pub use dirs::{bin_dir, fake_time_library, target_dir};
pub use load::{Account, Load, LoadPlan};
pub use node::{
    Alarm, ClientIdentity, Cluster, NodeInfo, QueueState, RabbitNode, SHARED_NODE_VARIABLE,
    TlsFiles, Vhost,
};
pub use proftpd::{FtpSession, ProFtpd};
pub use proxy::{End, FaultProxy, Hole, ProxiedConnection, Refusal, Way};
pub use random::random;
pub use schema::{QueueType, Schema};
pub use skip::skip;
pub use tripwire::Tripwire;
pub use wait::{PATIENCE, poll_until, wait_for, wait_until};
