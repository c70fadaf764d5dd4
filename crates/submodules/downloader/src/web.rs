//! One request over HTTP, with its redirects, up to the last answer's head.
//!
//! Redirects are followed here and not by the client, so that every address is checked before anything is sent there, and
//! passwords stay with the host they were meant for.

use std::fs;
use std::sync::Arc;

use hyper::ext::ReasonPhrase;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url};

use crate::address::Rule;
use crate::error::Limits;
use crate::lookup::{Guard, Lookup};
use crate::{DownloadError, Settings, SetupError};

/// How much of a wrong address is told.
const SHOWN: usize = 500;

/// Asks servers.
pub(crate) struct Web {
    /// Undoes the encoding of what it receives, such as gzip.
    decoding: Client,
    /// Leaves it as it is.
    plain: Client,
    guard: Guard,
    max_redirects: usize,
    pub limits: Limits,
}

/// What to ask.
pub(crate) struct Ask {
    pub method: Method,
    pub headers: HeaderMap,
    pub follow: bool,
    /// Is the body wanted as it was before its encoding?
    pub decode: bool,
}

impl Web {
    pub fn new(settings: &Settings, lookup: Arc<dyn Lookup>) -> Result<Self, SetupError> {
        // one provider serves the whole process; whoever came first has installed it
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard {
            rule: Arc::new(Rule::new(settings)),
            lookup,
        };
        let authorities = match &settings.ca_file {
            Some(path) => {
                let wrong = |reason: String| SetupError::CaFile {
                    path: path.clone(),
                    reason,
                };
                let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
                let found =
                    Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
                if found.is_empty() {
                    return Err(wrong("it has no certificate".to_owned()));
                }
                found
            }
            None => Vec::new(),
        };
        let client = |decode: bool| {
            Client::builder()
                .user_agent(&settings.user_agent)
                .connect_timeout(settings.connect_timeout)
                .read_timeout(settings.read_timeout)
                .redirect(Policy::none())
                .no_proxy()
                // a kept connection would escape a check of its address
                .pool_max_idle_per_host(0)
                .dns_resolver(Arc::new(guard.clone()))
                .tls_certs_merge(authorities.clone())
                .gzip(decode)
                .deflate(decode)
                .build()
                .map_err(SetupError::Client)
        };
        Ok(Self {
            decoding: client(true)?,
            plain: client(false)?,
            guard,
            max_redirects: settings.max_redirects,
            limits: Limits {
                connect: settings.connect_timeout.as_secs_f64(),
                read: settings.read_timeout.as_secs_f64(),
            },
        })
    }

    /// The answer, whatever its status, and the address it came from.
    pub async fn ask(&self, mut url: Url, ask: &Ask) -> Result<(Response, Url), DownloadError> {
        let client = if ask.decode {
            &self.decoding
        } else {
            &self.plain
        };
        let mut redirects = 0;
        loop {
            self.check(&url)?;
            let response = client
                .request(ask.method.clone(), url.clone())
                .headers(ask.headers.clone())
                .send()
                .await
                .map_err(|error| DownloadError::of_client(&error, &url, self.limits))?;
            let next = match redirect(&response, &url)? {
                Some(next) if ask.follow => next,
                _ => return Ok((response, url)),
            };
            if redirects == self.max_redirects {
                return Err(DownloadError::TooManyRedirects(redirects));
            }
            redirects += 1;
            url = next;
        }
    }

    /// An address in figures is not looked up, so it is checked here.
    fn check(&self, url: &Url) -> Result<(), DownloadError> {
        // the client's own type for hosts is not reachable by name: brackets tell an IPv6 address
        let host = url.host_str().unwrap_or_default();
        let figures = host.trim_start_matches('[').trim_end_matches(']');
        match figures.parse() {
            Ok(address) => self
                .guard
                .check(address)
                .map_err(|refused| DownloadError::refused(url, &refused)),
            Err(_) => Ok(()),
        }
    }
}

