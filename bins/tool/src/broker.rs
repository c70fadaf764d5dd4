//! A connection to a submodule's virtual host, and what several actions do on it.
//!
//! The first line of a failed connection is the one that the original prints; what follows is new
//! and says why, and what to do. No wait for the broker is without a limit.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use edeposit_amqp::options::QueueDeclareOptions;
use edeposit_amqp::protocol::AMQPSoftError;
use edeposit_amqp::types::{FieldTable, ShortString};
use edeposit_amqp::{
    Channel, ConnectError, ConnectionParams, Link, get_con_params, quoted, refusal, said,
};
use edeposit_settings::Submodule;

use crate::context::Context;

/// How long saying goodbye to the broker may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A connection to the virtual host of a submodule.
pub struct Broker<'a> {
    link: Link,
    params: ConnectionParams,
    /// Whose virtual host it is.
    pub submodule: &'a Submodule,
    /// The settings.
    pub context: &'a Context,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait for a consumer.
    pub messages: u32,
    /// Consumers.
    pub consumers: u32,
}

/// What to connect with.
pub fn params(context: &Context, submodule: &Submodule) -> Result<ConnectionParams> {
    Ok(get_con_params(&context.settings, &submodule.vhost)?.for_submodule(&submodule.name))
}

/// What a failed connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The virtual host does not exist.
    NoVhost,
    /// The user may not enter it.
    NoRight,
    /// Anything else.
    Connection,
}

impl Failure {
    /// Sorts an error.
    pub fn of(error: &ConnectError) -> Failure {
        match error.decisive() {
            ConnectError::NoVirtualHost { .. } => Failure::NoVhost,
            ConnectError::NoPermission { .. } => Failure::NoRight,
            _ => Failure::Connection,
        }
    }
}

/// The original's words for a broker that cannot be used, and the reason.
pub fn cannot_connect(params: &ConnectionParams, error: &ConnectError) -> anyhow::Error {
    anyhow!(
        "Can't connect to RabbitMQ!\n{} as user '{}': {error}",
        params.address(),
        params.connection.user
    )
}

/// [`cannot_connect`], but a virtual host that is missing or closed is explained.
pub fn not_connected(
    context: &Context,
    submodule: &Submodule,
    params: &ConnectionParams,
    error: &ConnectError,
) -> anyhow::Error {
    let (vhost, user) = (&submodule.vhost, &params.connection.user);
    let (what, next) = match Failure::of(error) {
        Failure::NoVhost => (
            format!("has no virtual host '{vhost}'"),
            context.command(&submodule.name, "--create"),
        ),
        Failure::NoRight => (
            format!("does not let user '{user}' into virtual host '{vhost}'"),
            permit_command(vhost, user),
        ),
        Failure::Connection => return cannot_connect(params, error),
    };
    anyhow!(
        "Can't connect to virtuahost!\n\
         Make sure, that virtualhost is created.\n\
         RabbitMQ at {} {what}; run: {next}",
        params.address()
    )
}

/// The command that gives a user all rights in a virtual host.
pub fn permit_command(vhost: &str, user: &str) -> String {
    format!(
        "rabbitmqctl set_permissions -p {} {} '.*' '.*' '.*'",
        quoted(vhost),
        quoted(user)
    )
}

