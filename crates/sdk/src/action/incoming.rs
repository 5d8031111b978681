//! What a call brings in.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use cloudstate_protocol::Metadata;
use cloudstate_protocol::action::ActionCommand;
use cloudstate_protocol::cloud_event::CloudEvent;
use futures_core::Stream;
use prost::Message;

use super::Answer;

/// The caller has gone; nobody waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// The messages of one call as the proxy sends them.
pub type Messages = Pin<Box<dyn Stream<Item = Result<ActionCommand, Cancelled>> + Send>>;

/// Why a call cannot go on although its handler would.
#[derive(Debug)]
pub(super) enum Fault {
    Cancelled,
    Protocol(String),
}

/// Where the input leaves a fault for whoever polls the handler. The handler itself just never wakes up again.
pub(super) type FaultCell = Arc<OnceLock<Fault>>;

/// What an action knows about a call beside its messages.
#[derive(Debug, Clone)]
pub struct Context {
    service: String,
    command: String,
    metadata: Metadata,
}

impl Context {
    /// Full name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Simple name of the method.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The caller's metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The call as a CloudEvent, if it came from an event source.
    pub fn cloud_event(&self) -> Option<CloudEvent> {
        CloudEvent::from_metadata(&self.metadata)
    }
}

/// A call whose messages are not decoded yet. Generated code works with it.
pub struct Incoming {
    first: ActionCommand,
    messages: Messages,
    fault: FaultCell,
}

impl Incoming {
    pub(super) fn new(first: ActionCommand, messages: Messages) -> Self {
        Incoming {
            first,
            messages,
            fault: FaultCell::default(),
        }
    }

    pub(super) fn fault(&self) -> FaultCell {
        self.fault.clone()
    }

    pub(super) fn names(&self) -> (&str, &str) {
        (&self.first.service_name, &self.first.name)
    }

    /// The method's simple name.
    pub fn command(&self) -> &str {
        &self.first.name
    }

    /// What the handler may know about the call.
    pub fn context(&mut self) -> Context {
        Context {
            service: std::mem::take(&mut self.first.service_name),
            command: std::mem::take(&mut self.first.name),
            metadata: self.first.metadata.take().unwrap_or_default(),
        }
    }

    /// The one message of a call that has only one. `None` notes a fault, which ends the call.
    pub fn command_message<I: Message + Default>(&mut self) -> Option<I> {
        let Some(payload) = self.first.payload.take() else {
            let _ = self
                .fault
                .set(Fault::Protocol("Protocol error: No command payload".into()));
            return None;
        };
        match I::decode(payload.value) {
            Ok(message) => Some(message),
            Err(error) => {
                let _ = self.fault.set(malformed(&error));
                None
            }
        }
    }

    /// The messages of a call that streams its input.
    pub fn commands<I: Message + Default>(&mut self) -> Commands<I> {
        let messages = std::mem::replace(&mut self.messages, Box::pin(futures_util::stream::empty()));
        let first = self.first.payload.take().map(|payload| ActionCommand {
            payload: Some(payload),
            metadata: self.first.metadata.clone(),
            ..ActionCommand::default()
        });
        Commands {
            first,
            messages,
            fault: self.fault(),
            metadata: Metadata::default(),
            message: PhantomData,
        }
    }

    /// The service has no such method.
    pub fn unknown(self) -> Answer {
        super::declined(&format!(
            "Unknown command: {} of service {}",
            self.first.name, self.first.service_name
        ))
    }
}

fn malformed(error: &prost::DecodeError) -> Fault {
    Fault::Protocol(format!("Protocol error: malformed command message: {error}"))
}

/// The messages that a caller streams, in order. It ends when the caller has sent all; when the caller goes away or
/// sends garbage, the whole call ends, and the handler is dropped where it waits.
pub struct Commands<I> {
    first: Option<ActionCommand>,
    messages: Messages,
    fault: FaultCell,
    metadata: Metadata,
    message: PhantomData<fn() -> I>,
}

impl<I: Message + Default> Commands<I> {
    /// The next message, or `None` at the end.
    pub async fn next(&mut self) -> Option<I> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The metadata that came with the last message. Gateways send it with the call
    /// ([`Context::metadata`]) rather than with each message; event sources do the reverse.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn decode(&mut self, command: ActionCommand) -> Result<I, Fault> {
        self.metadata = command.metadata.unwrap_or_default();
        let payload = command
            .payload
            .ok_or_else(|| Fault::Protocol("Protocol error: No command payload".into()))?;
        I::decode(payload.value).map_err(|error| malformed(&error))
    }
}

impl<I: Message + Default> Stream for Commands<I> {
    type Item = I;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<I>> {
        let next = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => std::task::ready!(self.messages.as_mut().poll_next(cx)),
        };
        let decoded = match next {
            None => return Poll::Ready(None),
            Some(Ok(command)) => self.decode(command),
            Some(Err(Cancelled)) => Err(Fault::Cancelled),
        };
        match decoded {
            Ok(message) => Poll::Ready(Some(message)),
            Err(fault) => {
                let _ = self.fault.set(fault);
                Poll::Pending
            }
        }
    }
}
