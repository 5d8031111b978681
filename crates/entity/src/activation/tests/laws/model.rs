//! What the store must hold, as simply as it can be said, and which replies lead to it.

use std::fmt::Debug;

use cloudstate_protocol::eventsourced::event_sourced_stream_in::Message as ToEventSourced;
use cloudstate_protocol::valueentity::value_entity_stream_in::Message as ToValue;
use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityDelete, ValueEntityReply, ValueEntityUpdate, value_entity_action,
};
use cloudstate_protocol::{Any, ClientAction, Command, Failure, client_action};

use crate::harness::*;
use crate::{Append, EventSourced, Input, Recover, Recovered, ValueEntity, Write};

/// A random reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Events to emit; for a value: nothing, update, delete, update without a value.
    pub(super) change: u8,
    pub(super) snapshot: bool,
    pub(super) declining: bool,
    pub(super) restart: bool,
}

/// What a reply must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    AnswerAtOnce,
    Commit,
    Restart,
    Violation,
}

/// A kind with its simplest possible store.
pub(super) trait Model: Subject<Load: Clone, Commit: Clone> {
    type Store: Default + Debug;

    fn part(store: &Self::Store, load: &Self::Load) -> Self::Loaded;
    /// Messages that bring the function from nothing to what is stored.
    fn replay(store: &Self::Store) -> Vec<String>;
    fn command_in(message: &Self::In) -> Option<&Command>;
    fn replies(id: i64, shape: Shape) -> Input<Self, Client>;
    fn wanted(store: &Self::Store, shape: Shape) -> Wanted;
    /// Whether the commit builds on what is stored.
    fn fits(store: &Self::Store, commit: &Self::Commit) -> bool;
    /// Makes the commit durable and gives its offset.
    fn apply(store: &mut Self::Store, commit: &Self::Commit) -> u64;
    /// Keeps the snapshot; says whether it is one of all that is stored.
    fn save(store: &mut Self::Store, snapshot: &Self::Snapshot) -> bool;
}

fn action(shape: Shape) -> Option<ClientAction> {
    let action = if shape.declining {
        client_action::Action::Failure(Failure {
            restart: shape.restart,
            ..failure(0, "no")
        })
    } else {
        ok()
    };
    Some(ClientAction { action: Some(action) })
}

/// Events, and a snapshot with the number of events in it.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: Vec<Any>,
    snapshot: Option<(u64, Any)>,
}

impl Log {
    /// A page of at most two events after a sequence number, and whether there are more.
    fn page(&self, after: u64) -> (Vec<(u64, Any)>, bool) {
        let mut events = self.after(after);
        let more = events.len() > 2;
        events.truncate(2);
        (events, more)
    }

    /// Events after a sequence number, with theirs.
    fn after(&self, sequence: u64) -> Vec<(u64, Any)> {
        let numbered = (1..).zip(self.events.iter().cloned());
        numbered.filter(|(number, _)| *number > sequence).collect()
    }
}

impl Model for EventSourced {
    type Store = Log;

    fn part(store: &Log, load: &Recover) -> Recovered {
        match load {
            Recover::Beginning => {
                let after = store.snapshot.as_ref().map_or(0, |(sequence, _)| *sequence);
                let (events, more) = store.page(after);
                Recovered::Beginning {
                    snapshot: store.snapshot.clone(),
                    events,
                    more,
                }
            }
            Recover::EventsAfter(sequence) => {
                let (events, more) = store.page(*sequence);
                Recovered::Events { events, more }
            }
        }
    }

    fn replay(store: &Log) -> Vec<String> {
        let (from, init) = match &store.snapshot {
            Some((sequence, state)) => (
                *sequence,
                format!("send init with {} at {sequence}", text(Some(state))),
            ),
            None => (0, "send init".to_owned()),
        };
        let events = store.after(from).into_iter();
        let events = events.map(|(sequence, event)| format!("send event {sequence} {}", text(Some(&event))));
        std::iter::once(init).chain(events).collect()
    }

    fn command_in(message: &Self::In) -> Option<&Command> {
        match &message.message {
            Some(ToEventSourced::Command(command)) => Some(command),
            _ => None,
        }
    }

    fn replies(id: i64, shape: Shape) -> Input<Self, Client> {
        let events = &["x", "y", "z"][..shape.change.into()];
        let mut reply = emits(id, events);
        reply.client_action = action(shape);
        reply.snapshot = shape.snapshot.then(|| any("state"));
        cart_says(reply)
    }

    fn wanted(_: &Log, shape: Shape) -> Wanted {
        match shape.change {
            _ if shape.declining && shape.restart => Wanted::Restart,
            0 if shape.snapshot => Wanted::Violation,
            0 => Wanted::AnswerAtOnce,
            _ => Wanted::Commit,
        }
    }

    fn fits(store: &Log, commit: &Append) -> bool {
        commit.expected == store.events.len() as u64 && !commit.events.is_empty()
    }

    fn apply(store: &mut Log, commit: &Append) -> u64 {
        store.events.extend(commit.events.iter().cloned());
        // Offsets are of the whole shard: never a sequence number.
        1000 + 3 * store.events.len() as u64
    }

    fn save(store: &mut Log, snapshot: &(u64, Any)) -> bool {
        store.snapshot = Some(snapshot.clone());
        snapshot.0 == store.events.len() as u64
    }
}

/// A value with its version, and the last offset given.
#[derive(Debug, Default)]
pub(super) struct Row {
    value: Option<(u64, Any)>,
    offset: u64,
}

impl Model for ValueEntity {
    type Store = Row;

    fn part(store: &Row, (): &()) -> Option<(u64, Any)> {
        store.value.clone()
    }

    fn replay(store: &Row) -> Vec<String> {
        let value = store.value.as_ref().map(|(_, value)| value);
        vec![format!("send init with {}", text(value))]
    }

    fn command_in(message: &Self::In) -> Option<&Command> {
        match &message.message {
            Some(ToValue::Command(command)) => Some(command),
            _ => None,
        }
    }

    fn replies(id: i64, shape: Shape) -> Input<Self, Client> {
        use value_entity_action::Action;
        let state_action = match shape.change {
            0 => None,
            1 => Some(Action::Update(ValueEntityUpdate {
                value: Some(any("x")),
            })),
            2 => Some(Action::Delete(ValueEntityDelete {})),
            _ => Some(Action::Update(ValueEntityUpdate { value: None })),
        };
        value_says(ValueEntityReply {
            command_id: id,
            client_action: action(shape),
            state_action: state_action.map(|action| ValueEntityAction { action: Some(action) }),
            ..ValueEntityReply::default()
        })
    }

    fn wanted(store: &Row, shape: Shape) -> Wanted {
        match shape.change {
            0 => Wanted::AnswerAtOnce,
            2 if store.value.is_none() => Wanted::AnswerAtOnce,
            1 | 2 => Wanted::Commit,
            _ => Wanted::Violation,
        }
    }

    fn fits(store: &Row, commit: &Write) -> bool {
        commit.expected == store.value.as_ref().map(|(version, _)| *version)
    }

    fn apply(store: &mut Row, commit: &Write) -> u64 {
        store.offset += 7;
        store.value = commit.value.clone().map(|value| (store.offset, value));
        store.offset
    }

    fn save(_: &mut Row, snapshot: &Self::Snapshot) -> bool {
        match *snapshot {}
    }
}
