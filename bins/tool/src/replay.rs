//! `--replay QUEUE`: moves parked and dead-lettered messages back to where they belong.
//!
//! A message is *parked* when a daemon could not deliver it; three headers say where it was to go.
//! It is *dead-lettered* when RabbitMQ took it out of a queue; the last entry of `x-death` says out
//! of which, and with which exchange and routing key it had come there. Either is published there
//! again without those headers, and taken off the queue when the broker has confirmed that. One
//! that cannot be delivered stays. If the connection breaks between the two, a message may be
//! there twice, never not at all.

use anyhow::{Context as _, Result, anyhow};
use edeposit_amqp::options::{BasicAckOptions, BasicGetOptions};
use edeposit_amqp::types::{AMQPValue, FieldTable};
use edeposit_amqp::{BasicProperties, Channel, RawDelivery};
use edeposit_settings::Submodule;

use crate::broker::{Broker, queue_name};
use crate::context::Context;
use crate::output::{counted, remark, say};
use crate::publish::Publisher;

/// Headers that only say why a message is where it is.
const MARKS: [&str; 5] = [
    "x-edeposit-",
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
];

/// Where a message belongs.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    exchange: String,
    key: String,
}

/// Moves at most `count` messages, and says whether all of them found their place.
pub async fn replay(
    context: &Context,
    submodule: &Submodule,
    queue: &str,
    count: Option<u32>,
) -> Result<bool> {
    let broker = Broker::connect(context, submodule).await?;
    let publisher = Publisher::beside(&broker).await?;
    let moved = Replay {
        broker: &broker,
        queue,
        publisher: &publisher,
    }
    .run(count.unwrap_or(u32::MAX))
    .await;
    publisher.close().await;
    // What stays was not acknowledged and goes back to its place in the queue.
    broker.close().await;
    moved
}

struct Replay<'a> {
    broker: &'a Broker<'a>,
    queue: &'a str,
    publisher: &'a Publisher,
}

impl Replay<'_> {
    async fn run(self, count: u32) -> Result<bool> {
        // Not more than there are now: one that is dead-lettered again at once comes back here.
        let there = self.broker.depth(self.queue).await?.messages.min(count);
        let channel = self.broker.channel().await?;
        let (mut moved, mut kept) = (0, 0);
        while moved + kept < there {
            let Some(delivery) = self.next(&channel).await? else {
                break;
            };
            match self.put_back(&delivery).await? {
                Ok(place) => {
                    moved += 1;
                    self.ack(&delivery).await?;
                    say(&format!(
                        "Replayed {} to {place}.",
                        name_of(&delivery.properties)
                    ));
                }
                Err(reason) => {
                    kept += 1;
                    remark(&format!(
                        "Kept {}: {reason}.",
                        name_of(&delivery.properties)
                    ));
                }
            }
        }
        say(&format!(
            "Replayed {} of queue '{}'{}.",
            counted(moved, "message"),
            self.queue,
            match kept {
                0 => String::new(),
                kept => format!(", kept {kept}"),
            }
        ));
        Ok(kept == 0)
    }

    async fn next(&self, channel: &Channel) -> Result<Option<RawDelivery>> {
        let failed = format!("Can't read queue '{}'", self.queue);
        let getting = channel.basic_get(queue_name(self.queue)?, BasicGetOptions { no_ack: false });
        let got = self
            .broker
            .within(&failed, getting)
            .await?
            .map_err(|error| self.broker.refused(&failed, &error))?;
        Ok(got.map(|message| message.delivery))
    }

    /// Publishes a message where it belongs; the inner error is why this one cannot go there.
    async fn put_back(&self, delivery: &RawDelivery) -> Result<Result<String, String>> {
        let headers = delivery.properties.headers();
        let Some(place) = headers.as_ref().and_then(place) else {
            let reason = "it does not say where it belongs; neither a daemon parked it nor \
                          RabbitMQ dead-lettered it";
            return Ok(Err(reason.to_owned()));
        };
        let sent = self
            .publisher
            .publish(
                &place.exchange,
                &place.key,
                &delivery.data,
                &unmarked(&delivery.properties),
            )
            .await;
        match sent {
            Ok(()) if place.exchange.is_empty() => Ok(Ok(format!("queue '{}'", place.key))),
            Ok(()) => Ok(Ok(format!("{}['{}']", place.exchange, place.key))),
            Err(error) if error.is_about_the_message() => Ok(Err(error.to_string())),
            Err(error) => Err(anyhow!(error).context(format!(
                "Can't replay {}; it stays in queue '{}'",
                name_of(&delivery.properties),
                self.queue
            ))),
        }
    }

    async fn ack(&self, delivery: &RawDelivery) -> Result<()> {
        let acking = delivery.acker.ack(BasicAckOptions::default());
        let done = self.broker.within("acknowledging", acking).await?;
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(anyhow!("the channel is gone")),
            Err(error) => Err(error.into()),
        }
        .with_context(|| {
            format!(
                "{} was replayed, but could not be taken off queue '{}': it is there twice now",
                name_of(&delivery.properties),
                self.queue
            )
        })
    }
}

