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
//! A crash row of the specification leads from any phase to `Stopped`: the command in hand and all waiting ones are
//! answered, and the next command starts afresh. Losing an activation (a turn that takes too long, a commit that
//! failed) answers only the command in hand; waiting ones go to the next activation in order.

use std::collections::VecDeque;
use std::sync::Arc;

use cloudstate_protocol as protocol;

use crate::kind::{Committed, Identity, Incoming, Kind, TurnReply};
use crate::turn::{Action, Answer, Caller, Command, CommitOutcome, StopReason, TurnError};

/// How much may wait for one entity.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Waiting commands, the one in hand not counted.
    pub queued_commands: usize,
    /// Bytes of the payloads of waiting commands.
    pub queued_bytes: usize,
}

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
    Closing { reopen: bool },
}

#[derive(Debug)]
struct Committing<C> {
    caller: C,
    answer: Answer,
    pending: Committed,
    report: Option<String>,
    /// The function closed the stream meanwhile: the last answer of this activation.
    broken: bool,
}

/// One entity, active or not. See the module for its phases.
#[derive(Debug)]
pub struct Activation<K: Kind, C> {
    identity: Identity,
    kind: K,
    phase: Phase<C>,
    snapshot: Option<Box<K::Snapshot>>,
    queue: VecDeque<Command<C>>,
    queued_bytes: usize,
    next_id: i64,
    draining: bool,
    limits: Limits,
}

