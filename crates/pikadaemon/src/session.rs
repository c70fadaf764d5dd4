//! What a message handler may use of a session with the broker: publishing.

use edeposit_amqp::{
    BasicProperties, DirectReplies, Link, Message, Outgoing, PublishError, Publisher, is_direct,
};
use tokio::sync::watch;

use crate::endpoints::Endpoints;
use crate::parked::{addressed, parked_request};

/// What an [`OnMessage`](crate::OnMessage) may use of a session: publishing.
pub struct Session {
    publisher: Publisher,
    direct_replies: DirectReplies,
    input_queue: String,
    output_exchange: String,
    frame_max: usize,
    /// Why the session is to be given up, as soon as anybody knows.
    doubt: watch::Sender<Option<String>>,
}

impl Session {
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

    /// Publishes a message and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// It is not known to be safe in the broker; see [`PublishError`].
    pub async fn send_message(
        &self,
        exchange: &str,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        let result = if exchange.is_empty() && is_direct(routing_key) {
            // Rare and large: not in every request.
            Box::pin(self.direct_replies.publish(routing_key, message)).await
        } else {
            self.publisher.publish(exchange, routing_key, message).await
        };
        self.doubted_by(result)
    }

    /// Publishes an answer to the daemon's output exchange; see [`Session::send_message`].
    ///
    /// # Errors
    /// As [`Session::send_message`].
    pub async fn send_response(
        &self,
        routing_key: &str,
        message: &Outgoing,
    ) -> Result<(), PublishError> {
        self.send_message(&self.output_exchange, routing_key, message)
            .await
    }

    /// Keeps a message that no queue takes in the durable queue `<input queue>.parked`, with where it should have gone in
    /// headers: `x-edeposit-exchange` (no `exchange` given: the output exchange), `x-edeposit-routing-key`,
    /// `x-edeposit-reason`.
    ///
    /// # Errors
    /// It could not be kept; what it answers must not be acknowledged.
    pub async fn park(
        &self,
        exchange: Option<&str>,
        routing_key: &str,
        message: &Outgoing,
        reason: &str,
    ) -> Result<(), PublishError> {
        let exchange = exchange.unwrap_or(&self.output_exchange);
        let mut properties = message.properties();
        let headers = properties.headers().clone().unwrap_or_default();
        properties = properties.with_headers(addressed(headers, exchange, routing_key, reason));
        let parking = Box::pin(self.keep(&properties, &message.body));
        self.doubted_by(parking.await)
    }

    /// Keeps a request that is not carried out in the queue where [`Session::park`] keeps answers: its body, what its caller
    /// goes by, and as many of its headers as a frame has room for, but at least the one named `needed`.
    ///
    /// # Errors
    /// It could not be kept, and must not be acknowledged.
    pub async fn park_request(
        &self,
        request: &Message,
        needed: &str,
        reason: &str,
    ) -> Result<(), PublishError> {
        let properties = parked_request(request, needed, reason, self.frame_max);
        let parking = Box::pin(self.keep(&properties, &request.body));
        self.doubted_by(parking.await)
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

    /// The longest frame the broker takes, in bytes. All headers of a message must fit into one.
    #[must_use]
    pub fn frame_max(&self) -> usize {
        self.frame_max
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
