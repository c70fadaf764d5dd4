//! The daemons of the submodules, each over RabbitMQ with the programs it needs.

mod antivirus;
mod calibre;
mod downloader;
mod ltp;
mod marcxml2mods;
