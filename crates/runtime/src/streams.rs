//! Streaming action calls: requests one way, responses the other, each response routed like a unary one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use cloudstate_catalog::Method;
use cloudstate_entity::action;
use cloudstate_function::{StreamReceiver, StreamSender};
use cloudstate_protocol::action::ActionResponse;
use cloudstate_protocol::{Metadata, names};
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::context::Context;
use crate::function_call::FunctionCall;
use crate::route::{link_error, request, unary_command, within};
use crate::{CallError, Core, Input, Replies, Reply, ReplyStream, RequestStream};

/// Replies on their way to a slow client; then the function has to wait.
const REPLY_BUFFER: usize = 16;

/// Starts a streaming call. Dropping the stream cancels it, and the function sees its call reset.
pub(crate) fn action_stream(
    core: &Core,
    method: Arc<Method>,
    input: Input,
    metadata: Metadata,
    deadline: Option<Instant>,
    context: Context,
) -> ReplyStream {
    let (replies, receiver) = mpsc::channel(REPLY_BUFFER);
    let pump = Pump {
        core: core.clone(),
        method,
        context,
        deadline,
        replies: replies.clone(),
    };
    core.0.tasks.spawn_local(async move {
        let result = tokio::select! {
            biased;
            () = replies.closed() => return,
            result = within(deadline, pump.run(input, metadata)) => result.and_then(|inner| inner),
        };
        if let Err(error) = result {
            // A client that has gone needs no error.
            let _ = replies.send(Err(error)).await;
        }
    });
    Box::pin(Received(receiver))
}

struct Pump {
    core: Core,
    method: Arc<Method>,
    context: Context,
    deadline: Option<Instant>,
    replies: mpsc::Sender<Result<Reply, CallError>>,
}

impl Pump {
    async fn run(&self, input: Input, metadata: Metadata) -> Result<(), CallError> {
        let path = match (self.method.client_streaming, self.method.server_streaming) {
            (true, false) => names::ACTION_STREAMED_IN_PATH,
            (true, true) => names::ACTION_STREAMED_PATH,
            (false, _) => names::ACTION_STREAMED_OUT_PATH,
        };
        let mut call = FunctionCall::begin(&self.core, &self.method, &self.context);
        let (sender, receiver) = match self.core.0.link.open(path).await {
            Ok(halves) => halves,
            Err(error) => return Err(call.failed(link_error(error))),
        };
        let metadata = self.context.write(metadata);
        let requests = self.requests(sender, input, metadata);
        let responses = self.responses(receiver);
        tokio::pin!(requests, responses);
        tokio::select! {
            result = &mut responses => return call.over(result),
            result = &mut requests => {
                if result.is_err() {
                    return call.over(result);
                }
            }
        }
        call.over(responses.await)
    }

    /// Sends all requests, then half-closes. When the function takes no more, its response says why: an error here is
    /// the client's.
    async fn requests(
        &self,
        mut sender: StreamSender,
        input: Input,
        metadata: Metadata,
    ) -> Result<(), CallError> {
        let method = &self.method;
        match input {
            Input::One(payload) if !method.client_streaming => {
                let command = unary_command(method, payload, metadata);
                let _ = sender.send(&command).await;
            }
            input => {
                let head = action::stream_head(&method.service.name, &method.name, metadata);
                let mut taken = sender.send(&head).await.is_ok();
                let mut items = items(input);
                while taken && let Some(item) = items.next().await {
                    taken = sender
                        .send(&action::stream_item(request(method, item?)))
                        .await
                        .is_ok();
                }
            }
        }
        sender.finish();
        // The stream lives as long as the responses; dropping its sender after the half-close does not reset it.
        Ok(())
    }

    async fn responses(&self, mut receiver: StreamReceiver) -> Result<(), CallError> {
        let mut responded = false;
        // What came before may have had effects.
        let failed = |error: CallError, responded| match responded {
            true => error.after_effect(&self.method.path),
            false => error,
        };
        loop {
            let next = receiver.message::<ActionResponse>().await;
            let Some(response) = next.map_err(|error| failed(link_error(error), responded))? else {
                return Ok(());
            };
            if responded && !self.method.server_streaming {
                let text = format!(
                    "{} has one reply, and the user function sent more",
                    self.method.path
                );
                return Err(failed(CallError::Violation(text), responded));
            }
            self.respond(response)
                .await
                .map_err(|error| failed(error, responded))?;
            responded = true;
        }
    }

    async fn respond(&self, response: ActionResponse) -> Result<(), CallError> {
        let answer = self
            .core
            .settle_effects(action::answer(response), &self.method, &self.context)
            .await;
        match self
            .core
            .conclude(answer, &self.method, self.deadline, self.context.clone())
            .await?
        {
            Replies::None => Ok(()),
            Replies::One(reply) => self.pass(reply).await,
            Replies::Stream(mut forwarded) => {
                while let Some(reply) = forwarded.next().await {
                    self.pass(reply?).await?;
                }
                Ok(())
            }
        }
    }

    async fn pass(&self, reply: Reply) -> Result<(), CallError> {
        self.replies
            .send(Ok(reply))
            .await
            .map_err(|_| CallError::Cancelled)
    }
}

fn items(input: Input) -> RequestStream {
    match input {
        Input::One(payload) => Box::pin(futures_util::stream::once(std::future::ready(Ok(payload)))),
        Input::Stream(items) => items,
    }
}

struct Received(mpsc::Receiver<Result<Reply, CallError>>);

impl Stream for Received {
    type Item = Result<Reply, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// A stream that keeps something until it is dropped: its place in the count of calls, or its span.
pub(crate) struct Holding<T> {
    stream: ReplyStream,
    _held: T,
}

impl<T> Holding<T> {
    pub(crate) fn new(stream: ReplyStream, held: T) -> Self {
        Holding { stream, _held: held }
    }
}

impl<T: Unpin> Stream for Holding<T> {
    type Item = Result<Reply, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}