impl<'a> Broker<'a> {
    /// Connects; a virtual host that cannot be used is explained, not created.
    pub async fn connect(context: &'a Context, submodule: &'a Submodule) -> Result<Broker<'a>> {
        let params = params(context, submodule)?;
        match edeposit_amqp::connect(&params).await {
            Ok(link) => Ok(Broker::new(context, submodule, params, link)),
            Err(error) => Err(not_connected(context, submodule, &params, &error)),
        }
    }

    /// Takes over a connection that stands already.
    pub fn new(
        context: &'a Context,
        submodule: &'a Submodule,
        params: ConnectionParams,
        link: Link,
    ) -> Broker<'a> {
        Broker {
            link,
            params,
            submodule,
            context,
        }
    }

    /// The connection.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.link.close(CLOSE_WITHIN).await;
    }

    /// A new channel.
    pub async fn channel(&self) -> Result<Channel, ConnectError> {
        self.link.channel(&self.params).await
    }

    /// The user who is logged in.
    pub fn user(&self) -> &str {
        &self.params.connection.user
    }

    /// What it is connected with.
    pub fn params(&self) -> &ConnectionParams {
        &self.params
    }

    /// How long the broker may take for each step.
    pub fn limit(&self) -> Duration {
        self.params.connection.publish_timeout
    }

    /// Waits for the broker within the limit; what takes longer is an error that names the step.
    pub async fn within<F: Future>(&self, step: &str, future: F) -> Result<F::Output> {
        match tokio::time::timeout(self.limit(), future).await {
            Ok(output) => Ok(output),
            Err(_) => bail!("{step}: {}", self.silence()),
        }
    }

    /// Why nothing was heard from the broker.
    pub fn silence(&self) -> String {
        silence(self.link.is_blocked(), self.limit())
    }

    /// How full a queue is, or the broker's refusal.
    pub async fn ask_depth(&self, queue: &str) -> Result<Result<Depth, edeposit_amqp::Error>> {
        // A channel of its own: a refusal closes it.
        let channel = self.channel().await?;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = queue_name(queue)?;
        let asking = channel.queue_declare(name, options, FieldTable::default());
        let asked = self
            .within(&format!("asking for queue '{queue}'"), asking)
            .await?;
        if asked.is_ok() {
            let closing = channel.close(200, "OK".into());
            // One that is not closed in order is closed with the connection.
            let _ = self.within("closing a channel", closing).await?;
        }
        Ok(asked.map(|found| Depth {
            messages: found.message_count(),
            consumers: found.consumer_count(),
        }))
    }

    /// How full a queue is; one that is not there is explained.
    pub async fn depth(&self, queue: &str) -> Result<Depth> {
        self.ask_depth(queue)
            .await?
            .map_err(|error| self.refused(&format!("Can't read queue '{queue}'"), &error))
    }

    /// A refusal of the broker in words, with what to run where that is known.
    pub fn refused(&self, failed: &str, error: &edeposit_amqp::Error) -> anyhow::Error {
        let Submodule { name, vhost, .. } = self.submodule;
        match refusal(error) {
            Some(AMQPSoftError::NOTFOUND) => anyhow!(
                "{failed}: virtual host '{vhost}' does not have it. \
                 See what there is: {}",
                self.context.command(name, "--check")
            ),
            Some(AMQPSoftError::ACCESSREFUSED) => anyhow!(
                "{failed}: user '{0}' lacks the right in virtual host '{vhost}'. Run on the \
                 server: {1}",
                self.user(),
                permit_command(vhost, self.user())
            ),
            Some(AMQPSoftError::RESOURCELOCKED) => anyhow!(
                "{failed}: it belongs to another connection alone. Wait until that has ended, or \
                 end it."
            ),
            _ => anyhow!("{failed}: {}", said(error)),
        }
    }
}

/// The name of a queue that was given by hand: AMQP takes an empty one for the queue used last.
pub fn queue_name(name: &str) -> Result<ShortString> {
    match ShortString::try_new(name) {
        Ok(short) if !name.is_empty() => Ok(short),
        _ => bail!("'{name}' is no queue's name: 1 to 255 bytes"),
    }
}

/// Why nothing was heard from the broker within this time, on a connection that it may have blocked.
pub fn silence(blocked: bool, within: Duration) -> String {
    let seconds = within.as_secs_f32();
    if blocked {
        format!(
            "RabbitMQ takes no messages at present and did not answer within {seconds} s: it is \
             short of memory or disk. See its log."
        )
    } else {
        format!(
            "RabbitMQ did not answer within {seconds} s. It may be out of memory or disk; see its \
             log."
        )
    }
}
