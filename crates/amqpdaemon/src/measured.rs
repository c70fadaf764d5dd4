//! Requests and handlers, measured on their way: what is inside knows nothing of it.

use std::sync::Arc;

use edeposit_pikadaemon::{Message, OnMessage, PublishError, Session, Settle};
use futures::future::BoxFuture;

use crate::counters::Counters;
use crate::{Exception, React, Sendback};

/// Something, with the counters that what it does goes to.
pub(crate) struct Measured<T> {
    pub(crate) inner: T,
    pub(crate) counters: Arc<Counters>,
}

/// Requests in flight, and those that come to no end here.
impl<T: OnMessage> OnMessage for Measured<T> {
    fn on_message_received<'a>(
        &'a self,
        message: Message,
        session: &'a Arc<Session>,
    ) -> BoxFuture<'a, Result<Settle, PublishError>> {
        Box::pin(async move {
            let _in_flight = self.counters.in_flight.enter();
            let mut unsettled = Unsettled {
                counters: &self.counters,
                interrupted: true,
            };
            let settle = self.inner.on_message_received(message, session).await?;
            unsettled.interrupted = false;
            if settle == Settle::Requeue {
                self.counters.requeued.add_one();
            }
            Ok(settle)
        })
    }
}

/// The time a handler takes, also if it fails, panics or is given up.
impl React for Measured<Box<dyn React>> {
    fn react(
        &self,
        body: Vec<u8>,
        sendback: Sendback,
    ) -> BoxFuture<'_, Result<Vec<u8>, Exception>> {
        Box::pin(async move {
            let _running = self.counters.handler.start();
            self.inner.react(body, sendback).await
        })
    }
}

/// A request that is interrupted unless somebody says otherwise: with its session, its future is dropped.
struct Unsettled<'a> {
    counters: &'a Counters,
    interrupted: bool,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        if self.interrupted {
            self.counters.interrupted.add_one();
        }
    }
}
