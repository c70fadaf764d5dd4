//! One HTTP request to the catalogue, bounded in every direction: time, size, pace, and where it may end up.

use std::error::Error as _;
use std::num::NonZeroU32;
use std::time::Duration;

use edeposit_marc::xml::excerpt;
use edeposit_settings::shown_url;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::Client;
use reqwest::redirect::{Attempt, Policy};

use crate::settings::is_web_address;
use crate::{AlephError, Settings, SetupError};

/// How many times a reply may send us on.
const MAX_REDIRECTS: usize = 3;

/// How long the catalogue may take to show that it is there.
const LOOK: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("edeposit-aleph/", env!("CARGO_PKG_VERSION"));

pub(super) struct Http {
    client: Client,
    /// Scheme and host, without a slash at the end.
    url: String,
    max_reply: usize,
    pace: DefaultDirectRateLimiter,
}

impl Http {
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let url = settings.url.trim_end_matches('/').to_owned();
        if !is_web_address(&url) {
            return Err(SetupError::Url(shown_url(&settings.url).to_owned()));
        }
        // one provider serves the whole process; whoever came first has installed it
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .redirect(Policy::custom(same_host_only))
            .build()
            .map_err(SetupError::Client)?;
        // without the burst, any second has at most that many requests
        let quota =
            Quota::per_second(settings.max_requests_per_second).allow_burst(NonZeroU32::MIN);
        Ok(Self {
            client,
            url,
            max_reply: settings.max_reply,
            pace: RateLimiter::direct(quota),
        })
    }

    /// Whether anything answers, whatever it says. It is asked for nothing.
    pub async fn answers(&self) -> Result<(), String> {
        let asking = self.client.head(&self.url).timeout(LOOK).send();
        let Err(error) = asking.await else {
            return Ok(());
        };
        // The innermost reason is the system's, and does not hold the address, in which a password may be.
        let error = error.without_url();
        let mut reason: &dyn std::error::Error = &error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        Err(reason.to_string())
    }

    /// The body of the reply to a GET of `path`, once it is this request's turn.
    pub async fn get(&self, operation: &'static str, path: &str) -> Result<String, AlephError> {
        self.get_at_most(self.max_reply, operation, path).await
    }

    /// As [`get`](Self::get), with a limit of its own on the bytes of the body if that is lower.
    pub async fn get_at_most(
        &self,
        limit: usize,
        operation: &'static str,
        path: &str,
    ) -> Result<String, AlephError> {
        let (limit, setting) = if limit < self.max_reply {
            (limit, "")
        } else {
            (self.max_reply, " (ALEPH_MAX_REPLY)")
        };
        self.pace.until_ready().await;
        tracing::debug!(operation, path, "asking the catalogue");
        let mut response = self
            .client
            .get(format!("{}{path}", self.url))
            .send()
            .await?;
        let status = response.status();
        if !status.is_success() {
            return Err(AlephError::Http {
                status: status.as_u16(),
                reason: status.canonical_reason().unwrap_or("Unknown"),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(AlephError::Transport {
                    reason: format!("the reply has more than {limit} bytes{setting}"),
                    source: None,
                });
            }
            body.extend_from_slice(&chunk);
        }
        let unreadable = |reason: String| AlephError::Reply { operation, reason };
        let text = String::from_utf8(body).map_err(|error| {
            // one bad byte in a record spoils that record, not a whole search
            if error.as_bytes().windows(7).any(|part| part == b"<record") {
                let position = error.utf8_error().valid_up_to() as u64;
                let reason = "it is no UTF-8".to_owned();
                edeposit_marc::Error::Malformed { position, reason }.into()
            } else {
                unreadable(format!("it is no UTF-8 ({error})"))
            }
        })?;
        if text.trim().is_empty() {
            return Err(unreadable("it is empty".to_owned()));
        }
        Ok(text)
    }
}

/// The catalogue may move a page or turn to https; it has no business sending us to other machines.
fn same_host_only(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(format!("redirected more than {MAX_REDIRECTS} times"));
    }
    let next = attempt.url();
    let same = attempt.previous().first().is_some_and(|first| {
        let same_port = first.port_or_known_default() == next.port_or_known_default();
        first.host_str() == next.host_str()
            && (next.scheme() == "https" || (same_port && first.scheme() == "http"))
    });
    if same {
        attempt.follow()
    } else {
        let place = excerpt(next.host_str().unwrap_or_default(), 100);
        attempt.error(format!("redirected to another place, {place}"))
    }
}

impl From<reqwest::Error> for AlephError {
    fn from(error: reqwest::Error) -> Self {
        // the address may hold a password
        let error = error.without_url();
        let reason = if error.is_timeout() {
            "timed out".to_owned()
        } else {
            let mut cause = error.source();
            let mut text = error.to_string();
            while let Some(inner) = cause {
                text = inner.to_string();
                cause = inner.source();
            }
            text
        };
        Self::Transport {
            reason,
            source: Some(error),
        }
    }
}
