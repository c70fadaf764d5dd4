//! What a submodule gives to the framework: the reaction to a request.
//!
//! A [`Handler`] is typed: it takes one kind of request and returns one kind of answer. Any
//! `async fn(Request, Sendback) -> Result<Response, Exception>` is a handler; a type with state implements the trait. The
//! daemon keeps it as a [`React`] object, which sees bytes only (the original's `react_fn`).

use std::future::Future;
use std::marker::PhantomData;

use edeposit_serializers::{from_slice, to_vec};
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Exception, Sendback};

/// Reacts to one kind of request. Called concurrently, for as many requests at once as the prefetch setting allows.
///
/// Up to 16 handlers may block their threads at once, with files, computing or calls that wait; others go on meanwhile, and so do
/// the daemon's connections. But one that blocks cannot be ended when its time is over. Work that blocks for long belongs in
/// `tokio::task::spawn_blocking` or in a program of its own. The tasks that a handler spawns must not block. A handler that has just
/// released something another handler waits for (a lock, a place in a channel) should not block without an `.await` in between:
/// the other one may be next on the same thread.
pub trait Handler: Send + Sync + 'static {
    /// What is asked: a record or an enum of records; see [`edeposit_serializers`].
    type Request: DeserializeOwned + Send + 'static;
    /// What is answered.
    type Response: Serialize + Send + 'static;

    /// Carries out one request. A returned [`Exception`] is sent to the caller in place of an answer.
    fn react(
        &self,
        request: Self::Request,
        sendback: Sendback,
    ) -> impl Future<Output = Result<Self::Response, Exception>> + Send;

    /// Most requests worked on at once, if the handler has a limit of its own: no more are taken from the queue, whatever the
    /// prefetch setting. Those that only waited would use up their time, and memory.
    fn most_at_once(&self) -> Option<u16> {
        None
    }

    /// What to answer to a message that is no request of this handler. The default has the original's names and words:
    /// `KeyError` for an unknown record, `TypeError` for wrong fields, else `ValueError`.
    fn not_a_request(&self, error: edeposit_serializers::Error) -> Exception {
        error.into()
    }
}

/// A reaction as the daemon sees it: the body of a request in, the body of its answer out.
pub trait React: Send + Sync + 'static {
    /// Carries out one request.
    fn react(&self, body: Vec<u8>, sendback: Sendback)
    -> BoxFuture<'_, Result<Vec<u8>, Exception>>;

    /// See [`Handler::most_at_once`].
    fn most_at_once(&self) -> Option<u16> {
        None
    }
}

impl<H: Handler> React for H {
    fn react(
        &self,
        body: Vec<u8>,
        sendback: Sendback,
    ) -> BoxFuture<'_, Result<Vec<u8>, Exception>> {
        Box::pin(async move {
            let request = from_slice(&body).map_err(|error| self.not_a_request(error))?;
            drop(body);
            let response = Handler::react(self, request, sendback).await?;
            Ok(to_vec(&response)?)
        })
    }

    fn most_at_once(&self) -> Option<u16> {
        Handler::most_at_once(self)
    }
}

/// Anything that can react: a [`Handler`], or an async function from request and [`Sendback`] to a result.
///
/// If the compiler says that this is not implemented for your function, check that it is
/// `async fn(Request, Sendback) -> Result<Response, Exception>`, that the request derives `Deserialize` and the response
/// `Serialize`, and that nothing in it is kept across an `.await` that cannot be sent between threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot react to requests",
    note = "write `async fn(Request, Sendback) -> Result<Response, Exception>` or implement `Handler`"
)]
pub trait IntoReact<Marker> {
    /// The reaction as an object.
    fn into_react(self) -> Box<dyn React>;
}

/// Marks handlers, as against functions, for [`IntoReact`].
pub struct IsHandler;

impl<H: Handler> IntoReact<IsHandler> for H {
    fn into_react(self) -> Box<dyn React> {
        Box::new(self)
    }
}

impl<F, Fut, Request, Response> IntoReact<(Request, Response)> for F
where
    F: Fn(Request, Sendback) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Exception>> + Send + 'static,
    Request: DeserializeOwned + Send + 'static,
    Response: Serialize + Send + 'static,
{
    fn into_react(self) -> Box<dyn React> {
        Box::new(Function {
            function: self,
            types: PhantomData,
        })
    }
}

/// An async function as a handler.
struct Function<F, Request, Response> {
    function: F,
    types: PhantomData<fn(Request) -> Response>,
}

impl<F, Fut, Request, Response> Handler for Function<F, Request, Response>
where
    F: Fn(Request, Sendback) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Exception>> + Send + 'static,
    Request: DeserializeOwned + Send + 'static,
    Response: Serialize + Send + 'static,
{
    type Request = Request;
    type Response = Response;

    async fn react(&self, request: Request, sendback: Sendback) -> Result<Response, Exception> {
        (self.function)(request, sendback).await
    }
}
