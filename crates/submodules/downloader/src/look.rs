//! Whether files can be fetched at all. The web itself is not asked.

use std::sync::Arc;

use edeposit_amqpdaemon::Finding;

use crate::lookup::SystemLookup;
use crate::web::Web;
use crate::{Settings, SetupError};

pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let certificates = match Web::new(&settings, Arc::new(SystemLookup)) {
        Ok(_) => match &settings.ca_file {
            Some(file) => Finding::ok(format!("CA_FILE {} has certificates", file.display())),
            None => Finding::ok("the system's certificates can be read"),
        },
        Err(error @ SetupError::CaFile { .. }) => {
            Finding::failed(error.to_string()).next("mend the file, or correct CA_FILE")
        }
        Err(error) => Finding::failed(error.to_string()),
    };
    let may = match settings.allow_private_addresses {
        true => "may",
        false => "may not",
    };
    let networks = format!(
        "the own network {may} be contacted; {} networks allowed, {} denied",
        settings.allowed_networks.len(),
        settings.denied_networks.len()
    );
    vec![certificates, Finding::ok(networks)]
}
