//! What turns a program into a Unix daemon with the commands `start`, `stop`, `restart`, `status` and `check`.
//!
//! A daemon is a [`DaemonRunnerWrapper`]: its `body` is the work, and hooks say what to do when it ends or when a
//! command cannot be carried out. A [`Runner`] carries out one command for it. Three ideas hold it together:
//!
//! - **The lock is the truth.** The daemon holds a lock on its PID file from before the fork until its last moment. Whether
//!   it runs is a question to the lock, never to the number in the file, so no stale file blocks a start and no
//!   recycled PID is ever signalled (module `pid_file`).
//! - **`start` tells how it went.** The command returns when the body has called [`Context::ready`], has failed or
//!   has taken too long; the daemon reports through a pipe (module `report`).
//! - **What could not come up is not begun.** [`DaemonRunnerWrapper::check`] looks before anything is changed: `start` refuses,
//!   and `restart` leaves the running daemon alone. The command `check` only looks.
//! - **A signal asks, a second one insists.** The first SIGTERM, SIGINT or SIGQUIT cancels [`Context::stop`]; the body
//!   finishes what is in hand within the drain time. After that time, or at a second signal, the process ends anyhow
//!   (module `signals`). The command `stop` never insists: if the daemon has been asked already, it only waits.
//!
//! The crate knows nothing of AMQP and brings no async runtime: `body` is an ordinary function, called after the fork,
//! and may start a runtime of its own there.
//!
//! ```no_run
//! use edeposit_daemonwrapper::{Action, Context, DaemonRunnerWrapper, Runner};
//! use std::{process::ExitCode, time::Duration};
//!
//! struct Clock;
//!
//! impl DaemonRunnerWrapper for Clock {
//!     fn body(&mut self, context: &Context) -> anyhow::Result<()> {
//!         context.ready("ticking");
//!         while !context.wait(Duration::from_secs(1)) {
//!             tracing::info!("tick");
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     let foreground = std::env::args().any(|argument| argument == "-f");
//!     match std::env::args().nth(1).unwrap_or_default().parse::<Action>() {
//!         Ok(action) => Runner::default().run(action, foreground, &mut Clock),
//!         Err(error) => {
//!             eprintln!("{error}");
//!             ExitCode::from(2)
//!         }
//!     }
//! }
//! ```
//!
//! Linux only: it relies on pidfds and on `/proc`.

mod action;
mod context;
mod detach;
mod error;
mod life;
mod log;
mod log_file;
mod pid_file;
mod process;
mod report;
mod runner;
mod say;
mod signals;
mod start;
mod state_dir;
mod status_file;
mod stop;
mod watch;
mod wrapper;

pub use action::{Action, UnknownAction};
pub use context::Context;
pub use error::{Error, exit};
pub use life::ExitWith;
pub use log::{LOG_FILTER_VARIABLE, LogTarget};
pub use process::Running;
pub use runner::Runner;
pub use state_dir::state_dir;
pub use wrapper::DaemonRunnerWrapper;
