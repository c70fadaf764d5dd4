//! The node's management HTTP API, as far as tests need it. Blocking: each call takes a few milliseconds.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::http::{Method, Request};

use crate::PATIENCE;

/// RabbitMQ's built-in user; may connect from 127.0.0.1 only, which is where we are.
pub(super) const USER: &str = "guest";
pub(super) const PASSWORD: &str = "guest";

#[derive(Clone, Debug)]
pub(super) struct Management {
    url: String,
    agent: ureq::Agent,
}

impl Management {
    pub(super) fn new(port: u16) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            agent,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// None: there is no such thing. `query` begins with a question mark, or is empty.
    pub(super) fn find(&self, path: &[&str], query: &str) -> Result<Option<Value>> {
        self.call(Method::GET, path, query, None)?
            .map(|body| serde_json::from_str(&body).context("reading the management API's answer"))
            .transpose()
    }

    pub(super) fn put(&self, path: &[&str], body: &Value) -> Result<()> {
        match self.call(Method::PUT, path, "", Some(body))? {
            Some(_) => Ok(()),
            None => bail!("the management API does not know {}", path.join("/")),
        }
    }

    /// Deletes it; that it is gone already is no error.
    pub(super) fn delete(&self, path: &[&str]) -> Result<()> {
        self.call(Method::DELETE, path, "", None).map(drop)
    }

    pub(super) fn create_user(&self, name: &str, password: &str) -> Result<()> {
        self.put(&["users", name], &json!({"password": password, "tags": ""}))
    }

    pub(super) fn permit(
        &self,
        vhost: &str,
        user: &str,
        configure: &str,
        write: &str,
        read: &str,
    ) -> Result<()> {
        self.put(
            &["permissions", vhost, user],
            &json!({"configure": configure, "write": write, "read": read}),
        )
    }

    /// The answer's body; None for 404.
    fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<&Value>,
    ) -> Result<Option<String>> {
        let segments: Vec<String> = path.iter().map(|segment| encode(segment)).collect();
        let url = format!("{}/api/{}{query}", self.url, segments.join("/"));
        let doing = || format!("{method} {url}");
        let request = Request::builder()
            .method(&method)
            .uri(&url)
            .header(
                "Authorization",
                format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))),
            )
            .header("Content-Type", "application/json");
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body.to_string())?),
            None => self.agent.run(request.body(())?),
        }
        .with_context(doing)?;
        let text = response.body_mut().read_to_string().with_context(doing)?;
        match response.status().as_u16() {
            200..300 => Ok(Some(text)),
            404 => Ok(None),
            status => bail!("{method} {url}: HTTP {status}: {text}"),
        }
    }
}

/// Percent-encodes one segment of a path: names of virtual hosts and connections hold slashes and blanks.
fn encode(segment: &str) -> String {
    let mut encoded = String::new();
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
