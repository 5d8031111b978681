//! The protocol of one activation: message in, messages out. No transport, no clock.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_protocol::crdt::{
    CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamIn,
    CrdtStreamOut, CrdtStreamedMessage, crdt_state_action::Action, crdt_stream_in::Message as In,
    crdt_stream_out::Message as Out,
};
use cloudstate_protocol::{Command, Failure, Metadata, StreamCancelled};
use prost::{DecodeError, Message};

use super::replicated::{ApplyError, Replicated, on_the_wire};
use super::streamed::{Opened, Subscription};
use super::{Context, Handled, Handler, Registration};
use crate::dispatch::{Done, Invocation, Step, failed, panic_text};

type Outs = Vec<CrdtStreamOut>;

/// One stream of the protocol service `cloudstate.crdt.Crdt`: one activation of one entity.
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

    /// Handles the next message of the proxy, still encoded, like [`handle`](Self::handle).
    ///
    /// # Errors
    /// If the message does not decode.
    pub fn receive(&mut self, message: Bytes) -> Result<Step<Outs>, DecodeError> {
        Ok(self.handle(CrdtStreamIn::decode(message)?))
    }

    /// Handles the next message of the proxy. After [`Step::End`] the stream is over. A panic of the entity's code is caught
    /// and ends the stream; others are not concerned.
    pub fn handle(&mut self, message: CrdtStreamIn) -> Step<Outs> {
        // The entity is dropped after a panic, so nobody sees what the panic left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.accept(message.message)));
        let outcome = outcome.unwrap_or_else(|panic| Err(Broken::unexpected(panic_text(&*panic))));
        match outcome {
            Ok(outs) if outs.is_empty() => Step::Silent,
            Ok(outs) => Step::Send(outs),
            Err(broken) => {
                self.entity = None;
                Step::End(vec![broken.into_message()])
            }
        }
    }

    fn accept(&mut self, message: Option<In>) -> Result<Outs, Broken> {
        match (message, &mut self.entity) {
            (None, _) => Err(Broken::protocol("CRDT entity received empty/unknown message")),
            (Some(In::Init(init)), None) => self.init(init),
            (Some(In::Init(_)), Some(_)) => Err(Broken::protocol("CRDT entity already inited")),
            (Some(_), None) => Err(Broken::protocol("Expected init message for CRDT entity")),
            (Some(In::Command(command)), Some(entity)) => entity.run(command),
            (Some(In::Delta(delta)), Some(entity)) => entity.delta(delta),
            (Some(In::Delete(_)), Some(entity)) => {
                entity.deleted();
                Ok(Vec::new())
            }
            (Some(In::StreamCancelled(cancelled)), Some(entity)) => Ok(entity.cancelled(&cancelled)),
        }
    }

    fn init(&mut self, init: CrdtInit) -> Result<Outs, Broken> {
        let name = init.service_name.as_str();
        let unknown = || Broken::protocol(&format!("Service not found: {name}"));
        let registration = self.services.get(name).ok_or_else(unknown)?;
        let mut entity = registration.activate(init.entity_id);
        if let Some(delta) = init.delta {
            entity.delta(delta)?;
        }
        self.entity = Some(entity);
        Ok(Vec::new())
    }
}

/// Why the activation cannot go on.
pub(super) struct Broken(String);

impl Broken {
    fn protocol(what: &str) -> Self {
        Broken(["Protocol error: ", what].concat())
    }

    fn unexpected(what: &str) -> Self {
        Broken(["CRDT entity unexpected failure: ", what].concat())
    }

    fn into_message(self) -> CrdtStreamOut {
        let Broken(description) = self;
        tracing::error!(description, "a CRDT entity failed; its activation ends");
        // Without a command, since all that are in hand fail.
        out(Out::Failure(Failure {
            description,
            ..Failure::default()
        }))
    }
}

impl From<ApplyError> for Broken {
    fn from(error: ApplyError) -> Self {
        Broken::unexpected(&error.to_string())
    }
}

fn out(message: Out) -> CrdtStreamOut {
    CrdtStreamOut {
        message: Some(message),
    }
}

/// An entity in memory, whatever its type.
pub(super) trait Activation: Send {
    fn run(&mut self, command: Command) -> Result<Outs, Broken>;
    fn delta(&mut self, delta: CrdtDelta) -> Result<Outs, Broken>;
    fn deleted(&mut self);
    fn cancelled(&mut self, cancelled: &StreamCancelled) -> Outs;
}

/// An entity in memory.
pub(super) struct Live<H: Handler> {
    handler: Arc<H>,
    entity_id: String,
    state: H::State,
    deleted: bool,
    /// By the id of their commands, with the names of these.
    streams: BTreeMap<i64, (String, Subscription<H::State>)>,
}

impl<H: Handler> Live<H> {
    pub(super) fn new(handler: Arc<H>, entity_id: String) -> Self {
        Live {
            handler,
            entity_id,
            state: H::State::fresh(),
            deleted: false,
            streams: BTreeMap::new(),
        }
    }

    fn context(&self, command: &str, metadata: Metadata) -> Context {
        let of_command = self.streams.values().filter(|(name, _)| name == command);
        Context::new(self.entity_id.clone(), metadata, of_command.count())
    }

