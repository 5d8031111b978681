//! Event sourced and value entities: the state is a list of texts.

use std::marker::PhantomData;

use cloudstate_protocol::eventsourced::{
    EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in as log_in,
    event_sourced_stream_out as log_out,
};
use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityDelete, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut,
    ValueEntityUpdate, value_entity_action as cell_action, value_entity_stream_in as cell_in,
    value_entity_stream_out as cell_out,
};
use cloudstate_protocol::{Any, ClientAction, Command, Failure, SideEffect, client_action};
use prost::Message;

use super::action;
use super::wire::Call;
use crate::harness::{Do, Done, done};

/// A message of the proxy.
pub(super) enum Said {
    /// The stream begins with this state.
    Init {
        id: String,
        state: Vec<String>,
    },
    /// An event is replayed.
    Event(String),
    Command(Command),
}

/// What a reply stores.
pub(super) enum Change {
    Nothing,
    Add(String),
    /// Event sourced: an event and a snapshot after it.
    AddAndSnapshot(String),
    /// Event sourced: a snapshot without an event. Value: an update without a value.
    Malformed,
    /// Value: a delete. Event sourced: nothing.
    Delete,
}

/// A reply before it is encoded.
pub(super) struct Reply {
    pub(super) id: i64,
    pub(super) action: Option<client_action::Action>,
    pub(super) effects: Vec<SideEffect>,
    pub(super) change: Change,
}

/// What differs between the kinds on the wire.
pub(super) trait Kind {
    type In: Message + Default;
    type Out: Message + Default;
    fn said(message: Self::In) -> Said;
    /// `state` is the state after the change.
    fn reply(reply: Reply, state: &[String]) -> Self::Out;
    fn failure(failure: Failure) -> Self::Out;
}

pub(super) struct Log;
pub(super) struct Cell;

impl Kind for Log {
    type In = EventSourcedStreamIn;
    type Out = EventSourcedStreamOut;

    fn said(message: EventSourcedStreamIn) -> Said {
        match message.message.expect("a message") {
            log_in::Message::Init(init) => {
                let snapshot = init.snapshot.map(|snapshot| split(snapshot.snapshot));
                Said::Init {
                    id: init.entity_id,
                    state: snapshot.unwrap_or_default(),
                }
            }
            log_in::Message::Event(event) => Said::Event(text(event.payload)),
            log_in::Message::Command(command) => Said::Command(command),
        }
    }

    fn reply(reply: Reply, state: &[String]) -> EventSourcedStreamOut {
        let (event, snapshot) = match reply.change {
            Change::Nothing | Change::Delete => (None, None),
            Change::Add(text) => (Some(done(&text)), None),
            Change::AddAndSnapshot(text) => (Some(done(&text)), Some(done(&state.join(",")))),
            Change::Malformed => (None, Some(done("lost"))),
        };
        EventSourcedStreamOut {
            message: Some(log_out::Message::Reply(EventSourcedReply {
                command_id: reply.id,
                client_action: Some(ClientAction { action: reply.action }),
                side_effects: reply.effects,
                events: event.into_iter().collect(),
                snapshot,
            })),
        }
    }

    fn failure(failure: Failure) -> EventSourcedStreamOut {
        EventSourcedStreamOut {
            message: Some(log_out::Message::Failure(failure)),
        }
    }
}

impl Kind for Cell {
    type In = ValueEntityStreamIn;
    type Out = ValueEntityStreamOut;

    fn said(message: ValueEntityStreamIn) -> Said {
        match message.message.expect("a message") {
            cell_in::Message::Init(init) => Said::Init {
                id: init.entity_id,
                state: split(init.state.expect("a state").value),
            },
            cell_in::Message::Command(command) => Said::Command(command),
        }
    }

    fn reply(reply: Reply, state: &[String]) -> ValueEntityStreamOut {
        let update = |value| cell_action::Action::Update(ValueEntityUpdate { value });
        let action = match reply.change {
            Change::Nothing => None,
            Change::Add(_) | Change::AddAndSnapshot(_) => Some(update(Some(done(&state.join(","))))),
            Change::Malformed => Some(update(None)),
            Change::Delete => Some(cell_action::Action::Delete(ValueEntityDelete {})),
        };
        ValueEntityStreamOut {
            message: Some(cell_out::Message::Reply(ValueEntityReply {
                command_id: reply.id,
                client_action: Some(ClientAction { action: reply.action }),
                side_effects: reply.effects,
                state_action: action.map(|action| ValueEntityAction { action: Some(action) }),
            })),
        }
    }

    fn failure(failure: Failure) -> ValueEntityStreamOut {
        ValueEntityStreamOut {
            message: Some(cell_out::Message::Failure(failure)),
        }
    }
}

fn text(payload: Option<Any>) -> String {
    let payload = payload.unwrap_or_default();
    Done::decode(payload.value).expect("a Done").text
}

