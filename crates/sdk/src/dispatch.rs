//! Between the protocol and typed handlers. Generated code calls this; a function author has no need to.

use bytes::Bytes;
use cloudstate_protocol::{ClientAction, SideEffect, client_action::Action};
use prost::{DecodeError, Message};

use crate::call::present;
use crate::reply::Content;
use crate::{Failure, Reply};

/// A command for an entity whose message is not decoded yet.
pub struct Invocation<'a> {
    command: &'a str,
    payload: Bytes,
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(command: &'a str, payload: Bytes) -> Self {
        Invocation { command, payload }
    }

    /// The method's simple name.
    pub fn command(&self) -> &'a str {
        self.command
    }

    /// Decodes the message, whatever its type URL says, runs the handler and encodes its reply.
    pub fn run<I, O>(
        self,
        reply_type: &'static str,
        handler: impl FnOnce(I) -> Result<Reply<O>, Failure>,
    ) -> Handled
    where
        I: Message + Default,
        O: Message,
    {
        match I::decode(self.payload) {
            Ok(message) => Handled::Outcome(handler(message).map(|reply| Done::new(reply, reply_type))),
            Err(source) => Handled::Malformed(source),
        }
    }

    /// Decodes the message, whatever its type URL says.
    pub(crate) fn decode<I: Message + Default>(self) -> Result<I, DecodeError> {
        I::decode(self.payload)
    }

    /// The service has no such method.
    pub fn unknown(self) -> Handled {
        Handled::Unknown
    }
}

/// What became of a command.
pub enum Handled {
    /// The handler ran.
    Outcome(Result<Done, Failure>),
    /// The message does not decode.
    Malformed(DecodeError),
    /// The service has no such method.
    Unknown,
}

/// A reply, encoded.
pub struct Done {
    /// `None` when the handler replied with nothing.
    pub(crate) action: Option<ClientAction>,
    pub(crate) effects: Vec<SideEffect>,
}

impl Done {
    pub(crate) fn new<O: Message>(reply: Reply<O>, reply_type: &'static str) -> Self {
        let action = match reply.content {
            Content::Message(message) => Some(Action::Reply(encode(&message, reply_type, reply.metadata))),
            Content::Forward(forward) => Some(Action::Forward(forward)),
            Content::Nothing => None,
        };
        Done {
            action: action.map(|action| ClientAction { action: Some(action) }),
            effects: reply.effects,
        }
    }
}

fn encode(
    message: &impl Message,
    type_url: &'static str,
    metadata: cloudstate_protocol::Metadata,
) -> cloudstate_protocol::Reply {
    let payload = cloudstate_protocol::Any {
        type_url: type_url.to_owned(),
        value: message.encode_to_vec().into(),
    };
    cloudstate_protocol::Reply {
        payload: Some(payload),
        metadata: present(metadata),
    }
}

/// Fails a command of an entity; the failure's effects are dropped.
pub(crate) fn failed(command_id: i64, failure: Failure, restart: bool) -> ClientAction {
    let failure = cloudstate_protocol::Failure {
        command_id,
        description: failure.description,
        restart,
    };
    ClientAction {
        action: Some(Action::Failure(failure)),
    }
}

/// What an entity stream does with one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<O> {
    /// Nothing to say; go on.
    Silent,
    /// Send this and go on.
    Send(O),
    /// Send this and close the stream.
    End(O),
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked with a value that is no text")
}
