//! What a submodule uses in RabbitMQ: its virtual host, exchange, queues and keys.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use crate::table::{conventional, name_of};
use crate::{Constants, Error};

/// AMQP keeps names in strings of one length byte.
const LONGEST_NAME: usize = 255;

/// One submodule's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Its name in [`AmqpSettings`] and for the tool's `--host`: `aleph`, `downer`, `my_thing`.
    pub name: String,
    /// Virtual host.
    pub vhost: String,
    /// Exchange of requests and answers.
    pub exchange: String,
    /// Queue that the daemon reads requests from.
    pub input_queue: String,
    /// Queue that callers read answers from.
    pub output_queue: String,
    /// Routing key that binds the input queue.
    pub in_key: String,
    /// Routing key that binds the output queue.
    pub out_key: String,
    /// Requests worked on at once, at least 1.
    pub prefetch: u16,
    /// How long one request may take.
    pub handler_timeout: Duration,
    /// How long a stopping daemon waits for the requests in hand; may be zero.
    pub drain_timeout: Duration,
    /// Largest request in bytes.
    pub max_request_size: usize,
}

/// The schema part of a submodule, in the form of the original's `get_amqp_settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AmqpSettings {
    /// Virtual host.
    pub vhost: String,
    /// Exchange.
    pub exchange: String,
    /// Queue -> routing key; the input queue first.
    pub queues: IndexMap<String, String>,
    /// Routing key of requests.
    pub in_key: String,
    /// Routing key of answers.
    pub out_key: String,
}

impl Submodule {
    pub(crate) fn from_constants(constants: &Constants, x: &str) -> Result<Self, Error> {
        let schema = |ending| amqp_name(constants, x, ending);
        // A submodule's own constant exists only if it is set.
        let own_or_general = |ending: &str| {
            Some(name_of(x, ending))
                .filter(|own| constants.get(own).is_some())
                .unwrap_or_else(|| format!("RABBITMQ_{ending}"))
        };
        let submodule = Submodule {
            name: x.to_ascii_lowercase(),
            vhost: schema("VIRTUALHOST")?,
            exchange: schema("EXCHANGE")?,
            input_queue: schema("INPUT_QUEUE")?,
            output_queue: schema("OUTPUT_QUEUE")?,
            in_key: schema("INPUT_KEY")?,
            out_key: schema("OUTPUT_KEY")?,
            prefetch: constants.integer(&own_or_general("PREFETCH"))?,
            handler_timeout: constants.seconds(&own_or_general("HANDLER_TIMEOUT"))?,
            drain_timeout: constants.seconds(&own_or_general("DRAIN_TIMEOUT"))?,
            max_request_size: constants.integer(&own_or_general("MAX_REQUEST_SIZE"))?,
        };
        // With one queue, or one key for both, the daemon would answer its own answers for ever.
        let same = |what, value: &str, input, output| Error::Same {
            submodule: submodule.name.clone(),
            what,
            value: value.to_owned(),
            input: name_of(x, input),
            output: name_of(x, output),
        };
        if submodule.input_queue == submodule.output_queue {
            let queue = &submodule.input_queue;
            return Err(same("queue", queue, "INPUT_QUEUE", "OUTPUT_QUEUE"));
        }
        if submodule.in_key == submodule.out_key {
            return Err(same("key", &submodule.in_key, "INPUT_KEY", "OUTPUT_KEY"));
        }
        Ok(submodule)
    }

    /// The schema part: what is created in RabbitMQ.
    #[must_use]
    pub fn amqp_settings(&self) -> AmqpSettings {
        AmqpSettings {
            vhost: self.vhost.clone(),
            exchange: self.exchange.clone(),
            queues: IndexMap::from([
                (self.input_queue.clone(), self.in_key.clone()),
                (self.output_queue.clone(), self.out_key.clone()),
            ]),
            in_key: self.in_key.clone(),
            out_key: self.out_key.clone(),
        }
    }
}

/// A schema constant's value, or what the convention says; fit for AMQP.
fn amqp_name(constants: &Constants, x: &str, ending: &str) -> Result<String, Error> {
    let name = name_of(x, ending);
    if constants.get(&name).is_none() {
        return Ok(conventional(x, ending));
    }
    let value = constants.text(&name)?;
    if value.len() > LONGEST_NAME {
        return Err(constants.invalid(&name, "it is longer than 255 bytes"));
    }
    if value.starts_with("amq.") && !ending.ends_with("_KEY") && ending != "VIRTUALHOST" {
        return Err(constants.unfit(&name, "reserved: RabbitMQ's own names begin with 'amq.'"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
#[path = "submodule_tests.rs"]
mod tests;
