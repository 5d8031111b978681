//! A streamed command on the core of its client.

use std::sync::Arc;

use cloudstate_catalog::Method;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::pump::{Answered, Sink};
use crate::context::Context;
use crate::route::within;
use crate::{CallError, Core, Replies, Reply, ReplyStream};

/// Answers on their way to a slow client, before its messages wait at the entity.
const ANSWER_BUFFER: usize = 16;

/// The client of a streamed command, and where its answers arrive.
pub(crate) fn sink(core: &Core, method: Arc<Method>, context: Context) -> (Sink, mpsc::Receiver<Answered>) {
    // One more for the last word.
    let (answers, answered) = mpsc::channel(ANSWER_BUFFER + 1);
    let sink = Sink {
        number: core.0.shared.next_stream(),
        method,
        context,
        answers,
    };
    (sink, answered)
}

/// The replies that the client gets. Dropping the stream is the cancellation of the command.
pub(crate) fn crdt_stream(
    core: &Core,
    method: Arc<Method>,
    answered: mpsc::Receiver<Answered>,
    deadline: Option<Instant>,
    context: Context,
) -> ReplyStream {
    let receiving = Receiving {
        core: core.clone(),
        method,
        answered,
        deadline,
        context,
        forwarded: None,
    };
    Box::pin(stream::unfold(Some(receiving), |receiving| async {
        let mut receiving = receiving?;
        // Boxed: a forward is large, and rare.
        match Box::pin(receiving.next()).await {
            Some(Ok(reply)) => Some((Ok(reply), Some(receiving))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    }))
}

struct Receiving {
    core: Core,
    method: Arc<Method>,
    answered: mpsc::Receiver<Answered>,
    deadline: Option<Instant>,
    context: Context,
    /// Where an answer was forwarded to a method that streams.
    forwarded: Option<ReplyStream>,
}

impl Receiving {
    async fn next(&mut self) -> Option<Result<Reply, CallError>> {
        loop {
            if let Some(forwarded) = &mut self.forwarded {
                match forwarded.next().await {
                    Some(reply) => return Some(reply),
                    None => self.forwarded = None,
                }
            }
            let answer = match within(self.deadline, self.answered.recv()).await {
                Err(error) | Ok(Some(Err(error))) => return Some(Err(error)),
                Ok(None) => return None,
                Ok(Some(Ok(answer))) => answer,
            };
            let context = self.context.clone();
            let concluded = self.core.conclude(answer, &self.method, self.deadline, context);
            match concluded.await {
                Ok(Replies::None) => {}
                Ok(Replies::One(reply)) => return Some(Ok(reply)),
                Ok(Replies::Stream(forwarded)) => self.forwarded = Some(forwarded),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
