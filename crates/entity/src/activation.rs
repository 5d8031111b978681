//! The life of one entity: what event sourced and value entities share.
//!
//! ```text
//!            command              opened            all loaded
//!  Stopped ───────────▶ Opening ─────────▶ Loading ────────────▶ Idle ◀──────────────┐
//!     ▲                    ▲                                     │  ▲               │
//!     │ function closed    │ restart, or commands wait    command│  │no change      │applied
//!     └──────────── Closing ◀──────────────────────────── Running ──┴──▶ Committing ─┘
//!                      ▲      passivation, restart
//! ```
//!
//! When the function breaks the protocol or goes away, the command in hand and all waiting ones are answered, and the
//! next command starts afresh. After a turn that takes too long or a commit that failed only the command in hand is
//! answered; waiting ones go to the next activation in order. `ending` has the whole table.

mod ending;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cloudstate_protocol as protocol;

use crate::kind::{Committed, Identity, Incoming, Kind, TurnReply};
use crate::queue::{Limits, Queue};
use crate::turn::{Action, Answer, Caller, Command, CommitOutcome, StopReason, TurnError};
use ending::{Breach, refused};

/// What happened.
#[derive(Debug)]
pub enum Input<K: Kind, C> {
    /// Somebody sends a command.
    Command(Command<C>),
    /// The stream that `Open` asked for is there.
    Opened,
    /// The function cannot be reached.
    OpenFailed(String),
    /// A part of the stored state.
    Loaded(K::Loaded),
    /// The stored state cannot be read.
    LoadFailed(String),
    /// A message of the function.
    Message(K::Out),
    /// The function ended its side of the stream; `Some` says with what error.
    Closed(Option<String>),
    /// The function sent what is no message, so that nothing more can be read: what is wrong with it.
    Unreadable(String),
    /// The store answered the commit.
    Committed(CommitOutcome),
    /// The turn, the loading or the closing takes longer than allowed.
    TimedOut,
    /// No command for the passivation time.
    Passivate,
    /// The proxy ends: finish what waits, then passivate.
    Drain,
}

#[derive(Debug)]
enum Phase<C> {
    Stopped,
    Opening,
    Loading,
    Idle,
    Running { id: i64, name: Arc<str>, caller: C },
    Committing(Box<Committing<C>>),
    Closing { reopen: bool, reason: StopReason },
}

#[derive(Debug)]
struct Committing<C> {
    caller: C,
    answer: Answer,
    pending: Committed,
    report: Option<String>,
    /// The function gave cause to end the activation meanwhile: the last answer of it.
    breach: Option<Breach>,
    /// The function closed the stream meanwhile.
    closed: bool,
}

/// One entity, active or not. See the module for its phases.
#[derive(Debug)]
pub struct Activation<K: Kind, C> {
    identity: Identity,
    kind: K,
    phase: Phase<C>,
    snapshot: Option<Box<K::Snapshot>>,
    queue: Queue<C>,
    next_id: i64,
    draining: bool,
}

impl<K: Kind, C: Caller> Activation<K, C> {
    /// An entity without a stream; the first command opens one.
    pub fn new(identity: Identity, kind: K, limits: Limits) -> Self {
        Activation {
            identity,
            kind,
            phase: Phase::Stopped,
            snapshot: None,
            queue: Queue::new(limits),
            next_id: 1,
            draining: false,
        }
    }

    /// Which entity this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether there is neither a turn nor a stream in transition: nothing but a command or time moves it.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether the activation is over.
    pub fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// Whether the next thing to happen is a message of the function, or the end of its stream.
    pub fn awaits_function(&self) -> bool {
        matches!(self.phase, Phase::Running { .. } | Phase::Closing { .. })
    }

    /// Commands that wait for the one in hand.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Who waits for the command in hand, if the function has one.
    pub fn caller_mut(&mut self) -> Option<&mut C> {
        match &mut self.phase {
            Phase::Running { caller, .. } => Some(caller),
            Phase::Committing(committing) => Some(&mut committing.caller),
            _ => None,
        }
    }

    /// Who waits in front, for the command in hand or for the activation.
    pub fn next_caller(&self) -> Option<&C> {
        self.queue.front()
    }

    /// Takes one input and appends what to do to `out`.
    pub fn handle(&mut self, input: Input<K, C>, out: &mut Vec<Action<K, C>>) {
        match input {
            Input::Command(command) => self.offer(command, out),
            Input::Opened => self.opened(out),
            Input::OpenFailed(reason) => self.open_failed(reason, out),
            Input::Loaded(part) => self.loaded(part, out),
            Input::LoadFailed(reason) => self.load_failed(reason, out),
            Input::Message(message) => self.message(message, out),
            Input::Closed(error) => self.closed(error, out),
            Input::Unreadable(detail) => self.unreadable(detail, out),
            Input::Committed(outcome) => self.committed(&outcome, out),
            Input::TimedOut => self.timed_out(out),
            Input::Passivate => self.passivate(out),
            Input::Drain => {
                self.draining = true;
                self.passivate(out);
            }
        }
    }

    fn offer(&mut self, command: Command<C>, out: &mut Vec<Action<K, C>>) {
        if command.caller.is_gone() {
            return;
        }
        match self.phase {
            Phase::Idle => self.start_turn(command, out),
            Phase::Stopped => {
                self.queue.push(command);
                self.open(out);
            }
            _ => match self.queue.refusal(&command, &self.identity.entity_id) {
                Some(text) => out.push(Action::Answer(command.caller, Err(TurnError::QueueFull(text)))),
                None => self.queue.push(command),
            },
        }
    }

