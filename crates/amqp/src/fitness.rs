//! Of what kind an exchange or a queue is, and whether a daemon can rely on it.
//!
//! That a name is there says little: with a fanout exchange a daemon gets its own answers as requests, and what waits in a
//! queue that is not durable is gone when RabbitMQ restarts. AMQP has no question for the kind. But to the declaration of
//! something that is there already RabbitMQ answers with the first property in which the two differ, and what that is:
//!
//! ```text
//! PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'search' in vhost '/': received 'topic' but current is 'fanout'
//! ```
//!
//! So what is there is declared again, each time with the properties learnt so far, until RabbitMQ has no objection. Nothing
//! is changed by that. This file reads RabbitMQ's words and judges; `inspect` talks to RabbitMQ.

use std::fmt;

use lapin::types::{AMQPValue, FieldTable};

/// What an exchange was declared as.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeProperties {
    /// `topic`, `direct`, `fanout`, `headers`, or one of a plug-in.
    pub kind: String,
    /// It outlives RabbitMQ's restart.
    pub durable: bool,
    /// It is deleted with its last binding.
    pub auto_delete: bool,
    /// Nobody may publish to it.
    pub internal: bool,
    /// Further arguments, such as an alternate exchange.
    pub(crate) arguments: FieldTable,
}

/// What a queue was declared as.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueProperties {
    /// It outlives RabbitMQ's restart.
    pub durable: bool,
    /// It is deleted with its last consumer.
    pub auto_delete: bool,
    /// Its type and limits.
    pub(crate) arguments: FieldTable,
}

/// The declaration that a daemon wants, which is what the tool makes.
impl Default for ExchangeProperties {
    fn default() -> Self {
        Self {
            kind: "topic".to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::default(),
        }
    }
}

/// The declaration that a daemon wants, which is what the tool makes.
impl Default for QueueProperties {
    fn default() -> Self {
        Self {
            durable: true,
            auto_delete: false,
            arguments: FieldTable::default(),
        }
    }
}

/// Something whose declaration RabbitMQ compares with what is there.
pub(crate) trait Properties: Default + Clone {
    /// Takes over a property as it is; false if it is the one that was declared, or none that is known.
    fn adopt(&mut self, difference: &Difference<'_>) -> bool;
}

impl Properties for ExchangeProperties {
    fn adopt(&mut self, difference: &Difference<'_>) -> bool {
        match (difference.property, &difference.current) {
            ("type", Current::Word(kind)) => replace(&mut self.kind, (*kind).to_owned()),
            ("durable", current) => adopt_flag(&mut self.durable, current),
            ("auto_delete", current) => adopt_flag(&mut self.auto_delete, current),
            ("internal", current) => adopt_flag(&mut self.internal, current),
            (name, current) => adopt_argument(&mut self.arguments, name, current),
        }
    }
}

impl Properties for QueueProperties {
    fn adopt(&mut self, difference: &Difference<'_>) -> bool {
        match (difference.property, &difference.current) {
            ("durable", current) => adopt_flag(&mut self.durable, current),
            ("auto_delete", current) => adopt_flag(&mut self.auto_delete, current),
            (name, current) => adopt_argument(&mut self.arguments, name, current),
        }
    }
}

fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

fn adopt_flag(flag: &mut bool, current: &Current<'_>) -> bool {
    match current {
        Current::Word("true") => replace(flag, true),
        Current::Word("false") => replace(flag, false),
        _ => false,
    }
}

fn adopt_argument(arguments: &mut FieldTable, name: &str, current: &Current<'_>) -> bool {
    let is_argument = name.starts_with("x-") || name == "alternate-exchange";
    let Current::Argument(value) = current else {
        return false;
    };
    if !is_argument || arguments.inner().get(name) == Some(value) {
        return false;
    }
    arguments.insert(name.into(), value.clone());
    true
}

/// The first property in which a declaration differs from what is there.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference<'a> {
    property: &'a str,
    current: Current<'a>,
}

/// What a property is.
#[derive(Debug, PartialEq)]
enum Current<'a> {
    /// A type or a truth value.
    Word(&'a str),
    /// The value of an argument.
    Argument(AMQPValue),
    /// There is no such argument, or its value is none that can be declared again.
    Other,
}

