//! One value entity and its stored value.

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_protocol::valueentity::{
    ValueEntityInit, ValueEntityInitState, ValueEntityReply, ValueEntityStreamIn,
    value_entity_action::Action, value_entity_stream_in::Message as In,
    value_entity_stream_out::Message as Out,
};
use cloudstate_protocol::{Any, Command};
use cloudstate_sdk::dispatch::Step;
use cloudstate_sdk::value::{Registration, Stream};
use cloudstate_sdk::{Call, Payload, UserFunction};

use crate::outcome::{Change, pack, unpack};
use crate::{ENTITY_ID, Outcome};

/// A value entity under test, with what the proxy would have stored.
pub struct ValueTest {
    services: Arc<HashMap<&'static str, Registration>>,
    service: String,
    entity_id: String,
    value: Option<Any>,
    /// `None` until the next command activates the entity.
    stream: Option<Stream>,
    last_command: i64,
}

impl ValueTest {
    /// A new entity, without a value.
    ///
    /// # Panics
    /// If the registration cannot be served, for example because its persistence id is empty.
    #[track_caller]
    pub fn new(registration: Registration) -> Self {
        let declaration = match UserFunction::new("test", "0").with(registration).declare() {
            Ok(declaration) => declaration,
            Err(error) => panic!("cannot test this entity: {error}"),
        };
        let service = declaration
            .spec
            .entities
            .iter()
            .map(|entity| entity.service_name.clone())
            .collect();
        ValueTest {
            services: declaration.value,
            service,
            entity_id: ENTITY_ID.to_owned(),
            value: None,
            stream: None,
            last_command: 0,
        }
    }

    /// Gives the entity an id of your choice.
    #[must_use]
    pub fn with_id(mut self, entity_id: impl Into<String>) -> Self {
        self.entity_id = entity_id.into();
        self
    }

    /// Sets the value that was stored before the test.
    #[must_use]
    #[track_caller]
    pub fn with_value<S: Payload>(mut self, value: &S) -> Self {
        self.value = Some(pack(value));
        self
    }

    /// Sends a command, loading the entity first if it is not in memory, and stores what comes out.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a call is made on the spot, and a reference would be noise"
    )]
    pub fn call<O>(&mut self, call: Call<O>) -> Outcome<O> {
        let command = self.command(&call);
        let mut stream = match self.stream.take().map_or_else(|| self.activate(), Ok) {
            Ok(stream) => stream,
            Err(description) => return Outcome::crash(description),
        };
        match stream.handle(&ValueEntityStreamIn {
            message: Some(In::Command(command)),
        }) {
            Step::Send(out) => match out.message {
                Some(Out::Reply(reply)) => self.store(stream, reply),
                other => Outcome::crash(format!("no reply, but {other:?}")),
            },
            Step::Silent => Outcome::crash("the command was not answered".to_owned()),
            Step::End(out) => Outcome::crash(description(out.message)),
        }
    }

    /// Takes the entity out of memory, as passivation or a crash does; the next command loads its value.
    pub fn restart(&mut self) {
        self.stream = None;
    }

    /// The stored value.
    ///
    /// # Panics
    /// If it is not an `S`.
    #[track_caller]
    pub fn value<S: Payload>(&self) -> Option<S> {
        self.value.as_ref().map(unpack)
    }

    fn command<O>(&mut self, call: &Call<O>) -> Command {
        self.last_command += 1;
        Command {
            entity_id: self.entity_id.clone(),
            id: self.last_command,
            name: call.command().to_owned(),
            payload: Some(call.payload().clone()),
            streamed: false,
            metadata: Some(call.metadata().clone()),
        }
    }

    fn activate(&mut self) -> Result<Stream, String> {
        let mut stream = Stream::new(self.services.clone());
        let init = ValueEntityInit {
            service_name: self.service.clone(),
            entity_id: self.entity_id.clone(),
            state: Some(ValueEntityInitState {
                value: self.value.clone(),
            }),
        };
        match stream.handle(&ValueEntityStreamIn {
            message: Some(In::Init(init)),
        }) {
            Step::End(out) => Err(description(out.message)),
            Step::Silent | Step::Send(_) => Ok(stream),
        }
    }

    /// Does what the proxy does with a reply.
    fn store<O>(&mut self, stream: Stream, reply: ValueEntityReply) -> Outcome<O> {
        self.stream = Some(stream);
        let mut outcome = Outcome::new(reply.client_action, reply.side_effects);
        match reply.state_action.and_then(|action| action.action) {
            Some(Action::Update(update)) => {
                let value = update.value.unwrap_or_default();
                self.value = Some(value.clone());
                outcome.change = Change::Update(value);
            }
            Some(Action::Delete(_)) => {
                self.value = None;
                outcome.change = Change::Delete;
            }
            None => {}
        }
        outcome
    }
}

fn description(message: Option<Out>) -> String {
    match message {
        Some(Out::Failure(failure)) => failure.description,
        other => format!("the stream ended with {other:?}"),
    }
}