    fn open(&mut self, out: &mut Vec<Action<K, C>>) {
        self.phase = Phase::Opening;
        self.next_id = 1;
        out.push(Action::Open);
    }

    fn opened(&mut self, out: &mut Vec<Action<K, C>>) {
        if matches!(self.phase, Phase::Opening) {
            self.phase = Phase::Loading;
            out.push(Action::Load(self.kind.begin()));
        }
    }

    fn loaded(&mut self, part: K::Loaded, out: &mut Vec<Action<K, C>>) {
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        let loading = self.kind.loaded(&self.identity, part);
        out.extend(loading.messages.into_iter().map(Action::Send));
        match loading.next {
            Some(next) => out.push(Action::Load(next)),
            None => self.next_turn(out),
        }
    }

    /// Takes the next waiting command that somebody still waits for, or comes to rest.
    fn next_turn(&mut self, out: &mut Vec<Action<K, C>>) {
        self.phase = Phase::Idle;
        while let Some(command) = self.queue.pop() {
            if !command.caller.is_gone() {
                return self.start_turn(command, out);
            }
        }
        if self.draining {
            self.passivate(out);
        }
    }

    fn start_turn(&mut self, command: Command<C>, out: &mut Vec<Action<K, C>>) {
        let Command {
            caller,
            name,
            payload,
            metadata,
        } = command;
        let id = self.next_id;
        self.next_id += 1;
        out.push(Action::Send(K::command(protocol::Command {
            entity_id: self.identity.entity_id.to_string(),
            id,
            name: name.to_string(),
            payload: Some(payload),
            streamed: false,
            metadata,
        })));
        out.push(Action::TurnStarted);
        self.phase = Phase::Running { id, name, caller };
    }

    fn message(&mut self, message: K::Out, out: &mut Vec<Action<K, C>>) {
        match &mut self.phase {
            Phase::Running { .. } => match self.kind.incoming(message) {
                Incoming::Reply(reply) => self.reply(reply, out),
                other => self.crash(&Breach::of(other), out),
            },
            Phase::Idle | Phase::Loading => {
                let breach = Breach::of(self.kind.incoming(message));
                self.crash(&breach, out);
            }
            Phase::Committing(committing) => {
                let breach = Breach::of(self.kind.incoming(message));
                committing.breach.get_or_insert(breach);
            }
            Phase::Stopped | Phase::Opening | Phase::Closing { .. } => {}
        }
    }

    fn reply(&mut self, reply: TurnReply<K>, out: &mut Vec<Action<K, C>>) {
        let Phase::Running { id, .. } = &self.phase else {
            return;
        };
        if reply.command_id != *id {
            let detail = format!(
                "expected a reply to command {id} but got one to command {}",
                reply.command_id
            );
            return self.crash(&Breach::Violation(K::TEXTS.reply, detail), out);
        }
        let commit = match reply.commit {
            Ok(commit) => commit,
            Err(detail) => return self.refuse_reply(&detail, out),
        };
        let Some(caller) = self.take_caller() else { return };
        let answer = Answer {
            action: reply.action,
            side_effects: reply.side_effects,
            took_effect: commit.is_some() && !reply.restart,
        };
        match commit {
            _ if reply.restart => self.restart(caller, answer, out),
            Some(commit) => {
                let pending = K::pending(&commit);
                self.snapshot = reply.snapshot.map(Box::new);
                let committing = Committing {
                    caller,
                    answer,
                    pending,
                    report: reply.report,
                    breach: None,
                    closed: false,
                };
                self.phase = Phase::Committing(Box::new(committing));
                out.push(Action::Commit(commit));
            }
            None => {
                out.push(Action::Answer(caller, Ok(answer)));
                self.next_turn(out);
            }
        }
    }

    /// Replaces a running phase by `Idle` and gives its caller.
    fn take_caller(&mut self) -> Option<C> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Running { caller, .. } => Some(caller),
            _ => None,
        }
    }

    fn restart(&mut self, caller: C, answer: Answer, out: &mut Vec<Action<K, C>>) {
        if let Some(protocol::client_action::Action::Failure(failure)) = &answer.action {
            let id = &self.identity.entity_id;
            out.push(Action::Log(format!(
                "Restarting entity [{id}] after failure: {}",
                failure.description
            )));
        }
        out.push(Action::Answer(caller, Ok(answer)));
        self.close(true, StopReason::Passivated, out);
    }

    fn committed(&mut self, outcome: &CommitOutcome, out: &mut Vec<Action<K, C>>) {
        let committing = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Committing(committing) => *committing,
            other => {
                self.phase = other;
                return;
            }
        };
        if let Some(error) = refused::<K>(outcome) {
            return self.not_committed(committing, error, out);
        }
        self.kind.committed(committing.pending, outcome);
        out.extend(
            self.snapshot
                .take()
                .map(|snapshot| Action::SaveSnapshot(*snapshot)),
        );
        out.extend(committing.report.map(Action::Report));
        out.push(Action::Answer(committing.caller, Ok(committing.answer)));
        match committing.breach {
            Some(breach) => self.break_off(&breach, committing.closed, out),
            None => self.next_turn(out),
        }
    }

    fn passivate(&mut self, out: &mut Vec<Action<K, C>>) {
        if matches!(self.phase, Phase::Idle) {
            self.close(false, StopReason::Passivated, out);
        }
    }
}