impl<'a> Difference<'a> {
    /// Reads RabbitMQ's refusal of a declaration; `None` if it is another one.
    pub(crate) fn read(said: &'a str) -> Option<Self> {
        let (_, rest) = said.split_once("inequivalent arg '")?;
        let (property, rest) = rest.split_once('\'')?;
        let (_, current) = rest.rsplit_once(" but current is ")?;
        Some(Self {
            property,
            current: Current::read(current),
        })
    }
}

impl<'a> Current<'a> {
    fn read(text: &'a str) -> Self {
        let Some(text) = text.strip_prefix("the value ") else {
            return match unquoted(text) {
                Some(word) => Self::Word(word),
                None => Self::Other,
            };
        };
        let value = text.rsplit_once(" of type ").and_then(|(value, kind)| {
            let (value, kind) = (unquoted(value)?, unquoted(kind)?);
            Some(match kind {
                "longstr" => AMQPValue::LongString(value.into()),
                "bool" => AMQPValue::Boolean(value == "true"),
                // RabbitMQ compares numbers of different lengths by their values.
                "byte" | "short" | "signedint" | "long" | "unsignedbyte" | "unsignedshort"
                | "unsignedint" => AMQPValue::LongLongInt(value.parse().ok()?),
                _ => return None,
            })
        });
        value.map_or(Self::Other, Self::Argument)
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('\'')?.strip_suffix('\'')
}

impl ExchangeProperties {
    /// Why a daemon cannot rely on it, a reason each.
    #[must_use]
    pub fn faults(&self) -> Vec<&'static str> {
        let kind = match self.kind.as_str() {
            "topic" | "direct" => None,
            "fanout" => Some(
                "a fanout exchange gives every message to every queue, so that the daemon gets its own answers as requests",
            ),
            "headers" => Some(
                "a headers exchange does not look at routing keys, by which requests and answers are told apart",
            ),
            _ => Some(
                "only topic and direct exchanges tell requests and answers apart by their routing keys",
            ),
        };
        let rest = [
            (!self.durable, "it is gone when RabbitMQ restarts"),
            (self.auto_delete, "it is gone when its last queue is"),
            (self.internal, "nobody may publish to it"),
        ];
        kind.into_iter().chain(those_that_hold(rest)).collect()
    }
}

impl QueueProperties {
    /// `classic`, `quorum`, `stream`, or one of a plug-in.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self.arguments.inner().get("x-queue-type") {
            Some(AMQPValue::LongString(kind)) => {
                std::str::from_utf8(kind.as_bytes()).unwrap_or("unknown")
            }
            _ => "classic",
        }
    }

    /// Why a daemon cannot rely on it, a reason each.
    #[must_use]
    pub fn faults(&self) -> Vec<&'static str> {
        let faults = [
            (
                self.kind() == "stream",
                "a stream keeps its requests when they are answered, and hands them out anew",
            ),
            (
                !self.durable,
                "it is gone with all requests when RabbitMQ restarts",
            ),
            (
                self.auto_delete,
                "it is gone with all requests when the daemon stops",
            ),
        ];
        those_that_hold(faults).collect()
    }
}

fn those_that_hold<const N: usize>(
    faults: [(bool, &'static str); N],
) -> impl Iterator<Item = &'static str> {
    faults
        .into_iter()
        .filter_map(|(holds, fault)| holds.then_some(fault))
}

/// `topic, durable`
impl fmt::Display for ExchangeProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = [
            (self.auto_delete, "auto-delete"),
            (self.internal, "internal"),
        ];
        show(f, &self.kind, self.durable, more)
    }
}

/// `quorum, durable`
impl fmt::Display for QueueProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = [(self.auto_delete, "auto-delete")];
        show(f, self.kind(), self.durable, more)
    }
}

