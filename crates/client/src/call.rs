//! A call under way: progress as it comes, then the answer.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::confirmed::Deadline;
use crate::pending::{Reply, Waiting};
use crate::session::Loss;
use crate::{CallError, Request};

/// A call whose request is confirmed, in bytes; [`Call`] is the same with types. Dropping it gives the call up: its answer
/// is then counted as one that nobody waits for.
pub struct RawCall {
    waiting: Waiting,
    deadline: Deadline,
    /// The session that the answer is lost with, if it is.
    tied_to: Option<Arc<Loss>>,
    /// Taken from the messages, not given out yet.
    ahead: Option<Reply>,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl RawCall {
    pub(crate) fn new(
        waiting: Waiting,
        deadline: Deadline,
        tied_to: Option<Arc<Loss>>,
        ahead: Option<Reply>,
        permit: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            waiting,
            deadline,
            tied_to,
            ahead,
            _permit: permit,
        }
    }

    /// The UUID that pairs request and answer.
    #[must_use]
    pub fn uuid(&self) -> String {
        self.waiting.uuid.to_string()
    }

    /// The next progress message; None when the answer has come, which [`RawCall::answer`] gives.
    ///
    /// Progress messages are known by a mark that the original's daemons do not set: from those, everything counts as
    /// answer here, and only [`Call`] can tell by the types.
    ///
    /// # Errors
    /// The call failed; see [`CallError`].
    pub async fn next_progress(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        match self.next().await? {
            Reply::Progress(body) => Ok(Some(body)),
            reply => {
                self.ahead = Some(reply);
                Ok(None)
            }
        }
    }

    /// The answer. Progress messages that were not read are passed over.
    ///
    /// # Errors
    /// The call failed; see [`CallError`].
    pub async fn answer(mut self) -> Result<Vec<u8>, CallError> {
        self.answer_now().await
    }

    async fn answer_now(&mut self) -> Result<Vec<u8>, CallError> {
        loop {
            match self.next().await? {
                Reply::Progress(_) => {}
                Reply::Answer(body) => return Ok(body),
                Reply::Exception(exception) => return Err(exception.into()),
            }
        }
    }

    async fn next(&mut self) -> Result<Reply, CallError> {
        if let Some(reply) = self.ahead.take() {
            return Ok(reply);
        }
        let waiting = &mut self.waiting;
        let tied_to = self.tied_to.as_ref();
        let next = async {
            let lost = async {
                match tied_to {
                    Some(loss) => loss.wait().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                reply = waiting.next() => reply.ok_or_else(|| "the client was closed".to_owned()),
                reason = lost => Err(format!("the connection that the answer was to come on was lost ({reason})")),
            }
        };
        let next = self.deadline.bound(Request::Confirmed, next).await?;
        next.map_err(|reason| CallError::Lost {
            reason,
            request: Request::Confirmed,
        })
    }
}

/// A call whose request is confirmed: progress messages of type `P`, then an answer of type `R`.
///
/// ```no_run
/// # #[derive(serde::Serialize)] struct Greet { name: String }
/// # #[derive(serde::Deserialize)] struct Progress { percent: u8 }
/// # #[derive(serde::Deserialize)] struct Greeting { text: String }
/// # async fn example(client: edeposit_client::Client) -> Result<(), edeposit_client::CallError> {
/// let mut call = client.call_with_progress(&Greet { name: "Jan".into() }).await?;
/// while let Some(Progress { percent }) = call.next_progress().await? {
///     println!("{percent} %");
/// }
/// let Greeting { text } = call.answer().await?;
/// # Ok(()) }
/// ```
///
/// A message with the mark of a progress message is progress. One without is the answer if it is an `R`, else progress if it
/// is a `P`: the original's daemons mark nothing.
///
/// Dropping it gives the call up.
pub struct Call<P, R> {
    raw: RawCall,
    answer: Option<R>,
    progress: PhantomData<fn() -> P>,
}

impl<P: DeserializeOwned, R: DeserializeOwned> Call<P, R> {
    pub(crate) fn new(raw: RawCall) -> Self {
        Self {
            raw,
            answer: None,
            progress: PhantomData,
        }
    }

    /// The UUID that pairs request and answer.
    #[must_use]
    pub fn uuid(&self) -> String {
        self.raw.uuid()
    }

    /// The next progress message; None when the answer has come, which [`Call::answer`] gives.
    ///
    /// # Errors
    /// The call failed, or a message is neither progress nor answer; see [`CallError`].
    pub async fn next_progress(&mut self) -> Result<Option<P>, CallError> {
        if self.answer.is_some() {
            return Ok(None);
        }
        match self.raw.next().await? {
            Reply::Progress(body) => decode(&body).map(Some),
            Reply::Exception(exception) => Err(exception.into()),
            Reply::Answer(body) => match decode(&body) {
                Ok(answer) => {
                    self.answer = Some(answer);
                    Ok(None)
                }
                Err(error) => edeposit_serializers::from_slice(&body)
                    .map(Some)
                    .map_err(|_| error),
            },
        }
    }

    /// The answer. Progress messages that were not read are passed over.
    ///
    /// # Errors
    /// The call failed, or the answer is no `R`; see [`CallError`].
    pub async fn answer(mut self) -> Result<R, CallError> {
        loop {
            if let Some(answer) = self.answer {
                return Ok(answer);
            }
            self.next_progress().await?;
        }
    }
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    const SHOWN: usize = 200;
    edeposit_serializers::from_slice(body).map_err(|error| CallError::Decode {
        error: Box::new(error),
        beginning: String::from_utf8_lossy(body).chars().take(SHOWN).collect(),
    })
}
