//! The settings of E-deposit's daemons: where they come from and what they mean.
//!
//! A setting is a named *constant* with a default, for example `RABBITMQ_HOST`. Its value is
//! looked for in three places; the later one wins:
//!
//! 1. the default in the table;
//! 2. **one** file holding a flat JSON object: the one given with `--settings`, else
//!    `$HOME/edeposit/amqp.json`, else `/etc/edeposit/amqp.json` (the two are never merged);
//! 3. the environment variable of the same name.
//!
//! Values may be strings, integers or floats and may stand for each other (`"5672"` or `5672`);
//! they are kept as text and become numbers in the getter that wants one. Whatever the file has
//! beyond that is ignored, as it always was, but each ignored key is named in
//! [`Settings::warnings`].
//!
//! [`Constants`] is this machinery for any table and file (a submodule's own `aleph.json`).
//! [`Settings`] is `amqp.json` on top of it, with typed views: [`Connection`] says how to reach
//! RabbitMQ, [`Submodule`] which virtual host, exchange, queues and keys a daemon uses.
//!
//! # General constants
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `RABBITMQ_HOST` | `127.0.0.1` | name or address of the RabbitMQ server; of several nodes, separated by commas, in the order in which they are tried |
//! | `RABBITMQ_PORT` | `5672`; with `amqps` `5671` | the port of nodes that are listed without one |
//! | `RABBITMQ_USER_NAME` | `guest` | user |
//! | `RABBITMQ_USER_PASSWORD` | `guest` | password |
//! | `RABBITMQ_USER_PASSWORD_FILE` | | file whose first line is the password |
//! | `RABBITMQ_SCHEME` | `amqp` | `amqp`, or `amqps` for TLS |
//! | `RABBITMQ_TLS_CA_FILE` | | PEM file of the authorities to trust; default: the system's |
//! | `RABBITMQ_TLS_CERT_FILE` | | PEM file of the client's certificate chain |
//! | `RABBITMQ_TLS_KEY_FILE` | | PEM file of the client's private key |
//! | `RABBITMQ_CONNECT_TIMEOUT` | `10` | seconds that each step of connecting to a node may take |
//! | `RABBITMQ_HEARTBEAT` | `20` | seconds between heartbeats, 1-65535 |
//! | `RABBITMQ_PUBLISH_TIMEOUT` | `30` | seconds to wait until the server has confirmed a message |
//! | `RABBITMQ_PREFETCH` | `8` | requests worked on at once, 1-65535; 1 keeps their order |
//! | `RABBITMQ_HANDLER_TIMEOUT` | `600` | seconds a request may take before it is answered with an exception |
//! | `RABBITMQ_DRAIN_TIMEOUT` | `30` | seconds a stopping daemon gives the requests in hand |
//! | `RABBITMQ_MAX_REQUEST_SIZE` | `134217728` | bytes; longer requests are answered with an exception |
//! | `RABBITMQ_ANSWER_WITHOUT_UUID` | `0` | `1`: requests without a UUID are answered with an exception instead of being dropped |
//! | `RABBITMQ_TRACEBACKS` | `1` | `0`: exceptions are sent without their traceback |
//! | `RABBITMQ_MANAGEMENT_URL` | `http://HOST:15672`; with `amqps` `https://HOST:15671` | the server's management API |
//!
//! A node is a host, or `host:port`; an IPv6 address needs brackets if a port follows:
//! `mq1.example, mq2.example:5673, [::1]:5672`. All of them must have the same users and virtual hosts, as the nodes of
//! one cluster have.
//!
//! Paths must be absolute, because a daemon works in `/`. Times may be fractions (`0.5`), but for
//! the heartbeat.
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
mod error;
mod file;
mod getters;
mod nodes;
mod origin;
mod secret;
mod settings;
mod sources;
mod submodule;
mod suggest;
mod table;

pub use connection::{Connection, Tls};
pub use constants::Constants;
pub use error::Error;
pub use nodes::{Node, Nodes};
pub use origin::{Default, Origin};
pub use secret::{Secret, shown};
pub use settings::Settings;
pub use sources::Sources;
pub use submodule::{AmqpSettings, Submodule};
