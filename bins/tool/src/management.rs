//! RabbitMQ's management HTTP API, for what AMQP itself cannot do: create a virtual host, list
//! bindings.
//!
//! The API is a plugin that need not be there, and wants a user with
//! the tag `administrator`; so failing is normal and only ever explained, never fatal by itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use edeposit_settings::{Connection, Tls};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Method, Response, Url};
use serde_json::{Value, json};

/// How long each call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The API of one server, with the login of the AMQP connection.
pub struct Management<'a> {
    bases: &'a [String],
    connection: &'a Connection,
    client: Client,
}

impl<'a> Management<'a> {
    /// The API at the first of `bases` (`http://host:15672`) that answers; all have the same scheme. Nothing is sent yet.
    pub fn new(bases: &'a [String], connection: &'a Connection) -> Result<Self> {
        let tls = bases.iter().any(|base| !base.starts_with("http://"));
        Ok(Management {
            bases,
            connection,
            client: client(tls, connection.tls.as_ref())?,
        })
    }

    /// Creates the virtual host and gives the user of the connection all rights in it. Both may
    /// be there already.
    pub async fn create_vhost(&self, vhost: &str) -> Result<()> {
        self.put(&["vhosts", vhost], &json!({})).await?;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        self.put(&["permissions", vhost, &self.connection.user], &all)
            .await
    }

    async fn put(&self, path: &[&str], body: &Value) -> Result<()> {
        match self.call(Method::PUT, path, Some(body)).await? {
            Some(_) => Ok(()),
            None => bail!("it answered with HTTP status 404"),
        }
    }

    /// What is to be read at a path; None if there is nothing.
    pub async fn get(&self, path: &[&str]) -> Result<Option<Value>> {
        match self.call(Method::GET, path, None).await? {
            Some(text) => Ok(Some(
                serde_json::from_str(&text).context("it answered with something else than JSON")?,
            )),
            None => Ok(None),
        }
    }

    /// The answer's body; None if the server knows no such thing.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Option<String>> {
        let mut failures = Vec::new();
        for base in self.bases {
            match self.send(base, method.clone(), path, body).await? {
                Ok(response) => return self.understand(response, method != Method::GET).await,
                Err(error) if self.bases.len() == 1 => failures.push(error),
                Err(error) => failures.push(format!("{base}: {error}")),
            }
        }
        bail!("{}", failures.join("; "))
    }

    /// Sends a call to one server; the inner error says that it did not answer.
    async fn send(
        &self,
        base: &str,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Result<Response, String>> {
        let mut url = Url::parse(base).context("no URL")?;
        match url.path_segments_mut() {
            // Names are segments of their own, so a '/' in them is escaped.
            Ok(mut segments) => segments.pop_if_empty().push("api").extend(path),
            Err(()) => bail!("no URL that a path can be added to"),
        };
        let mut request = self.client.request(method, url).basic_auth(
            &self.connection.user,
            Some(self.connection.password.expose()),
        );
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        Ok(request.send().await.map_err(|error| root_cause(&error)))
    }

    async fn understand(&self, response: Response, writes: bool) -> Result<Option<String>> {
        let said = |error: reqwest::Error| anyhow!("{}", root_cause(&error));
        match response.status().as_u16() {
            200..300 => Ok(Some(response.text().await.map_err(said)?)),
            401 => bail!(
                "user '{0}' may not use it (rabbitmqctl set_user_tags {0} {1})",
                self.connection.user,
                if writes {
                    "administrator"
                } else {
                    "management"
                }
            ),
            404 => Ok(None),
            status => bail!("it answered with HTTP status {status}"),
        }
    }
}

fn client(encrypted: bool, tls: Option<&Tls>) -> Result<Client> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        // The password must not go by way of a proxy meant for the outer world.
        .no_proxy();
    if !encrypted {
        // Otherwise a machine without any authorities could not even speak plain HTTP.
        return Ok(builder.tls_certs_only([]).build()?);
    }
    let Some(tls) = tls else {
        return Ok(builder.build()?);
    };
    if let Some(file) = &tls.ca_file {
        let authorities = Certificate::from_pem_bundle(&read(file)?)
            .with_context(|| format!("{} holds no certificate", file.display()))?;
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) {
        let pem = [read(cert)?, b"\n".to_vec(), read(key)?].concat();
        let identity = Identity::from_pem(&pem)
            .with_context(|| format!("no identity in {} and {}", cert.display(), key.display()))?;
        builder = builder.identity(identity);
    }
    Ok(builder.build()?)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The innermost cause: "Connection refused" says more than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} seconds", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
