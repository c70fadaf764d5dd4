//! The X-Server double as a program: a small made-up catalogue to try alephdaemon against.

use std::net::SocketAddr;
use std::thread;

use anyhow::Result;
use clap::Parser;
use edeposit_testkit::xserver::{Catalogue, XServer};

/// Serves a small made-up library catalogue the way Aleph's X-Server does, until Ctrl-C.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8991")]
    listen: SocketAddr,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let catalogue = Catalogue::built_in()?;
    let records = catalogue.records().len();
    let server = XServer::start_at(arguments.listen, catalogue)?;
    println!("{}", server.url());
    eprintln!(
        "{records} records; put {{\"ALEPH_URL\": \"{}\"}} into edeposit/aleph.json",
        server.url()
    );
    loop {
        thread::park();
    }
}
