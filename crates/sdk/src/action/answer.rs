//! From a handler to the responses of the protocol.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use cloudstate_protocol::action::{ActionResponse, action_response::Response};
use cloudstate_protocol::client_action::Action;
use futures_core::Stream;
use futures_util::StreamExt;
use prost::Message;

use super::Incoming;
use super::incoming::{Fault, FaultCell};
use crate::dispatch::{Done, panic_text};
use crate::{Failure, Reply};

/// The responses to one call. Nothing runs until it is polled.
pub enum Answer {
    /// One; `None` if the caller has gone.
    One(Pin<Box<dyn Future<Output = Option<ActionResponse>> + Send>>),
    /// Any number.
    Many(Pin<Box<dyn Stream<Item = ActionResponse> + Send>>),
}

impl Incoming {
    /// Runs a handler with one reply. It returns `None` where the input had a fault.
    pub fn answer_one<O, F>(self, reply_type: &'static str, handler: impl FnOnce(Self) -> F) -> Answer
    where
        O: Message,
        F: Future<Output = Option<Result<Reply<O>, Failure>>> + Send + 'static,
    {
        let guard = Guard::new(&self);
        let running = handler(self);
        Answer::One(Box::pin(async move {
            let mut running = pin!(running);
            match std::future::poll_fn(|cx| guard.poll(cx, running.as_mut())).await {
                Ok(result) => Some(respond(result, reply_type)),
                Err(response) => response,
            }
        }))
    }

    /// Runs a handler with a stream of replies. It returns when all are sent, or `None` where the input had a fault.
    pub fn answer_many<O, F>(
        self,
        reply_type: &'static str,
        handler: impl FnOnce(Self, Replies<O>) -> F,
    ) -> Answer
    where
        O: Message,
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let guard = Guard::new(&self);
        let slot = Slot::default();
        let replies = Replies {
            reply_type,
            slot: slot.clone(),
            message: std::marker::PhantomData,
        };
        let running = Some(Box::pin(handler(self, replies)));
        Answer::Many(Box::pin(Producing { guard, slot, running }))
    }
}

fn respond<O: Message>(result: Result<Reply<O>, Failure>, reply_type: &'static str) -> ActionResponse {
    match result {
        Ok(reply) => {
            let done = Done::new(reply, reply_type);
            let response = done
                .action
                .and_then(|action| action.action)
                .map(|action| match action {
                    Action::Reply(reply) => Response::Reply(reply),
                    Action::Forward(forward) => Response::Forward(forward),
                    Action::Failure(failure) => Response::Failure(failure),
                });
            ActionResponse {
                response,
                side_effects: done.effects,
            }
        }
        Err(failure) => ActionResponse {
            side_effects: failure.effects,
            ..super::failure(&failure.description)
        },
    }
}

/// Stands between a handler and whoever polls it: turns panics and faults of the input into the call's end.
struct Guard {
    fault: FaultCell,
    service: String,
    command: String,
}

impl Guard {
    fn new(call: &Incoming) -> Self {
        let (service, command) = call.names();
        Guard {
            fault: call.fault(),
            service: service.to_owned(),
            command: command.to_owned(),
        }
    }

    /// `Err` is the last response, if there is anyone to get it.
    fn poll<F, T>(
        &self,
        cx: &mut Context<'_>,
        running: Pin<&mut F>,
    ) -> Poll<Result<T, Option<ActionResponse>>>
    where
        F: Future<Output = Option<T>>,
    {
        // The handler is dropped after a panic, so nobody sees what the panic left half done.
        let polled = catch_unwind(AssertUnwindSafe(|| running.poll(cx)));
        match polled {
            Err(panic) => Poll::Ready(Err(Some(self.panicked(panic_text(&*panic))))),
            Ok(Poll::Ready(Some(done))) => Poll::Ready(Ok(done)),
            Ok(Poll::Ready(None)) => Poll::Ready(Err(self.faulted())),
            Ok(Poll::Pending) if self.fault.get().is_some() => Poll::Ready(Err(self.faulted())),
            Ok(Poll::Pending) => Poll::Pending,
        }
    }

    fn panicked(&self, text: &str) -> ActionResponse {
        tracing::error!(
            service = self.service,
            command = self.command,
            "an action panicked: {text}"
        );
        super::failure(&format!(
            "Error handling command {} of service {}",
            self.command, self.service
        ))
    }

    fn faulted(&self) -> Option<ActionResponse> {
        match self.fault.get() {
            Some(Fault::Protocol(description)) => Some(super::failure(description)),
            Some(Fault::Cancelled) | None => None,
        }
    }
}

/// Holds one response on its way from the handler to the stream; both are polled by the same task, one after the other.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<ActionResponse>>>);

impl Slot {
    fn put(&self, response: ActionResponse) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
    }

    fn take(&self) -> Option<ActionResponse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// Takes the replies of a handler that streams them.
pub struct Replies<O> {
    reply_type: &'static str,
    slot: Slot,
    message: std::marker::PhantomData<fn() -> O>,
}

impl<O: Message> Replies<O> {
    /// Sends all, as fast as the proxy takes them. A failure is the last.
    pub async fn send_all(self, replies: impl Stream<Item = Result<Reply<O>, Failure>> + Send) -> Option<()> {
        let mut replies = pin!(replies);
        while let Some(result) = replies.next().await {
            let last = result.is_err();
            self.slot.put(respond(result, self.reply_type));
            // Whoever takes the response polls again at once, so no waker is needed.
            std::future::poll_fn(|_| {
                if self.slot.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            if last {
                break;
            }
        }
        Some(())
    }
}

/// A handler that streams its replies, as a stream.
struct Producing<F> {
    guard: Guard,
    slot: Slot,
    /// `None` once it has ended.
    running: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Option<()>>> Stream for Producing<F> {
    type Item = ActionResponse;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ActionResponse>> {
        let this = &mut *self;
        let Some(running) = &mut this.running else {
            return Poll::Ready(None);
        };
        let polled = this.guard.poll(cx, running.as_mut());
        if let Some(response) = this.slot.take() {
            return Poll::Ready(Some(response));
        }
        let ended = ready!(polled);
        this.running = None;
        Poll::Ready(ended.err().flatten())
    }
}