impl<K: Kind, C: Caller> Activation<K, C> {
    /// An entity without a stream; the first command opens one.
    pub fn new(identity: Identity, kind: K, limits: Limits) -> Self {
        Activation {
            identity,
            kind,
            phase: Phase::Stopped,
            snapshot: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            next_id: 1,
            draining: false,
            limits,
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

    /// Takes one input and appends what to do to `out`.
    pub fn handle(&mut self, input: Input<K, C>, out: &mut Vec<Action<K, C>>) {
        match input {
            Input::Command(command) => self.offer(command, out),
            Input::Opened => self.opened(out),
            Input::OpenFailed(reason) => self.fail_waiting(&TurnError::FunctionGone(reason), out),
            Input::Loaded(part) => self.loaded(part, out),
            Input::LoadFailed(reason) => self.fail_waiting(&TurnError::LoadFailed(reason), out),
            Input::Message(message) => self.message(message, out),
            Input::Closed(error) => self.closed(error, out),
            Input::Committed(outcome) => self.committed(outcome, out),
            Input::TimedOut => self.timed_out(out),
            Input::Passivate => self.passivate(out),
            Input::Drain => {
                self.draining = true;
                self.passivate(out);
            }
        }
    }

    fn offer(&mut self, command: Command<C>, out: &mut Vec<Action<K, C>>) {
        match self.phase {
            Phase::Idle => self.start_turn(command, out),
            Phase::Stopped => {
                self.push(command);
                self.open(out);
            }
            _ => match self.refusal(&command) {
                Some(text) => out.push(Action::Answer(command.caller, Err(TurnError::QueueFull(text)))),
                None => self.push(command),
            },
        }
    }

    fn push(&mut self, command: Command<C>) {
        self.queued_bytes += command.bytes();
        self.queue.push_back(command);
    }

    fn pop(&mut self) -> Option<Command<C>> {
        let command = self.queue.pop_front()?;
        self.queued_bytes -= command.bytes();
        if self.queue.is_empty() {
            // An idle entity keeps no mailbox.
            self.queue = VecDeque::new();
        }
        Some(command)
    }

    fn refusal(&self, command: &Command<C>) -> Option<String> {
        let Limits {
            queued_commands,
            queued_bytes,
        } = self.limits;
        let id = &self.identity.entity_id;
        if self.queue.len() >= queued_commands {
            Some(format!(
                "{queued_commands} commands already wait for entity [{id}], the limit of its queue"
            ))
        } else if self.queued_bytes + command.bytes() > queued_bytes {
            Some(format!(
                "commands of more than {queued_bytes} bytes wait for entity [{id}], the limit of its queue"
            ))
        } else {
            None
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
        while let Some(command) = self.pop() {
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
                Incoming::Failure(failure) => self.failure(&failure, out),
                Incoming::Unknown => self.violation(K::TEXTS.message, "the message is empty or unknown", out),
            },
            Phase::Idle | Phase::Loading => match self.kind.incoming(message) {
                Incoming::Reply(_) => self.violation(
                    K::TEXTS.reply,
                    "a reply came while no command was outstanding",
                    out,
                ),
                Incoming::Failure(failure) => self.failure(&failure, out),
                Incoming::Unknown => self.violation(K::TEXTS.message, "the message is empty or unknown", out),
            },
            Phase::Committing(committing) => committing.broken = true,
            Phase::Stopped | Phase::Opening | Phase::Closing { .. } => {}
        }
    }

    fn reply(&mut self, reply: TurnReply<K>, out: &mut Vec<Action<K, C>>) {
        let Phase::Running { id, .. } = &self.phase else {
            return;
        };
        let id = *id;
        if reply.command_id != id {
            let detail = format!(
                "expected a reply to command {id} but got one to command {}",
                reply.command_id
            );
            return self.violation(K::TEXTS.reply, &detail, out);
        }
        let commit = match reply.commit {
            Ok(commit) => commit,
            Err(detail) => {
                let text = format!("{}: {detail}", K::TEXTS.reply);
                return self.crash(TurnError::Violation(text.clone()), Action::Report(text), out);
            }
        };
        let Some(caller) = self.take_caller() else { return };
        let answer = Answer {
            action: reply.action,
            side_effects: reply.side_effects,
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
                    broken: false,
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
            Phase::Committing(committing) => Some(committing.caller),
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
        out.push(Action::HalfClose);
        self.phase = Phase::Closing { reopen: true };
    }

    /// A failure of the whole stream: the function's own when it names the command in hand, else a violation.
    fn failure(&mut self, failure: &protocol::Failure, out: &mut Vec<Action<K, C>>) {
        let text = K::TEXTS.failure;
        let log = Action::Log(format!("{text} - {}", failure.description));
        let own = matches!(&self.phase, Phase::Running { id, .. } if *id == failure.command_id);
        let error = if own {
            TurnError::EntityFailed(text)
        } else {
            TurnError::Violation(text.to_owned())
        };
        self.crash(error, log, out);
    }

    fn violation(&mut self, text: &'static str, detail: &str, out: &mut Vec<Action<K, C>>) {
        let id = &self.identity.entity_id;
        let report = Action::Report(format!("{text} - entity [{id}]: {detail}"));
        self.crash(TurnError::Violation(text.to_owned()), report, out);
    }

    /// Answers everybody and ends the activation.
    fn crash(&mut self, error: TurnError, note: Action<K, C>, out: &mut Vec<Action<K, C>>) {
        out.push(note);
        if let Some(caller) = self.take_caller() {
            out.push(Action::Answer(caller, Err(error)));
        }
        self.fail_waiting(&TurnError::FunctionGone(K::TEXTS.queued.to_owned()), out);
    }

    fn fail_waiting(&mut self, error: &TurnError, out: &mut Vec<Action<K, C>>) {
        while let Some(command) = self.pop() {
            out.push(Action::Answer(command.caller, Err(error.clone())));
        }
        out.push(Action::Reset);
        self.stop(StopReason::Failed, out);
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<Action<K, C>>) {
        self.phase = Phase::Stopped;
        self.snapshot = None;
        out.push(Action::Stop(reason));
    }

    /// Gives the activation up, but not what waits.
    fn lose(&mut self, out: &mut Vec<Action<K, C>>) {
        out.push(Action::Reset);
        self.stop(StopReason::Failed, out);
        if !self.queue.is_empty() {
            self.open(out);
        }
    }

    fn closed(&mut self, error: Option<String>, out: &mut Vec<Action<K, C>>) {
        match &mut self.phase {
            Phase::Running { .. } | Phase::Idle | Phase::Loading => {
                let text = K::TEXTS.termination;
                let cause = error.unwrap_or_else(|| "the user function closed the stream".to_owned());
                let log = Action::Log(format!("{text} - {cause}"));
                self.crash(TurnError::FunctionGone(text.to_owned()), log, out);
            }
            Phase::Committing(committing) => committing.broken = true,
            Phase::Closing { reopen } => {
                let reopen = *reopen;
                self.after_closing(reopen, out);
            }
            Phase::Stopped | Phase::Opening => {}
        }
    }

    fn after_closing(&mut self, reopen: bool, out: &mut Vec<Action<K, C>>) {
        self.stop(StopReason::Passivated, out);
        if reopen || !self.queue.is_empty() {
            self.open(out);
        }
    }

    fn committed(&mut self, outcome: CommitOutcome, out: &mut Vec<Action<K, C>>) {
        let Phase::Committing(committing) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        let Committing {
            caller,
            answer,
            pending,
            report,
            broken,
        } = *committing;
        if let Some(error) = refused::<K>(&outcome) {
            out.push(Action::Answer(caller, Err(error)));
            return self.lose(out);
        }
        self.kind.committed(pending, &outcome);
        out.extend(
            self.snapshot
                .take()
                .map(|snapshot| Action::SaveSnapshot(*snapshot)),
        );
        out.extend(report.map(Action::Report));
        out.push(Action::Answer(caller, Ok(answer)));
        if broken {
            let log = Action::Log(format!("{} - after a reply was sent", K::TEXTS.termination));
            return self.crash(TurnError::FunctionGone(K::TEXTS.termination.to_owned()), log, out);
        }
        self.next_turn(out);
    }

    fn timed_out(&mut self, out: &mut Vec<Action<K, C>>) {
        match &self.phase {
            Phase::Running { name, .. } => {
                let error = TurnError::TimedOut {
                    command: name.clone(),
                };
                if let Some(caller) = self.take_caller() {
                    out.push(Action::Answer(caller, Err(error)));
                }
                self.lose(out);
            }
            Phase::Opening | Phase::Loading => {
                if let Some(command) = self.pop() {
                    let error = TurnError::TimedOut {
                        command: command.name,
                    };
                    out.push(Action::Answer(command.caller, Err(error)));
                }
                self.lose(out);
            }
            Phase::Closing { reopen } => {
                let reopen = *reopen;
                out.push(Action::Reset);
                self.after_closing(reopen, out);
            }
            Phase::Stopped | Phase::Idle | Phase::Committing(_) => {}
        }
    }

    fn passivate(&mut self, out: &mut Vec<Action<K, C>>) {
        if matches!(self.phase, Phase::Idle) {
            out.push(Action::HalfClose);
            self.phase = Phase::Closing { reopen: false };
        }
    }
}

/// What the caller hears of a commit that did not happen, or may not have.
fn refused<K: Kind>(outcome: &CommitOutcome) -> Option<TurnError> {
    let not_committed = |reason: &str| TurnError::NotCommitted {
        reason: reason.to_owned(),
        overloaded: false,
    };
    match outcome {
        CommitOutcome::Applied { .. } => None,
        CommitOutcome::Fenced => Some(not_committed("another proxy owns the entity now")),
        CommitOutcome::Conflict => Some(TurnError::Violation(K::TEXTS.behavior.to_owned())),
        CommitOutcome::Unknown => Some(TurnError::OutcomeUnknown),
        CommitOutcome::NotApplied { reason, overloaded } => Some(TurnError::NotCommitted {
            reason: reason.clone(),
            overloaded: *overloaded,
        }),
    }
}
