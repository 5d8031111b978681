//! The life of one CRDT entity on this node.
//!
//! ```text
//!            command            stream and replica there                 idle, no streams
//!  Stopped ───────────▶ Opening ────────────────────────▶ Running ──────────────────────▶ Closing
//!     ▲                                                    │   │                              │
//!     │ crash                                              │   │ deleted                      │ function closed
//!     ├────────────────────────────────────────────────────┘   ▼                              │
//!     ├──────────── idle ◀────────────────────────────────── Deleted                          │
//!     └───────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The function holds a plain value and changes it only while it has something to answer: a command, or the end of a stream. These
//! are the *open operations*, and there may be many. While there are none, only the proxy changes the value, by deltas. So a
//! change of another node waits for the last open operation, and then one delta says all that happened meanwhile.
//!
//! The machine knows the function's value, and finds the delta by comparing it with the replica. A change of the function is in the
//! replica as soon as its reply is handled. Whether it is on as many members as it asked for is known later, and only its
//! own caller waits for that.
//!
//! | cause | its own command | other commands | streams | function's stream |
//! |---|---|---|---|---|
//! | a failure that names a command | its text | – | – | – |
//! | the function breaks the protocol or fails the stream, or a change does not fit | "Entity terminating" | "Entity terminating" | same | reset |
//! | a change falls short of its consistency | the text of that | – | – | – |
//! | the function closes the stream or goes away | "Entity terminating" | same | same | reset |
//! | a command is not answered in time | time-out | "Entity terminating" | same | reset |
//! | the replica's value cannot be reached by a delta | – | – | "Entity terminating" | half-closed |
//! | deletion, here or elsewhere | its reply, if it still comes | same | end | half-closed |
//! | passivation | – | – | – | half-closed |
//!
//! Afterwards the next command starts anew from the replica, which nothing of this touches.

mod convert;
mod deleted;
mod ending;
mod replies;
mod streams;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloudstate_crdt::{Difference, Plain, Side};
use cloudstate_protocol as protocol;
use cloudstate_protocol::crdt::{CrdtInit, CrdtStreamIn, crdt_stream_in};
use cloudstate_replica::{Acknowledged, Found, Replica};

use crate::kind::Identity;
use crate::queue::{Limits, Queue};
use crate::turn::{Answer, Caller, Command, StopReason, TurnError};
pub use words::{Action, Call, Input, Operation, Stream};

type Actions<U, S> = Vec<Action<U, S>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stopped,
    Opening,
    Running,
    Closing {
        reason: StopReason,
        /// Whether the next activation begins at once, also if nobody waits for it.
        reopen: bool,
    },
    Deleted {
        /// The function has not closed its side yet.
        closing: bool,
    },
}

/// An operation that the function has not answered.
#[derive(Debug)]
struct Open<U, S> {
    number: u64,
    name: Arc<str>,
    what: Waiting<U, S>,
}

#[derive(Debug)]
enum Waiting<U, S> {
    /// For the reply of a unary command.
    Reply(U),
    /// For the first reply of a streamed one, whose client may have gone meanwhile.
    FirstReply { stream: S, cancelled: bool },
    /// For the answer to the end of a stream.
    Cancellation(S),
}

/// One CRDT entity, active or not. `U` waits for unary commands, `S` takes streams.
#[derive(Debug)]
pub struct CrdtEntity<U, S> {
    identity: Identity,
    replica: Replica,
    phase: Phase,
    queue: Queue<Call<U, S>>,
    next_id: i64,
    next_number: u64,
    /// The function's value, as it is when all that was sent has arrived.
    known: Option<Plain>,
    open: BTreeMap<i64, Open<U, S>>,
    /// Streams that the function has accepted, with the name of their command.
    streams: BTreeMap<i64, (S, Arc<str>)>,
    /// Streams whose end the function did not answer in time.
    given_up: BTreeSet<i64>,
    draining: bool,
}

impl<U: Caller, S: Stream> CrdtEntity<U, S> {
    /// An entity without a stream; the first command opens one.
    pub fn new(identity: Identity, replica: Replica, limits: Limits) -> Self {
        CrdtEntity {
            identity,
            replica,
            phase: Phase::Stopped,
            queue: Queue::new(limits),
            next_id: 1,
            next_number: 0,
            known: None,
            open: BTreeMap::new(),
            streams: BTreeMap::new(),
            given_up: BTreeSet::new(),
            draining: false,
        }
    }

