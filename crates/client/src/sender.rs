//! A publisher for programs that only send: a harvester, a log monitor.

use std::sync::Arc;
use std::time::Duration;

use edeposit_amqp::get_con_params;
use edeposit_amqp::types::{AMQPValue, ShortString};
use edeposit_settings::Settings;
use serde::Serialize;
use uuid::Uuid;

use crate::client::encode;
use crate::confirmed::{Deadline, Parcel, message, publish};
use crate::destination::Destination;
use crate::supervisor::Supervisor;
use crate::{CallError, ConnectError};

/// Publishes messages of one submodule, confirmed. Nothing is kept here to be sent later: a message is in the broker when
/// the method returns, or the error says what is known of it.
///
/// ```no_run
/// # use edeposit_settings::Settings;
/// #[derive(serde::Serialize)]
/// struct Upload {
///     user: String,
/// }
///
/// # async fn example() -> anyhow::Result<()> {
/// let sender = edeposit_client::Sender::connect(&Settings::load()?, "ftp").await?;
/// let uuid = sender.send_response(&Upload { user: "jan".into() }).await?;
/// # Ok(()) }
/// ```
///
/// While RabbitMQ is away, messages wait for it up to the deadline. Every message has a new `UUID`, content type
/// `application/json`, and is persistent.
///
/// The errors of all methods are [`CallError`]s other than `Exception` and `Decode`.
pub struct Sender {
    destination: Arc<Destination>,
    supervisor: Supervisor,
    deadline: Duration,
    headers: Vec<(ShortString, AMQPValue)>,
}

impl Sender {
    /// Connects to where the settings have the submodule. The deadline of messages is `RABBITMQ_PUBLISH_TIMEOUT`. Must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    /// The broker cannot be reached, refuses, or has no such exchange. Later losses are repaired.
    pub async fn connect(settings: &Settings, submodule: &str) -> Result<Self, ConnectError> {
        let sender = Self::start(settings, submodule, false)?;
        sender.supervisor.first().await?;
        Ok(sender)
    }

    /// The same, but without a connection yet: if the broker is away, it is waited for, and so are messages. See
    /// [`Sender::connected`].
    ///
    /// # Errors
    /// A setting does not do.
    pub fn waiting_for_broker(settings: &Settings, submodule: &str) -> Result<Self, ConnectError> {
        Self::start(settings, submodule, true)
    }

    fn start(settings: &Settings, submodule: &str, wait: bool) -> Result<Self, ConnectError> {
        let submodule = settings.submodule(submodule)?;
        let params = get_con_params(settings, &submodule.vhost)?.for_submodule(&submodule.name);
        let deadline = params.connection.publish_timeout;
        let destination = Arc::new(Destination {
            params,
            submodule,
            replies: None,
            name: String::new(),
        });
        let supervisor = Supervisor::start(Arc::clone(&destination), Arc::default(), wait);
        Ok(Self {
            destination,
            supervisor,
            deadline,
            headers: Vec::new(),
        })
    }

    /// How long sending a message may take, waiting for a connection included.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Gives every message a further header, a text.
    ///
    /// # Errors
    /// The name has more than 255 bytes.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, CallError> {
        let short = ShortString::try_new(name).map_err(|_| CallError::NameTooLong {
            name: name.to_owned(),
        })?;
        let value = AMQPValue::LongString(value.into());
        self.headers.push((short, value));
        Ok(self)
    }

    /// Waits for the first connection, as long as the broker is away.
    ///
    /// # Errors
    /// The broker refuses, or has no such exchange: waiting does not help.
    pub async fn connected(&self) -> Result<(), ConnectError> {
        self.supervisor.first().await
    }

    /// Whether there is a connection, as far as is known. Without one, messages wait for it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.supervisor.is_connected()
    }

    /// Why there is no connection; none if there is one, or if none was tried yet.
    #[must_use]
    pub fn waiting_for(&self) -> Option<String> {
        self.supervisor.waiting_for()
    }

    /// Sends a record where the submodule's answers go: to its exchange, with its output key. Returns the message's UUID.
    ///
    /// # Errors
    /// It is not known to be in the broker.
    pub async fn send_response<T: Serialize + ?Sized>(
        &self,
        record: &T,
    ) -> Result<String, CallError> {
        let submodule = &self.destination.submodule;
        self.send_message(&submodule.exchange, &submodule.out_key, encode(record)?)
            .await
    }

    /// Sends JSON to any exchange of the submodule's virtual host. Returns the message's UUID.
    ///
    /// # Errors
    /// It is not known to be in the broker.
    pub async fn send_message(
        &self,
        exchange: &str,
        routing_key: &str,
        body: Vec<u8>,
    ) -> Result<String, CallError> {
        let uuid = Uuid::new_v4();
        let mut message = message(uuid, body);
        for (name, value) in &self.headers {
            message.headers.insert(name.clone(), value.clone());
        }
        let parcel = Parcel {
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            message,
            submodule: self.destination.submodule.name.clone(),
            _permit: None,
        };
        let standing = self.supervisor.standing();
        publish(standing, parcel, Deadline::after(self.deadline)).await?;
        Ok(uuid.to_string())
    }

    /// Closes the connection.
    pub async fn close(&self) {
        self.supervisor.close().await;
    }
}
