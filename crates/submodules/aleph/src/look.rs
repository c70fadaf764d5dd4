//! Whether the catalogue is there.

use edeposit_amqpdaemon::Finding;
use edeposit_settings::shown_url;

use crate::Settings;
use crate::xserver::XServer;

/// The daemon runs without it, and tells its callers.
pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let server = match XServer::new(&settings) {
        Ok(server) => server,
        Err(error) => return vec![Finding::failed(error.to_string())],
    };
    let url = shown_url(&settings.url);
    vec![match server.answers().await {
        Ok(()) => Finding::ok(format!("the catalogue at {url} answers")),
        Err(reason) => {
            Finding::warning(format!("the catalogue at {url} does not answer: {reason}"))
                .next("is it running, and is ALEPH_URL right?")
        }
    }]
}
