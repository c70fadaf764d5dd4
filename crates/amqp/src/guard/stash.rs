//! Properties that are too long for the client library.
//!
//! In their place the library gets a header with a random name for them, by which they are found when it delivers the
//! message. Nobody else knows the name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

/// The header with the name.
const NAME: &str = "x-edeposit-stashed";
/// More than the header in their place takes, in bytes.
const ROOM: usize = 256;

/// Properties of messages that are on their way through the client library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stash(Arc<Mutex<HashMap<String, BasicProperties>>>);

impl Stash {
    /// Keeps the properties of a content header frame, and returns the frame to give on instead. None: it cannot be read.
    pub(super) fn put(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let (_, AMQPFrame::Header(channel, header)) = parse_frame(frame).ok()? else {
            return None;
        };
        let name = Uuid::new_v4().to_string();
        let mut headers = FieldTable::default();
        headers.insert(NAME.into(), AMQPValue::LongString(name.clone().into()));
        let instead = AMQPContentHeader {
            properties: BasicProperties::default().with_headers(headers),
            ..header
        };
        let mut bytes = vec![0; ROOM];
        let written = gen_frame(&AMQPFrame::Header(channel, instead))(bytes.as_mut_slice().into());
        let (_, end) = written.ok()?.into_inner();
        bytes.truncate(usize::try_from(end).ok()?);
        self.properties().insert(name, header.properties);
        Some(bytes)
    }

    /// A message's properties, whether they were stashed or not.
    pub(crate) fn restore(&self, properties: BasicProperties) -> BasicProperties {
        let headers = properties.headers().as_ref();
        let name = match headers.and_then(|headers| headers.inner().get(NAME)) {
            Some(AMQPValue::LongString(name)) => std::str::from_utf8(name.as_bytes()),
            _ => return properties,
        };
        let stashed = name.ok().and_then(|name| self.properties().remove(name));
        stashed.unwrap_or(properties)
    }

    fn properties(&self) -> MutexGuard<'_, HashMap<String, BasicProperties>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