    /// The replica that it works on.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Whether nothing but a command, a change of the replica or time moves it: nothing is expected of the function.
    pub fn is_idle(&self) -> bool {
        match self.phase {
            Phase::Running => self.open.is_empty() && self.streams.is_empty(),
            Phase::Deleted { closing } => !closing,
            Phase::Stopped | Phase::Opening | Phase::Closing { .. } => false,
        }
    }

    /// Whether the activation is over.
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// Whether it waits for the function to close its side of the stream.
    pub fn is_closing(&self) -> bool {
        matches!(
            self.phase,
            Phase::Closing { .. } | Phase::Deleted { closing: true }
        )
    }

    /// Whether the function still has to answer this.
    pub fn is_open(&self, operation: Operation) -> bool {
        let open = self.open.get(&operation.command_id);
        open.is_some_and(|open| open.number == operation.number)
    }

    /// Who waits in front for the activation.
    pub fn next_caller(&self) -> Option<&Call<U, S>> {
        self.queue.front()
    }

    /// Takes one input and appends what to do to `out`. `now_ms` is the wall clock in milliseconds since 1970; it may jump.
    pub fn handle(&mut self, input: Input<U, S>, now_ms: i64, out: &mut Actions<U, S>) {
        match input {
            Input::Command(command) => self.offer(command, out),
            Input::Opened => self.opened(out),
            Input::OpenFailed(reason) => self.open_failed(reason, out),
            Input::Message(message) => self.message(message, now_ms, out),
            Input::Closed(error) => self.closed(error, out),
            Input::Unreadable(detail) => self.unreadable(&detail, out),
            Input::Changed => self.push(out),
            Input::Cancelled(stream) => self.cancelled(stream, out),
            Input::Unanswered(operation) => self.unanswered(operation, out),
            Input::TimedOut => self.timed_out(out),
            Input::Passivate => self.passivate(out),
            Input::Drain => self.drain(out),
        }
    }

    fn offer(&mut self, command: Command<Call<U, S>>, out: &mut Actions<U, S>) {
        if command.caller.is_gone() {
            return;
        }
        match self.phase {
            Phase::Running => self.start(command, out),
            Phase::Stopped if self.replica.is_deleted() => {
                self.phase = Phase::Deleted { closing: false };
                refuse(command.caller, deleted::error(), out);
            }
            Phase::Deleted { .. } => refuse(command.caller, deleted::error(), out),
            Phase::Stopped => {
                self.queue.push(command);
                self.open(out);
            }
            Phase::Opening | Phase::Closing { .. } => {
                match self.queue.refusal(&command, &self.identity.entity_id) {
                    Some(text) => refuse(command.caller, TurnError::QueueFull(text), out),
                    None => self.queue.push(command),
                }
            }
        }
    }

    fn open(&mut self, out: &mut Actions<U, S>) {
        self.phase = Phase::Opening;
        self.next_id = 1;
        out.push(Action::Open);
    }

    fn opened(&mut self, out: &mut Actions<U, S>) {
        if self.phase != Phase::Opening {
            return;
        }
        match self.look() {
            Ok(Found::Deleted) => {
                // The function has heard nothing of the entity: nothing to say good-bye to.
                out.push(Action::Reset);
                self.phase = Phase::Deleted { closing: false };
                self.refuse_waiting(&deleted::error(), out);
            }
            Ok(Found::Difference(difference)) => self.begin(difference, out),
            Err(error) => {
                let id = &self.identity.entity_id;
                let text = format!("the state of entity [{id}] cannot be read: {error}");
                out.push(Action::Log(text.clone()));
                self.refuse_waiting(&TurnError::LoadFailed(text), out);
                self.reset(out);
            }
        }
    }

