//! What handlers of streamed commands return, and how it becomes untyped.

use cloudstate_protocol::{ClientAction, SideEffect};
use prost::{DecodeError, Message};

use super::{Context, Crdt};
use crate::dispatch::{self, Done, Invocation};
use crate::{Failure, Reply};

type OnChange<S, O> = Box<dyn FnMut(&S) -> Next<O> + Send>;
type OnChangeSaid<S> = Box<dyn FnMut(&S) -> Option<Said> + Send>;
type OnCancel<S> = Box<dyn FnOnce(&mut S, &mut Context) + Send>;

/// What a stream says after the state has changed.
pub enum Next<O> {
    /// Nothing.
    Silent,
    /// A message, and goes on.
    Send(Reply<O>),
    /// A last message.
    Last(Reply<O>),
    /// Nothing, and ends.
    End,
    /// A failure, which ends it.
    Fail(Failure),
}

impl<O> Next<O> {
    /// A message, and goes on.
    pub fn send(reply: impl Into<Reply<O>>) -> Self {
        Next::Send(reply.into())
    }

    /// A last message.
    pub fn last(reply: impl Into<Reply<O>>) -> Self {
        Next::Last(reply.into())
    }
}

/// A stream of messages to a client, which stays open until one of both sides ends it.
pub struct Streamed<S, O> {
    first: Option<Reply<O>>,
    stays: bool,
    on_change: Option<OnChange<S, O>>,
    on_cancel: Option<OnCancel<S>>,
}

impl<S, O> Default for Streamed<S, O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, O> Streamed<S, O> {
    /// A stream that says nothing yet.
    pub fn new() -> Self {
        Streamed {
            first: None,
            stays: true,
            on_change: None,
            on_cancel: None,
        }
    }

    /// One message, and no stream.
    pub fn once(reply: impl Into<Reply<O>>) -> Self {
        Streamed {
            stays: false,
            ..Self::new().first(reply)
        }
    }

    /// Begins with a message.
    #[must_use]
    pub fn first(mut self, reply: impl Into<Reply<O>>) -> Self {
        self.first = Some(reply.into());
        self
    }

    /// Called whenever the state has changed: by another command or the end of another stream here, or by another node. Not
    /// for the command that opens the stream.
    #[must_use]
    pub fn on_change(mut self, next: impl FnMut(&S) -> Next<O> + Send + 'static) -> Self {
        self.on_change = Some(Box::new(next));
        self
    }

    /// Called when the client has gone, not when the function ended the stream. It may change the state once more.
    #[must_use]
    pub fn on_cancel(mut self, last: impl FnOnce(&mut S, &mut Context) + Send + 'static) -> Self {
        self.on_cancel = Some(Box::new(last));
        self
    }
}

/// What became of a command.
pub enum Handled<S> {
    /// A unary handler ran.
    Unary(Result<Done, Failure>),
    /// A handler of a streamed command ran.
    Streamed(Result<Opened<S>, Failure>),
    /// The message does not decode.
    Malformed(DecodeError),
    /// The service has no such method.
    Unknown,
}

/// A stream, encoded.
pub struct Opened<S> {
    pub(super) first: Done,
    /// `None` if there is no stream.
    pub(super) subscription: Option<Subscription<S>>,
}

/// An open stream.
pub(super) struct Subscription<S> {
    pub(super) on_change: Option<OnChangeSaid<S>>,
    pub(super) on_cancel: Option<OnCancel<S>>,
}

/// A message of a stream, encoded.
pub(super) struct Said {
    pub(super) action: Option<ClientAction>,
    pub(super) effects: Vec<SideEffect>,
    pub(super) ends: bool,
}

/// Runs the handler of a unary command. Generated code calls this.
pub fn unary<S, I, O>(
    invocation: Invocation<'_>,
    reply_type: &'static str,
    handler: impl FnOnce(I) -> Result<Reply<O>, Failure>,
) -> Handled<S>
where
    I: Message + Default,
    O: Message,
{
    match invocation.run(reply_type, handler) {
        dispatch::Handled::Outcome(outcome) => Handled::Unary(outcome),
        dispatch::Handled::Malformed(error) => Handled::Malformed(error),
        dispatch::Handled::Unknown => Handled::Unknown,
    }
}

/// Runs the handler of a streamed command. Generated code calls this.
pub fn streamed<S, I, O>(
    invocation: Invocation<'_>,
    reply_type: &'static str,
    handler: impl FnOnce(I) -> Result<Streamed<S, O>, Failure>,
) -> Handled<S>
where
    S: Crdt,
    I: Message + Default,
    O: Message + 'static,
{
    match invocation.decode() {
        Ok(command) => Handled::Streamed(handler(command).map(|stream| stream.open(reply_type))),
        Err(error) => Handled::Malformed(error),
    }
}

impl<S: Crdt, O: Message + 'static> Streamed<S, O> {
    fn open(self, reply_type: &'static str) -> Opened<S> {
        let first = self.first.unwrap_or_else(Reply::nothing);
        let on_change = self.on_change.map(|mut next| {
            let said = move |state: &S| say(next(state), reply_type);
            Box::new(said) as OnChangeSaid<S>
        });
        let subscription = Subscription {
            on_change,
            on_cancel: self.on_cancel,
        };
        Opened {
            first: Done::new(first, reply_type),
            subscription: self.stays.then_some(subscription),
        }
    }
}

fn say<O: Message>(next: Next<O>, reply_type: &'static str) -> Option<Said> {
    let (reply, ends) = match next {
        Next::Silent => return None,
        Next::Send(reply) => (reply, false),
        Next::Last(reply) => (reply, true),
        Next::End => (Reply::nothing(), true),
        Next::Fail(failure) => {
            return Some(Said {
                action: Some(dispatch::failed(0, failure, false)),
                effects: Vec::new(),
                ends: true,
            });
        }
    };
    let Done { action, effects } = Done::new(reply, reply_type);
    Some(Said {
        action,
        effects,
        ends,
    })
}