fn show<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    durable: bool,
    more: [(bool, &'static str); N],
) -> fmt::Result {
    let durable = if durable { "durable" } else { "not durable" };
    write!(f, "{kind}, {durable}")?;
    those_that_hold(more).try_for_each(|word| write!(f, ", {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    /// RabbitMQ 3.10 said all of these.
    #[test]
    fn what_rabbitmq_says_of_a_difference() {
        let exchange = "PRECONDITION_FAILED - inequivalent arg 'PROPERTY' for exchange 'it's' in vhost '/': received";
        let queue = "PRECONDITION_FAILED - inequivalent arg 'PROPERTY' for queue 'daemon' in vhost 'a but current is b': received";
        let table = [
            (
                exchange,
                "type",
                "'topic' but current is 'fanout'",
                Current::Word("fanout"),
            ),
            (
                exchange,
                "durable",
                "'true' but current is 'false'",
                Current::Word("false"),
            ),
            (
                exchange,
                "alternate-exchange",
                "none but current is the value 'other' of type 'longstr'",
                Current::Argument(long("other")),
            ),
            (
                queue,
                "x-queue-type",
                "none but current is the value 'stream' of type 'longstr'",
                Current::Argument(long("stream")),
            ),
            (
                queue,
                "x-message-ttl",
                "none but current is the value '60000' of type 'signedint'",
                Current::Argument(AMQPValue::LongLongInt(60_000)),
            ),
            (
                queue,
                "x-max-length",
                "the value '5' of type 'long' but current is none",
                Current::Other,
            ),
        ];
        for (said, property, rest, current) in table {
            let said = format!("{} {rest}", said.replace("PROPERTY", property));
            assert_eq!(
                Difference::read(&said),
                Some(Difference { property, current }),
                "{said}"
            );
        }
        for other in [
            "NOT_FOUND - no exchange 'search' in vhost '/'",
            "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'daemon' in vhost '/': {value_zero,0}",
            "",
        ] {
            assert_eq!(Difference::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_property_is_learnt_once() {
        let said = "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'headers'";
        let difference = Difference::read(said).unwrap();
        let mut exchange = ExchangeProperties::default();
        assert!(exchange.adopt(&difference));
        assert_eq!(exchange.kind, "headers");
        // Else the two would talk for ever.
        assert!(!exchange.adopt(&difference));

        let mut queue = QueueProperties::default();
        assert!(!queue.adopt(&difference));
        let said = "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'";
        let difference = Difference::read(said).unwrap();
        assert!(queue.adopt(&difference));
        assert_eq!(queue.to_string(), "quorum, durable");
        assert!(!queue.adopt(&difference));
    }

    #[test]
    fn what_a_daemon_can_rely_on() {
        let exchange = |kind: &str, durable, auto_delete, internal| ExchangeProperties {
            kind: kind.to_owned(),
            durable,
            auto_delete,
            internal,
            arguments: FieldTable::default(),
        };
        let table = [
            (exchange("topic", true, false, false), 0, "topic, durable"),
            (exchange("direct", true, false, false), 0, "direct, durable"),
            (exchange("fanout", true, false, false), 1, "fanout, durable"),
            (
                exchange("headers", true, false, false),
                1,
                "headers, durable",
            ),
            (
                exchange("x-random", true, false, false),
                1,
                "x-random, durable",
            ),
            (
                exchange("topic", false, false, false),
                1,
                "topic, not durable",
            ),
            (
                exchange("topic", true, true, true),
                2,
                "topic, durable, auto-delete, internal",
            ),
        ];
        for (exchange, faults, text) in table {
            assert_eq!(exchange.faults().len(), faults, "{exchange:?}");
            assert_eq!(exchange.to_string(), text);
        }
        let queue = |kind: Option<&str>, durable, auto_delete| {
            let mut arguments = FieldTable::default();
            if let Some(kind) = kind {
                arguments.insert("x-queue-type".into(), long(kind));
            }
            QueueProperties {
                durable,
                auto_delete,
                arguments,
            }
        };
        let table = [
            (queue(None, true, false), 0, "classic, durable"),
            (queue(Some("quorum"), true, false), 0, "quorum, durable"),
            (queue(Some("stream"), true, false), 1, "stream, durable"),
            (
                queue(None, false, true),
                2,
                "classic, not durable, auto-delete",
            ),
        ];
        for (queue, faults, text) in table {
            assert_eq!(queue.faults().len(), faults, "{queue:?}");
            assert_eq!(queue.to_string(), text);
        }
    }
}
