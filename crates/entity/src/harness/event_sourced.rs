//! Scenarios of event sourced entities.

use cloudstate_protocol::eventsourced::{
    EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in as stream_in,
    event_sourced_stream_out as stream_out,
};
use cloudstate_protocol::{Any, ClientAction, Failure, SideEffect, client_action};

use super::{Change, Client, Subject, any, command, failure, ok, text};
use crate::{Append, EventSourced, Input, Recover, Recovered};

/// A reply with these events.
pub(crate) fn emits(id: i64, events: &[&str]) -> EventSourcedReply {
    EventSourcedReply {
        command_id: id,
        client_action: Some(ClientAction { action: Some(ok()) }),
        events: events.iter().map(|event| any(event)).collect(),
        ..EventSourcedReply::default()
    }
}

/// A reply that declines the command and asks for a restart.
pub(crate) fn restarts(id: i64) -> EventSourcedReply {
    let failure = Failure {
        restart: true,
        ..failure(id, "no")
    };
    EventSourcedReply {
        command_id: id,
        client_action: Some(ClientAction {
            action: Some(client_action::Action::Failure(failure)),
        }),
        ..EventSourcedReply::default()
    }
}

pub(crate) fn says(reply: EventSourcedReply) -> Input<EventSourced, Client> {
    Input::Message(EventSourcedStreamOut {
        message: Some(stream_out::Message::Reply(reply)),
    })
}

impl Subject for EventSourced {
    fn nothing_stored() -> Vec<Recovered> {
        let beginning = Recovered::Beginning {
            snapshot: None,
            events: Vec::new(),
            more: true,
        };
        let events = Recovered::Events {
            events: Vec::new(),
            more: false,
        };
        vec![beginning, events]
    }

    fn first_lines() -> Vec<&'static str> {
        vec!["load beginning", "send init", "load events after 0"]
    }

    fn reply(id: i64, action: Option<client_action::Action>, change: Change) -> EventSourcedStreamOut {
        let events = match change {
            Change::Nothing => Vec::new(),
            Change::Some => vec![any("x")],
        };
        let reply = EventSourcedReply {
            command_id: id,
            client_action: Some(ClientAction { action }),
            events,
            ..EventSourcedReply::default()
        };
        EventSourcedStreamOut {
            message: Some(stream_out::Message::Reply(reply)),
        }
    }

    fn with_effects(mut reply: EventSourcedStreamOut, effects: Vec<SideEffect>) -> EventSourcedStreamOut {
        if let Some(stream_out::Message::Reply(reply)) = &mut reply.message {
            reply.side_effects = effects;
        }
        reply
    }

    fn failure(failure: Failure) -> EventSourcedStreamOut {
        EventSourcedStreamOut {
            message: Some(stream_out::Message::Failure(failure)),
        }
    }

    fn empty() -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: None }
    }

    fn first_commit() -> &'static str {
        "commit after 0: x"
    }

    fn sent(message: &EventSourcedStreamIn) -> String {
        match &message.message {
            Some(stream_in::Message::Init(init)) => match &init.snapshot {
                Some(snapshot) => {
                    let state = text(snapshot.snapshot.as_ref());
                    format!("send init with {state} at {}", snapshot.snapshot_sequence)
                }
                None => "send init".to_owned(),
            },
            Some(stream_in::Message::Event(event)) => {
                format!("send event {} {}", event.sequence, text(event.payload.as_ref()))
            }
            Some(stream_in::Message::Command(sent)) => command(sent),
            None => "send nothing".to_owned(),
        }
    }

    fn load(load: &Recover) -> String {
        match load {
            Recover::Beginning => "beginning".to_owned(),
            Recover::EventsAfter(sequence) => format!("events after {sequence}"),
        }
    }

    fn commit(commit: &Append) -> String {
        let events: Vec<_> = commit.events.iter().map(|event| text(Some(event))).collect();
        format!("after {}: {}", commit.expected, events.join(" "))
    }

    fn snapshot((sequence, snapshot): &(u64, Any)) -> String {
        format!("{} at {sequence}", text(Some(snapshot)))
    }
}
