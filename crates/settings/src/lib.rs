//! The settings of E-deposit's daemons: where they come from and what they mean.
//!
//! A setting is a named *constant* with a default. Its value is looked for in three places; the later one wins:
//!
//! 1. the default of its declaration;
//! 2. **one** file holding a flat JSON object: `$HOME/edeposit/NAME.json`, else `/etc/edeposit/NAME.json` (the two are
//!    never merged);
//! 3. the environment.
//!
//! Values may be strings, integers or floats and may stand for each other (`"5672"` or `5672`); they are kept as text and
//! become numbers in the getter of [`Constants`] that wants one. Unknown names are ignored, each with a warning.
//!
//! There are two sorts of files. Their constants are declared as tables of [`Setting`]s, from which the tables of the
//! documentation are made.
//!
//! - A submodule's own, such as `aleph.json`: what the daemon is to do. It is described by a [`Declaration`] and read by
//!   [`Declared`]; the environment variables are `EDEPOSIT_<SUBMODULE>_<NAME>`; what cannot be used is refused.
//! - `amqp.json`, of all daemons: how to reach RabbitMQ, and what is there. [`Settings`] reads it, with typed views:
//!   [`Connection`], and [`Submodule`] for a daemon's virtual host, exchange, queues and keys. The command line may name
//!   another file (`--settings`). The environment variables have the constants' names (`RABBITMQ_HOST`). Values of unusable
//!   types are ignored with a warning, as by the original. The general constants are in `docs/operations.md`.
//!
//! # Constants of a submodule
//!
//! | name | default |
//! |---|---|
//! | `RABBITMQ_<X>_VIRTUALHOST` | see below |
//! | `RABBITMQ_<X>_EXCHANGE` | see below |
//! | `RABBITMQ_<X>_INPUT_QUEUE` | `daemon` |
//! | `RABBITMQ_<X>_OUTPUT_QUEUE` | `plone` |
//! | `RABBITMQ_<X>_INPUT_KEY` | `request` |
//! | `RABBITMQ_<X>_OUTPUT_KEY` | `result` |
//! | `RABBITMQ_<X>_PREFETCH`, `_HANDLER_TIMEOUT`, `_DRAIN_TIMEOUT`, `_MAX_REQUEST_SIZE` | the general constant |
//!
//! | `<X>` | virtual host | exchange |
//! |---|---|---|
//! | `ALEPH` | `aleph` | `search` |
//! | `CALIBRE` | `calibre` | `convert` |
//! | `FTP` | `ftp` | `ftp` |
//! | `ANTIVIRUS` | `antivirus` | `antivirus` |
//! | `HARVESTER` | `harvester` | `harvester` |
//! | `LTP` | `ltp` | `ltp` |
//! | `PDFGEN` | `pdfgen` | `pdfgen` |
//! | `DOWNER` (also called `downloader`) | `downloader` | `downloader` |
//! | `STORAGE` | `storage` | `export` |
//! | `MX2MODS` (also called `marcxml2mods`) | `marcxml2mods` | `export` |
//! | `ALEPH_LINK_EXPORT` (input queue `updater`) | `aleph` | `update-links` |
//! | any other | the name in lower case | the name in lower case |
//!
//! A new submodule needs no entry anywhere: asking for `settings.submodule("my_thing")` is enough.
//! To have it listed among all submodules, set its `RABBITMQ_MY_THING_VIRTUALHOST`.
//!
//! ```
//! use edeposit_settings::{Settings, Sources};
//!
//! let settings = Settings::load_sources(&Sources::none())?;
//! let greeter = settings.submodule("greeter")?;
//! assert_eq!((greeter.vhost.as_str(), greeter.input_queue.as_str()), ("greeter", "daemon"));
//! # Ok::<(), edeposit_settings::Error>(())
//! ```

mod connection;
mod constants;
mod declaration;
mod declared;
mod effective;
mod error;
mod file;
mod getters;
mod given;
mod kind;
mod markdown;
mod names;
mod nodes;
mod origin;
mod printable;
mod secret;
mod setting;
mod settings;
mod sources;
mod submodule;
mod suggest;
mod table;

pub use connection::{Connection, Tls};
pub use constants::Constants;
pub use declaration::Declaration;
pub use declared::{Declared, Loaded, OwnSettings};
pub use effective::Effective;
pub use error::Error;
pub use nodes::{Node, Nodes};
pub use origin::Origin;
pub use secret::{Secret, shown_url};
pub use setting::Setting;
pub use settings::Settings;
pub use sources::Sources;
pub use submodule::{AmqpSettings, Submodule};
