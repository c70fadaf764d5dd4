//! What the two FTP daemons share: settings, accounts, homes and locks.
//!
//! Publishers upload to homes of a ProFTPD server. Their accounts are lines of its password file; one daemon changes them
//! (`ftp_managerd`), another reads them to import what was uploaded (`ftp_monitord`). Both run as root in directories that
//! FTP users write to, so nothing here follows a symbolic link that such a user could have made.
//!
//! - [`Settings`] are those of `ftp.json`.
//! - A [`UserName`] is safe as the name of a directory.
//! - [`Accounts`] is the password file, read and changed under a lock; [`Passwd`] is its content, [`Switches`] what a user
//!   may switch.
//! - A [`Home`] is a user's directory, held open.
//! - An [`ImportLock`] lets through one import or removal of a user's files at a time.
//!
//! Everything here blocks: in async code it belongs in `spawn_blocking`.

mod accounts;
mod ebook_encoding;
mod error;
mod home;
mod import_lock;
mod lock;
mod name;
mod owner;
mod passwd;
mod settings;
mod switches;

pub use accounts::Accounts;
pub use ebook_encoding::EbookEncoding;
pub use error::Error;
pub use home::{Home, open_data_path};
pub use import_lock::ImportLock;
pub use name::UserName;
pub use owner::{Owner, ftp_uid};
pub use passwd::{Account, Passwd};
pub use settings::Settings;
pub use switches::{StoredSwitches, Switches};
