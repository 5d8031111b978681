//! One event sourced entity and its event log.

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_protocol::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
    event_sourced_stream_in::Message as In, event_sourced_stream_out::Message as Out,
};
use cloudstate_protocol::{Any, Command, client_action::Action};
use cloudstate_sdk::dispatch::Step;
use cloudstate_sdk::event_sourced::{Registration, Stream};
use cloudstate_sdk::{Call, Payload, UserFunction};

use crate::outcome::{pack, unpack};
use crate::{ENTITY_ID, Outcome};

/// An event sourced entity under test, with what the proxy would have stored.
pub struct EventSourcedTest {
    services: Arc<HashMap<&'static str, Registration>>,
    service: String,
    entity_id: String,
    events: Vec<Any>,
    snapshot: Option<EventSourcedSnapshot>,
    /// `None` until the next command activates the entity.
    stream: Option<Stream>,
    last_command: i64,
}

impl EventSourcedTest {
    /// A new entity, without events.
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
        EventSourcedTest {
            services: declaration.event_sourced,
            service,
            entity_id: ENTITY_ID.to_owned(),
            events: Vec::new(),
            snapshot: None,
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

    /// Adds events that were stored before the test.
    #[must_use]
    #[track_caller]
    pub fn with_events<E: Payload>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.events.extend(events.into_iter().map(|event| pack(&event)));
        self
    }

    /// Adds a snapshot that was stored before the test, and stands for all events so far. Without events, it stands for
    /// `sequence` events that are not kept.
    #[must_use]
    #[track_caller]
    pub fn with_snapshot<S: Payload>(mut self, sequence: i64, snapshot: &S) -> Self {
        let missing = usize::try_from(sequence)
            .unwrap_or(0)
            .saturating_sub(self.events.len());
        self.events.extend(std::iter::repeat_n(Any::default(), missing));
        self.snapshot = Some(EventSourcedSnapshot {
            snapshot_sequence: sequence,
            snapshot: Some(pack(snapshot)),
        });
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
        match stream.handle(&EventSourcedStreamIn {
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

    /// Takes the entity out of memory, as passivation or a crash does; the next command loads it from its events.
    pub fn restart(&mut self) {
        self.stream = None;
    }

    /// All events stored so far, in order.
    ///
    /// # Panics
    /// If one is not an `E`.
    #[track_caller]
    pub fn log<E: Payload>(&self) -> Vec<E> {
        self.events.iter().map(unpack).collect()
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
        let init = EventSourcedInit {
            service_name: self.service.clone(),
            entity_id: self.entity_id.clone(),
            snapshot: self.snapshot.clone(),
        };
        let covered = self
            .snapshot
            .as_ref()
            .map_or(0, |snapshot| snapshot.snapshot_sequence);
        let events = (1..)
            .zip(&self.events)
            .filter(|(sequence, _)| *sequence > covered)
            .map(|(sequence, event)| {
                In::Event(EventSourcedEvent {
                    sequence,
                    payload: Some(event.clone()),
                })
            });
        for message in std::iter::once(In::Init(init)).chain(events) {
            if let Step::End(out) = stream.handle(&EventSourcedStreamIn {
                message: Some(message),
            }) {
                return Err(description(out.message));
            }
        }
        Ok(stream)
    }

    /// Does what the proxy does with a reply.
    fn store<O>(&mut self, stream: Stream, reply: EventSourcedReply) -> Outcome<O> {
        let mut outcome = Outcome::new(reply.client_action, reply.side_effects);
        if let crate::outcome::Answer::Client(Some(Action::Failure(failure))) = &outcome.answer
            && failure.restart
        {
            outcome.restarted = true;
            return outcome;
        }
        self.events.extend(reply.events.iter().cloned());
        if let Some(snapshot) = &reply.snapshot {
            let snapshot_sequence = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
            self.snapshot = Some(EventSourcedSnapshot {
                snapshot_sequence,
                snapshot: Some(snapshot.clone()),
            });
        }
        self.stream = Some(stream);
        Outcome {
            events: reply.events,
            snapshot: reply.snapshot,
            ..outcome
        }
    }
}

fn description(message: Option<Out>) -> String {
    match message {
        Some(Out::Failure(failure)) => failure.description,
        other => format!("the stream ended with {other:?}"),
    }
}