    /// Tells the function the whole value, then everything that waits.
    fn begin(&mut self, whole: Difference, out: &mut Actions<U, S>) {
        let delta = match whole {
            Difference::Change(change) => {
                self.known = Plain::from_change(&change, Side::Proxy).ok();
                Some(convert::delta(change))
            }
            Difference::None | Difference::Incompatible => None,
        };
        let init = CrdtInit {
            service_name: self.identity.service.to_string(),
            entity_id: self.identity.entity_id.to_string(),
            delta,
        };
        self.phase = Phase::Running;
        send(crdt_stream_in::Message::Init(init), out);
        while let Some(command) = self.queue.pop() {
            if !command.caller.is_gone() {
                self.start(command, out);
            }
        }
        self.rest(out);
    }

    fn start(&mut self, command: Command<Call<U, S>>, out: &mut Actions<U, S>) {
        let Command {
            caller,
            name,
            payload,
            metadata,
        } = command;
        if self.draining && matches!(caller, Call::Streamed(_)) {
            return refuse(caller, shutting_down(), out);
        }
        let id = self.next_id;
        self.next_id += 1;
        let command = protocol::Command {
            entity_id: self.identity.entity_id.to_string(),
            id,
            name: name.to_string(),
            payload: Some(payload),
            streamed: matches!(caller, Call::Streamed(_)),
            metadata,
        };
        send(crdt_stream_in::Message::Command(command), out);
        let what = match caller {
            Call::Unary(caller) => Waiting::Reply(caller),
            Call::Streamed(stream) => Waiting::FirstReply {
                stream,
                cancelled: false,
            },
        };
        self.await_answer(id, name, what, out);
    }

    /// From here on the function may change its value, until it answers this.
    fn await_answer(&mut self, id: i64, name: Arc<str>, what: Waiting<U, S>, out: &mut Actions<U, S>) {
        let number = self.next_number;
        self.next_number += 1;
        out.push(Action::Started(Operation {
            command_id: id,
            number,
            cancellation: matches!(what, Waiting::Cancellation(_)),
        }));
        self.open.insert(id, Open { number, name, what });
    }

    /// Tells the function what others did, if it has nothing to answer.
    fn push(&mut self, out: &mut Actions<U, S>) {
        if self.phase != Phase::Running || !self.open.is_empty() {
            return;
        }
        match self.look() {
            Ok(Found::Deleted) => self.deleted_elsewhere(out),
            Ok(Found::Difference(Difference::None)) => {}
            Ok(Found::Difference(Difference::Change(change))) => {
                let known = match &mut self.known {
                    Some(known) => known.apply(&change, Side::Proxy),
                    None => Plain::from_change(&change, Side::Proxy).map(|plain| self.known = Some(plain)),
                };
                match known {
                    Ok(()) => send(crdt_stream_in::Message::Delta(convert::delta(change)), out),
                    Err(error) => self.crash(&error.to_string(), out),
                }
            }
            Ok(Found::Difference(Difference::Incompatible)) => self.begin_anew(out),
            Err(error) => self.crash(&error.to_string(), out),
        }
    }

    fn look(&self) -> Result<Found, cloudstate_crdt::Error> {
        self.replica.difference(self.known.as_ref())
    }

    /// An operation was answered.
    fn finished(&mut self, out: &mut Actions<U, S>) {
        self.push(out);
        self.rest(out);
    }

    /// Comes to an end, if that is wanted and possible.
    fn rest(&mut self, out: &mut Actions<U, S>) {
        if self.draining {
            self.passivate(out);
        }
    }
}

fn send<U, S>(message: crdt_stream_in::Message, out: &mut Actions<U, S>) {
    let message = Some(message);
    out.push(Action::Send(CrdtStreamIn { message }));
}

/// A command that the function does not get.
fn refuse<U, S>(caller: Call<U, S>, error: TurnError, out: &mut Actions<U, S>) {
    match caller {
        Call::Unary(caller) => out.push(Action::Answer(caller, Err(error), Acknowledged::Now)),
        Call::Streamed(stream) => end(stream, Err(error), out),
    }
}

/// The last element of a stream.
fn end<U, S>(stream: S, result: Result<Answer, TurnError>, out: &mut Actions<U, S>) {
    out.push(Action::Element {
        stream,
        result,
        after: Acknowledged::Now,
        last: true,
    });
}

fn shutting_down() -> TurnError {
    TurnError::FunctionGone("the proxy is shutting down".to_owned())
}
