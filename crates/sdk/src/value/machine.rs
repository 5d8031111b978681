//! The protocol of one activation: message in, message out. No transport, no clock.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_protocol::valueentity::{
    ValueEntityInit, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut,
    value_entity_stream_out::Message as Out,
};
use cloudstate_protocol::{Any, Failure};
use prost::{DecodeError, Message};

use super::{Context, Handler, Registration};
use crate::PayloadError;
use crate::dispatch::{Done, Handled, Invocation, Step, failed, panic_text};
use crate::wire::{Command, LazyMetadata, Payload, ValueEntityIn, ValueEntityMessage as In};

/// One stream of the protocol service `cloudstate.valueentity.ValueEntity`: one activation of one entity.
pub struct Stream {
    services: Arc<HashMap<&'static str, Registration>>,
    entity: Option<Box<dyn Activation>>,
}

impl Stream {
    /// A stream that may become any of these services' entities.
    pub fn new(services: Arc<HashMap<&'static str, Registration>>) -> Self {
        Stream {
            services,
            entity: None,
        }
    }

    /// Handles the next message of the proxy, like [`receive`](Self::receive).
    pub fn handle(&mut self, message: &ValueEntityStreamIn) -> Step<ValueEntityStreamOut> {
        #[expect(
            clippy::expect_used,
            reason = "a decoder takes what the encoder of the same wire format makes"
        )]
        self.receive(message.encode_to_vec().into())
            .expect("an encoded message decodes")
    }

    /// Handles the next message of the proxy, still encoded. After [`Step::End`] the stream is over. A panic of the
    /// entity's code is caught and ends the stream; others are not concerned.
    ///
    /// # Errors
    /// If the message does not decode.
    pub fn receive(&mut self, message: Bytes) -> Result<Step<ValueEntityStreamOut>, DecodeError> {
        let message = ValueEntityIn::decode(message)?;
        let command_id = match &message.message {
            Some(In::Command(command)) => command.id,
            _ => 0,
        };
        // The entity is dropped after a panic, so nobody sees what the panic left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.accept(message)));
        let outcome =
            outcome.unwrap_or_else(|panic| Err(Broken::unexpected(command_id, panic_text(&*panic))));
        Ok(outcome.unwrap_or_else(|broken| {
            self.entity = None;
            Step::End(broken.into_message())
        }))
    }

    fn accept(&mut self, message: ValueEntityIn) -> Result<Step<ValueEntityStreamOut>, Broken> {
        match (message.message, &mut self.entity) {
            (None, _) => Err(Broken::protocol(0, "Value entity received empty/unknown message")),
            (Some(In::Init(init)), None) => self.init(init),
            (Some(In::Init(_)), Some(_)) => Err(Broken::protocol(0, "Value entity already inited")),
            (Some(_), None) => Err(Broken::protocol(0, "Expected init message for Value entity")),
            (Some(In::Command(command)), Some(entity)) => entity.run(command).map(|reply| {
                Step::Send(ValueEntityStreamOut {
                    message: Some(Out::Reply(reply)),
                })
            }),
        }
    }

    fn init(&mut self, init: ValueEntityInit) -> Result<Step<ValueEntityStreamOut>, Broken> {
        let unknown = || Broken::protocol(0, &format!("Service not found: {}", init.service_name));
        let registration = self
            .services
            .get(init.service_name.as_str())
            .ok_or_else(unknown)?;
        let value = init.state.and_then(|state| state.value);
        self.entity = Some(
            registration
                .activate(init.entity_id, value.as_ref())
                .map_err(Broken::payload(0))?,
        );
        Ok(Step::Silent)
    }
}

/// Why the activation cannot go on.
pub(super) struct Broken {
    command_id: i64,
    description: String,
}

impl Broken {
    fn protocol(command_id: i64, what: &str) -> Self {
        Broken {
            command_id,
            description: ["Protocol error: ", what].concat(),
        }
    }

    fn unexpected(command_id: i64, what: &str) -> Self {
        Broken {
            command_id,
            description: ["Value entity unexpected failure: ", what].concat(),
        }
    }

    fn payload(command_id: i64) -> impl FnOnce(PayloadError) -> Self {
        move |error| Broken::unexpected(command_id, &error.to_string())
    }

    fn into_message(self) -> ValueEntityStreamOut {
        let Broken {
            command_id,
            description,
        } = self;
        tracing::error!(
            command_id,
            description,
            "a value entity failed; its activation ends"
        );
        let failure = Failure {
            command_id,
            description,
            restart: false,
        };
        ValueEntityStreamOut {
            message: Some(Out::Failure(failure)),
        }
    }
}

/// An entity in memory, whatever its type.
pub(super) trait Activation: Send {
    fn run(&mut self, command: Command) -> Result<ValueEntityReply, Broken>;
}

/// An entity in memory.
pub(super) struct Live<H: Handler> {
    handler: Arc<H>,
    context: Context<H::State>,
}

impl<H: Handler> Live<H> {
    pub(super) fn new(handler: Arc<H>, entity_id: String, value: Option<&Any>) -> Result<Self, PayloadError> {
        Ok(Live {
            handler,
            context: Context::new(entity_id, value)?,
        })
    }

    fn check(&self, command: &mut Command) -> Result<Payload, Broken> {
        if command.entity_id != self.context.entity_id() {
            let what = "Receiving Value entity is not the intended recipient of command";
            return Err(Broken::protocol(command.id, what));
        }
        command
            .payload
            .take()
            .ok_or_else(|| Broken::protocol(command.id, "No command payload for Value entity"))
    }

    fn succeed(&mut self, id: i64, done: Done) -> Result<ValueEntityReply, Broken> {
        let no_reply = || Broken::unexpected(id, "No reply or forward returned by command handler!");
        let action = done.action.ok_or_else(no_reply)?;
        let state_action = self.context.finish().map_err(Broken::payload(id))?;
        Ok(ValueEntityReply {
            command_id: id,
            client_action: Some(action),
            side_effects: done.effects,
            state_action,
        })
    }

    fn fail(&mut self, id: i64, failure: crate::Failure) -> ValueEntityReply {
        self.context.roll_back();
        let action = failed(id, failure, false);
        ValueEntityReply {
            command_id: id,
            client_action: Some(action),
            ..ValueEntityReply::default()
        }
    }
}

impl<H: Handler> Activation for Live<H> {
    fn run(&mut self, mut command: Command) -> Result<ValueEntityReply, Broken> {
        let payload = self.check(&mut command)?;
        self.context
            .begin(LazyMetadata::new(std::mem::take(&mut command.metadata)));
        let invocation = Invocation::new(command.name(), payload.value);
        let handled = self.handler.handle(invocation, &mut self.context);
        self.context.end();
        match handled {
            Handled::Outcome(Ok(done)) => self.succeed(command.id, done),
            Handled::Outcome(Err(failure)) => Ok(self.fail(command.id, failure)),
            Handled::Malformed(error) => {
                let what = format!("malformed message of command {}: {error}", command.name());
                Err(Broken::unexpected(command.id, &what))
            }
            Handled::Unknown => Err(Broken::protocol(
                command.id,
                &format!("Unknown command: {}", command.name()),
            )),
        }
    }
}