fn split(payload: Option<Any>) -> Vec<String> {
    let text = text(payload);
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// One activation.
struct Entity<K> {
    call: Call,
    id: String,
    state: Vec<String>,
    kind: PhantomData<K>,
}

pub(super) async fn serve<K: Kind>(call: Call) -> Result<(), h2::Error> {
    let mut entity = Entity::<K> {
        call,
        id: String::new(),
        state: Vec::new(),
        kind: PhantomData,
    };
    while let Some(message) = entity.call.requests.next::<K::In>().await {
        match K::said(message) {
            Said::Init { id, state } => {
                entity.id = id;
                entity.state = state;
                entity.note(&format!("init {}", entity.state.join(",")));
            }
            Said::Event(text) => {
                entity.note(&format!("event {text}"));
                entity.state.push(text);
            }
            Said::Command(command) => entity.command(command).await?,
        }
    }
    let how = if entity.call.requests.reset {
        "reset"
    } else {
        "half-closed"
    };
    entity.note(how);
    entity.call.output.end("0", "")
}

impl<K: Kind> Entity<K> {
    fn note(&self, line: &str) {
        self.call.shared.note(format!("{}: {line}", self.id));
    }

    async fn command(&mut self, command: Command) -> Result<(), h2::Error> {
        assert_eq!(command.entity_id, self.id, "a command of another entity");
        self.call.shared.note_caller(command.metadata.as_ref());
        self.call.shared.note_trace(&self.id, command.metadata.as_ref());
        let payload = command.payload.expect("a payload");
        assert_eq!(payload.type_url, "type.googleapis.com/whole.Do");
        let mut request = Do::decode(payload.value).expect("a Do");
        self.note(&format!(
            "command {} {} {}",
            command.id, request.what, request.text
        ));
        let id = command.id;
        if let Some(what) = request.what.strip_prefix("hold, ") {
            request.what = what.to_owned();
            self.call.shared.held().await;
        }
        match request.what.as_str() {
            "add" | "circle" | "circle of effects" => {
                self.reply(id, &request, Change::Add(request.text.clone()), None)
            }
            "snapshot" => self.reply(id, &request, Change::AddAndSnapshot(request.text.clone()), None),
            "read" => self.reply(id, &request, Change::Nothing, None),
            "delete" => {
                self.state.clear();
                self.reply(id, &request, Change::Delete, None)
            }
            "decline" => self.reply(id, &request, Change::Nothing, Some(failure(&request, false))),
            "restart" => {
                let lost = Change::Add("lost".to_owned());
                self.reply(id, &request, lost, Some(failure(&request, true)))
            }
            _ => self.misbehave(id, &request).await,
        }
    }

    fn reply(
        &mut self,
        id: i64,
        request: &Do,
        change: Change,
        failure: Option<client_action::Action>,
    ) -> Result<(), h2::Error> {
        if let Change::Add(text) | Change::AddAndSnapshot(text) = &change {
            self.state.push(text.clone());
        }
        let state = self.state.join(",");
        let reply = Reply {
            id,
            action: failure.or_else(|| Some(action::conclusion(request, &state))),
            effects: action::effects(request),
            change,
        };
        self.call.output.message(&K::reply(reply, &self.state))
    }

    /// A reply with a change that must not be stored.
    fn bad_reply(&self, id: i64) -> K::Out {
        let reply = Reply {
            id,
            action: Some(action::replies(done("lost"))),
            effects: Vec::new(),
            change: Change::Add("lost".to_owned()),
        };
        let mut state = self.state.clone();
        state.push("lost".to_owned());
        K::reply(reply, &state)
    }

    async fn misbehave(&mut self, id: i64, request: &Do) -> Result<(), h2::Error> {
        let failing = |command_id| {
            K::failure(Failure {
                command_id,
                description: "something broke".to_owned(),
                restart: false,
            })
        };
        match request.what.as_str() {
            "answer another command" => self.call.output.message(&self.bad_reply(id + 100)),
            "answer twice" => {
                self.reply(id, request, Change::Add(request.text.clone()), None)?;
                self.call.output.message(&self.bad_reply(id))
            }
            "say nothing" => self.call.output.message(&K::Out::default()),
            "say garbage" => self.call.output.raw(&b"\0\0\0\0\x02\x0a\xff"[..]),
            "say too much" => self.call.output.raw(&b"\0\x7f\0\0\0"[..]),
            "fail the stream" => self.call.output.message(&failing(id)),
            "fail with another id" => self.call.output.message(&failing(id + 100)),
            "fail without id" => self.call.output.message(&failing(0)),
            "end the stream" => self.call.output.end("0", ""),
            "end with a status" => self.call.output.end("13", "it crashed"),
            "reset the stream" => self.call.output.reset(),
            "never answer" => Ok(()),
            "change without content" => self.reply(id, request, Change::Malformed, None),
            "reply with another type" => {
                let other = Any::message("whole.Other", done(&request.text).value);
                let reply = Reply {
                    id,
                    action: Some(action::replies(other)),
                    effects: Vec::new(),
                    change: Change::Nothing,
                };
                self.call.output.message(&K::reply(reply, &self.state))
            }
            "reply without payload" => {
                let reply = Reply {
                    id,
                    action: None,
                    effects: Vec::new(),
                    change: Change::Nothing,
                };
                self.call.output.message(&K::reply(reply, &self.state))
            }
            other => panic!("an entity cannot {other:?}"),
        }
    }
}

fn failure(request: &Do, restart: bool) -> client_action::Action {
    client_action::Action::Failure(Failure {
        command_id: 0,
        description: request.text.clone(),
        restart,
    })
}