/// What a message is called in the output: by its UUID.
fn name_of(properties: &BasicProperties) -> String {
    let uuid = properties
        .headers()
        .as_ref()
        .and_then(|headers| text(headers, "UUID"));
    match uuid {
        Some(uuid) => uuid.escape_debug().to_string(),
        None => "a message without UUID".to_owned(),
    }
}

fn place(headers: &FieldTable) -> Option<Place> {
    parked_from(headers).or_else(|| died_in(headers))
}

/// Where a daemon wanted to send it.
fn parked_from(headers: &FieldTable) -> Option<Place> {
    Some(Place {
        exchange: text(headers, "x-edeposit-exchange")?,
        key: text(headers, "x-edeposit-routing-key")?,
    })
}

/// Where it was before RabbitMQ moved it for the first time.
fn died_in(headers: &FieldTable) -> Option<Place> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else {
        return None;
    };
    // The youngest stands first.
    let AMQPValue::FieldTable(death) = deaths.as_slice().last()? else {
        return None;
    };
    let AMQPValue::FieldArray(keys) = death.inner().get("routing-keys")? else {
        return None;
    };
    Some(Place {
        exchange: text(death, "exchange")?,
        key: text_of(keys.as_slice().first()?)?,
    })
}

/// The properties without what only told of the way here. `user_id` goes too: the broker does not
/// take somebody else's.
fn unmarked(old: &BasicProperties) -> BasicProperties {
    let mut new = BasicProperties::default();
    macro_rules! keep {
        ($($get:ident $set:ident),*) => {$(
            if let Some(value) = old.$get() {
                new = new.$set(value.clone());
            }
        )*};
    }
    keep!(
        content_type with_content_type, content_encoding with_content_encoding,
        delivery_mode with_delivery_mode, priority with_priority,
        correlation_id with_correlation_id, reply_to with_reply_to,
        expiration with_expiration, message_id with_message_id,
        timestamp with_timestamp, kind with_type, app_id with_app_id
    );
    let Some(headers) = old.headers() else {
        return new;
    };
    let mut kept = FieldTable::default();
    for (name, value) in headers.inner() {
        if !MARKS.iter().any(|mark| name.as_str().starts_with(mark)) {
            kept.insert(name.clone(), value.clone());
        }
    }
    new.with_headers(kept)
}

fn text(table: &FieldTable, name: &str) -> Option<String> {
    text_of(table.inner().get(name)?)
}

fn text_of(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edeposit_amqp::types::FieldArray;

    fn table(pairs: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in pairs {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn death(exchange: &str, key: &str) -> AMQPValue {
        let mut keys = FieldArray::default();
        keys.push(string(key));
        AMQPValue::FieldTable(table(&[
            ("exchange", string(exchange)),
            ("routing-keys", AMQPValue::FieldArray(keys)),
        ]))
    }

    fn string(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_dead_message_belongs_where_it_died_first() {
        let mut deaths = FieldArray::default();
        deaths.push(death("elsewhere", "x"));
        deaths.push(death("ftp", "me.request"));
        let mut headers = table(&[("x-death", AMQPValue::FieldArray(deaths))]);
        let of = |exchange: &str, key: &str| Place {
            exchange: exchange.to_owned(),
            key: key.to_owned(),
        };
        assert_eq!(place(&headers), Some(of("ftp", "me.request")));

        headers.insert("x-edeposit-exchange".into(), string("ftp"));
        headers.insert("x-edeposit-routing-key".into(), string("me.result"));
        assert_eq!(place(&headers), Some(of("ftp", "me.result")));
        assert_eq!(place(&table(&[("UUID", string("u"))])), None);
    }

    #[test]
    fn marks_go_and_the_rest_stays() {
        let headers = table(&[
            ("UUID", string("u")),
            ("x-edeposit-reason", string("NO_ROUTE")),
            ("x-death", AMQPValue::Void),
            ("x-first-death-queue", string("daemon")),
            ("x-mine", string("stays")),
        ]);
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_user_id("somebody".into())
            .with_reply_to("me".into());
        let expected = BasicProperties::default()
            .with_headers(table(&[("UUID", string("u")), ("x-mine", string("stays"))]))
            .with_reply_to("me".into());
        assert_eq!(unmarked(&properties), expected);
    }
}