    fn succeed(&mut self, command: &Command, ctx: &Context, opened: Opened<H::State>) -> Outs {
        let Opened {
            first: Done { action, effects },
            subscription,
        } = opened;
        let state_action = self.state_action(ctx);
        // To a unary command no stream may answer, whatever its handler thinks.
        let subscription = subscription.filter(|_| command.streamed);
        let mut outs = vec![out(Out::Reply(CrdtReply {
            command_id: command.id,
            client_action: action,
            side_effects: effects,
            streamed: subscription.is_some(),
            state_action: state_action.clone(),
        }))];
        if is_update(state_action.as_ref()) {
            outs.append(&mut self.tell_streams());
        }
        if let Some(subscription) = subscription {
            self.streams
                .insert(command.id, (command.name.clone(), subscription));
        }
        outs
    }

    fn fail(&mut self, id: i64, failure: crate::Failure) -> Outs {
        self.state.roll_back();
        vec![out(Out::Reply(CrdtReply {
            command_id: id,
            client_action: Some(failed(id, failure, false)),
            ..CrdtReply::default()
        }))]
    }

    /// What the others have to be told, if anything.
    fn state_action(&mut self, ctx: &Context) -> Option<CrdtStateAction> {
        let action = if ctx.deletes && !self.deleted {
            self.deleted();
            Action::Delete(CrdtDelete {})
        } else {
            let change = self.state.change().filter(|_| !self.deleted)?;
            self.state.settle();
            Action::Update(on_the_wire(change))
        };
        Some(CrdtStateAction {
            action: Some(action),
            write_consistency: ctx.consistency.on_the_wire() as i32,
        })
    }

    /// Asks every stream what it says to the state as it is now.
    fn tell_streams(&mut self) -> Outs {
        let mut outs = Vec::new();
        let state = &self.state;
        self.streams.retain(|id, (_, stream)| {
            let Some(said) = stream.on_change.as_mut().and_then(|next| next(state)) else {
                return true;
            };
            let ends = said.ends;
            outs.push(out(Out::StreamedMessage(CrdtStreamedMessage {
                command_id: *id,
                client_action: said.action,
                side_effects: said.effects,
                end_stream: ends,
            })));
            !ends
        });
        outs
    }
}

fn is_update(action: Option<&CrdtStateAction>) -> bool {
    action.is_some_and(|action| matches!(action.action, Some(Action::Update(_))))
}

impl<H: Handler> Activation for Live<H> {
    fn run(&mut self, mut command: Command) -> Result<Outs, Broken> {
        if command.entity_id != self.entity_id {
            let what = "Receiving CRDT entity is not the intended recipient of command";
            return Err(Broken::protocol(what));
        }
        let no_payload = || Broken::protocol("No command payload for CRDT entity");
        let payload = command.payload.take().ok_or_else(no_payload)?;
        let metadata = command.metadata.take().unwrap_or_default();
        let mut ctx = self.context(&command.name, metadata);
        let invocation = Invocation::new(&command.name, payload.value);
        match self.handler.handle(invocation, &mut self.state, &mut ctx) {
            Handled::Unary(Ok(first)) => {
                let opened = Opened {
                    first,
                    subscription: None,
                };
                Ok(self.succeed(&command, &ctx, opened))
            }
            Handled::Streamed(Ok(opened)) => Ok(self.succeed(&command, &ctx, opened)),
            Handled::Unary(Err(failure)) | Handled::Streamed(Err(failure)) => {
                Ok(self.fail(command.id, failure))
            }
            Handled::Malformed(error) => {
                let what = format!("malformed message of command {}: {error}", command.name);
                Err(Broken::unexpected(&what))
            }
            Handled::Unknown => Err(Broken::protocol(&format!("Unknown command: {}", command.name))),
        }
    }

    fn delta(&mut self, delta: CrdtDelta) -> Result<Outs, Broken> {
        if self.deleted {
            return Ok(Vec::new());
        }
        let delta = delta.delta.ok_or_else(|| Broken::protocol("Empty delta"))?;
        self.state.apply(delta)?;
        Ok(self.tell_streams())
    }

    fn deleted(&mut self) {
        self.deleted = true;
        self.state = H::State::fresh();
    }

    fn cancelled(&mut self, cancelled: &StreamCancelled) -> Outs {
        let stream = self.streams.remove(&cancelled.id);
        let mut state_action = None;
        if let Some((command, stream)) = stream
            && let Some(last) = stream.on_cancel
        {
            let mut ctx = self.context(&command, Metadata::default());
            last(&mut self.state, &mut ctx);
            state_action = self.state_action(&ctx);
        }
        let tells = is_update(state_action.as_ref());
        // Every cancellation is answered, also one that nobody cares for: the proxy waits.
        let mut outs = vec![out(Out::StreamCancelledResponse(CrdtStreamCancelledResponse {
            command_id: cancelled.id,
            side_effects: Vec::new(),
            state_action,
        }))];
        if tells {
            outs.append(&mut self.tell_streams());
        }
        outs
    }
}
