//! The event sourced kind: state is a snapshot and the events after it.

#[cfg(test)]
mod tests;

use cloudstate_protocol::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
    EventSourcedStreamOut, event_sourced_stream_in as stream_in, event_sourced_stream_out as stream_out,
};
use cloudstate_protocol::{self as protocol, Any, ClientAction, client_action};

use crate::kind::{Committed, Identity, Incoming, Kind, Loading, Texts, TurnReply};
use crate::turn::CommitOutcome;

/// An event sourced entity's place in its log.
#[derive(Debug, Default)]
pub struct EventSourced {
    /// Sequence number of the last event known to be stored; 0 when there is none.
    sequence: u64,
}

/// What to read: first the snapshot, then events after a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recover {
    /// The latest snapshot and the first events after it.
    Beginning,
    /// A page of events after this sequence number.
    EventsAfter(u64),
}

/// What was read.
#[derive(Debug)]
pub enum Recovered {
    /// Where the replay begins.
    Beginning {
        /// The latest snapshot with the sequence number of the last event in it, if there is one.
        snapshot: Option<(u64, Any)>,
        /// Events after it, as in [`Recovered::Events`].
        events: Vec<(u64, Any)>,
        /// Whether there is another page.
        more: bool,
    },
    /// A page of events in ascending order.
    Events {
        /// Sequence number and payload.
        events: Vec<(u64, Any)>,
        /// Whether there is another page.
        more: bool,
    },
}

/// Events to append behind `expected`.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Sequence number of the last event before these.
    pub expected: u64,
    /// One or more events.
    pub events: Vec<Any>,
}

impl Kind for EventSourced {
    type In = EventSourcedStreamIn;
    type Out = EventSourcedStreamOut;
    type Load = Recover;
    type Loaded = Recovered;
    type Commit = Append;
    type Snapshot = (u64, Any);

    const TEXTS: Texts = Texts {
        reply: "Unexpected entity reply",
        failure: "Unexpected entity failure",
        message: "Unexpected entity message",
        termination: "Unexpected entity termination",
        behavior: "Unexpected entity behavior",
        queued: "Entity terminated",
    };

    fn begin(&mut self) -> Recover {
        self.sequence = 0;
        Recover::Beginning
    }

    fn loaded(&mut self, identity: &Identity, part: Recovered) -> Loading<Self> {
        match part {
            Recovered::Beginning {
                snapshot,
                events,
                more,
            } => {
                self.sequence = snapshot.as_ref().map_or(0, |(sequence, _)| *sequence);
                let mut messages = Vec::with_capacity(1 + events.len());
                messages.push(init(identity, snapshot));
                self.replay(messages, events, more)
            }
            Recovered::Events { events, more } => self.replay(Vec::with_capacity(events.len()), events, more),
        }
    }

    fn command(command: protocol::Command) -> EventSourcedStreamIn {
        EventSourcedStreamIn {
            message: Some(stream_in::Message::Command(command)),
        }
    }

    fn incoming(&self, message: EventSourcedStreamOut) -> Incoming<Self> {
        match message.message {
            Some(stream_out::Message::Reply(reply)) => Incoming::Reply(self.reply(reply)),
            Some(stream_out::Message::Failure(failure)) => Incoming::Failure(failure),
            None => Incoming::Unknown,
        }
    }

    fn pending(commit: &Append) -> Committed {
        Committed::Events(commit.events.len() as u64)
    }

    fn committed(&mut self, commit: Committed, outcome: &CommitOutcome) {
        if let (Committed::Events(count), CommitOutcome::Applied { .. }) = (commit, outcome) {
            self.sequence += count;
        }
    }
}

impl EventSourced {
    fn replay(
        &mut self,
        mut messages: Vec<EventSourcedStreamIn>,
        events: Vec<(u64, Any)>,
        more: bool,
    ) -> Loading<Self> {
        self.sequence = events.last().map_or(self.sequence, |(sequence, _)| *sequence);
        messages.extend(events.into_iter().map(event));
        Loading {
            messages,
            next: more.then_some(Recover::EventsAfter(self.sequence)),
        }
    }

    fn reply(&self, reply: EventSourcedReply) -> TurnReply<Self> {
        let EventSourcedReply {
            command_id,
            client_action,
            side_effects,
            events,
            snapshot,
        } = reply;
        let action = client_action.and_then(|ClientAction { action }| action);
        let failure = match &action {
            Some(client_action::Action::Failure(failure)) => Some(failure),
            _ => None,
        };
        let restart = failure.is_some_and(|failure| failure.restart);
        let report = (failure.is_some() && !restart && !events.is_empty()).then(|| {
            "A failing reply carried events; they are stored. Set restart to have them dropped.".to_owned()
        });
        let last = self.sequence + events.len() as u64;
        let snapshot_alone = snapshot.is_some() && events.is_empty() && !restart;
        let commit = if snapshot_alone {
            Err("snapshot without events".to_owned())
        } else {
            Ok((!events.is_empty()).then_some(Append {
                expected: self.sequence,
                events,
            }))
        };
        let snapshot = snapshot.map(|snapshot| (last, snapshot));
        TurnReply {
            command_id,
            action,
            side_effects,
            commit,
            snapshot,
            restart,
            report,
        }
    }
}

fn init(identity: &Identity, snapshot: Option<(u64, Any)>) -> EventSourcedStreamIn {
    let snapshot = snapshot.map(|(sequence, snapshot)| EventSourcedSnapshot {
        snapshot_sequence: sequence as i64,
        snapshot: Some(snapshot),
    });
    EventSourcedStreamIn {
        message: Some(stream_in::Message::Init(EventSourcedInit {
            service_name: identity.service.to_string(),
            entity_id: identity.entity_id.to_string(),
            snapshot,
        })),
    }
}

fn event((sequence, payload): (u64, Any)) -> EventSourcedStreamIn {
    EventSourcedStreamIn {
        message: Some(stream_in::Message::Event(EventSourcedEvent {
            sequence: sequence as i64,
            payload: Some(payload),
        })),
    }
}
