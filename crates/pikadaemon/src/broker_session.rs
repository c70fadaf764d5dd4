//! The broker's session: two connections to publish by, and what is known of them.

use edeposit_amqp::{
    BasicProperties, DirectReplies, Link, Message, Outgoing, PublishError, Publisher, is_direct,
};
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::endpoints::Endpoints;
use crate::parked::{addressed, parked_request};
use crate::session::Session;

/// A session as its deliveries use it.
pub(crate) struct BrokerSession {
    publisher: Publisher,
    direct_replies: DirectReplies,
    input_queue: String,
    output_exchange: String,
    frame_max: usize,
    /// Why the session is to be given up, as soon as anybody knows.
    doubt: watch::Sender<Option<String>>,
}

impl BrokerSession {
    /// Publishes by this connection, beside one that takes frames of `frame_max` bytes.
    pub(crate) fn new(endpoints: &Endpoints, publish_link: Link, frame_max: usize) -> Self {
        let (params, in_flight) = (&endpoints.params, endpoints.prefetch.into());
        Self {
            frame_max: frame_max.min(publish_link.frame_max()),
            publisher: Publisher::new(publish_link, params, in_flight),
            direct_replies: DirectReplies::new(params, in_flight),
            input_queue: endpoints.queue.clone(),
            output_exchange: endpoints.output_exchange.clone(),
            doubt: watch::Sender::new(None),
        }
    }

    async fn keep(&self, properties: &BasicProperties, body: &[u8]) -> Result<(), PublishError> {
        let queue = format!("{}.parked", self.input_queue);
        self.publisher.ensure_queue(&queue).await?;
        self.publisher
            .publish_as("", &queue, properties, body)
            .await
    }

    /// Gives the session up if a publishing result says that it is lost.
    fn doubted_by(&self, result: Result<(), PublishError>) -> Result<(), PublishError> {
        if let Err(e) = &result
            && e.is_session_lost()
        {
            self.doubt.send_replace(Some(e.to_string()));
        }
        result
    }

    /// The broker takes messages again.
    pub(crate) fn unblocked(&self) {
        self.publisher.unblocked();
    }

    /// Tells why the session is to be given up, as soon as anybody knows.
    pub(crate) fn doubt(&self) -> watch::Receiver<Option<String>> {
        self.doubt.subscribe()
    }

    /// The publishing connection itself, to be closed in an orderly way.
    pub(crate) fn into_link(self) -> Link {
        self.publisher.into_link()
    }
}

impl Session for BrokerSession {
    fn send_message<'a>(
        &'a self,
        exchange: &'a str,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let result = if exchange.is_empty() && is_direct(routing_key) {
                // Rare and large: not in every request.
                Box::pin(self.direct_replies.publish(routing_key, message)).await
            } else {
                self.publisher.publish(exchange, routing_key, message).await
            };
            self.doubted_by(result)
        })
    }

    fn send_response<'a>(
        &'a self,
        routing_key: &'a str,
        message: &'a Outgoing,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        self.send_message(&self.output_exchange, routing_key, message)
    }

    fn park<'a>(
        &'a self,
        exchange: Option<&'a str>,
        routing_key: &'a str,
        message: &'a Outgoing,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let exchange = exchange.unwrap_or(&self.output_exchange);
            let mut properties = message.properties();
            let headers = properties.headers().clone().unwrap_or_default();
            properties = properties.with_headers(addressed(headers, exchange, routing_key, reason));
            self.doubted_by(self.keep(&properties, &message.body).await)
        })
    }

    fn park_request<'a>(
        &'a self,
        request: &'a Message,
        needed: &'a str,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let properties = parked_request(request, needed, reason, self.frame_max);
            self.doubted_by(self.keep(&properties, &request.body).await)
        })
    }

    fn frame_max(&self) -> usize {
        self.frame_max
    }
}