/// Reads an address as the original did: what is no address of the web is told in its words.
pub(crate) fn parse(text: Option<&str>) -> Result<Url, DownloadError> {
    let text = text.unwrap_or("None");
    let shown: String = text.chars().take(SHOWN).collect();
    let is_http = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("http"));
    if text.contains(':') && !is_http {
        return Err(DownloadError::InvalidSchema(shown));
    }
    if !text.contains("://") {
        return Err(DownloadError::MissingSchema(shown));
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err(DownloadError::InvalidSchema(shown)),
        Err(error) => Err(DownloadError::InvalidUrl {
            url: shown,
            reason: error.to_string(),
        }),
    }
}

/// Where an answer sends us on to, if it does.
fn redirect(response: &Response, url: &Url) -> Result<Option<Url>, DownloadError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
    let mut next = url
        .join(&location)
        .map_err(|error| DownloadError::InvalidUrl {
            url: location.chars().take(SHOWN).collect(),
            reason: error.to_string(),
        })?;
    if !matches!(next.scheme(), "http" | "https") {
        let shown = next.as_str().chars().take(SHOWN).collect();
        return Err(DownloadError::InvalidSchema(shown));
    }
    if next.username().is_empty() && next.password().is_none() && next.origin() == url.origin() {
        // these fail for addresses without a host only
        let _ = next.set_username(url.username());
        let _ = next.set_password(url.password());
    }
    Ok(Some(next))
}

/// Makes an error of a status that is none of success.
pub(crate) fn check_status(response: &Response) -> Result<(), DownloadError> {
    let status = response.status();
    let class = match status {
        StatusCode::NOT_MODIFIED => "Redirection",
        _ if status.is_client_error() => "Client Error",
        _ if status.is_server_error() => "Server Error",
        _ => return Ok(()),
    };
    let own_words = response.extensions().get::<ReasonPhrase>();
    let reason = match own_words {
        Some(words) => String::from_utf8_lossy(words.as_bytes()).into_owned(),
        None => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    Err(DownloadError::Status {
        status: status.as_u16(),
        class,
        reason: reason.chars().take(SHOWN).collect(),
    })
}

/// An address as the log may show it: without user, password and query.
pub(crate) fn shown(url: &Url) -> String {
    let server = crate::error::server(url);
    format!("{}://{server}{}", url.scheme(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_amqpdaemon::Exception;

    #[test]
    fn what_is_no_address_of_the_web() {
        for (url, name, message) in [
            (
                Some("file:///etc/passwd"),
                "InvalidSchema",
                "No connection adapters were found for 'file:///etc/passwd'",
            ),
            (Some("ftp://a/b"), "InvalidSchema", "No connection adapters"),
            (
                Some("httpx://a/b"),
                "InvalidSchema",
                "No connection adapters",
            ),
            (
                Some("foo/bar"),
                "MissingSchema",
                "Invalid URL 'foo/bar': No schema supplied. Perhaps you meant http://foo/bar?",
            ),
            (Some(""), "MissingSchema", "Invalid URL ''"),
            (None, "MissingSchema", "Invalid URL 'None'"),
            (Some("http://"), "InvalidURL", "Invalid URL 'http://'"),
            (Some("http://a:b/"), "InvalidURL", "Invalid URL"),
        ] {
            let told = Exception::from(parse(url).unwrap_err());
            assert_eq!(told.kind, format!("<class 'requests.exceptions.{name}'>"));
            assert!(told.message.starts_with(message), "{told}");
        }
        let long = format!("x:{}", "y".repeat(10_000));
        assert!(parse(Some(&long)).unwrap_err().to_string().len() < 1000);
    }

    #[test]
    fn addresses_are_encoded_and_shown_without_secrets() {
        let url = parse(Some("HTTP://u:secret@háčky.example/čř x?a=ž")).unwrap();
        assert_eq!(url.host_str(), Some("xn--hky-ela4t.example"));
        assert_eq!(url.path(), "/%C4%8D%C5%99%20x");
        assert_eq!(url.query(), Some("a=%C5%BE"));
        assert_eq!(
            shown(&url),
            "http://xn--hky-ela4t.example:80/%C4%8D%C5%99%20x"
        );
    }
}
