//! How activations end, and who is told.
//!
//! | cause | command in hand | waiting commands | stream |
//! |---|---|---|---|
//! | the function broke the protocol, or failed the stream | answered | answered | half-closed |
//! | the function closed the stream | answered | answered | reset |
//! | stored state cannot be read | – | answered | half-closed |
//! | no stream to be had | – | answered | – |
//! | a turn takes too long | answered | kept | reset |
//! | a commit did not happen, or may not have | answered | kept | half-closed |
//! | passivation, restart | – | kept | half-closed |
//!
//! After a half-close the activation waits until the function closed its side too, so that an entity never has two
//! streams. Commands that come meanwhile wait for the next activation.

use cloudstate_protocol as protocol;

use super::{Activation, Committing, Phase};
use crate::kind::{Incoming, Kind};
use crate::turn::{Action, Caller, CommitOutcome, StopReason, TurnError};

/// What the function did that ends the activation.
#[derive(Debug)]
pub(super) enum Breach {
    /// It broke the protocol: what callers hear, and what exactly was wrong.
    Violation(&'static str, String),
    /// It failed the stream.
    Failed(protocol::Failure),
    /// It closed the stream; `Some` says with what error.
    Closed(Option<String>),
}

impl Breach {
    /// What a message means that is not the awaited reply.
    pub(super) fn of<K: Kind>(message: Incoming<K>) -> Self {
        match message {
            Incoming::Reply(reply) => {
                let detail = format!(
                    "a reply to command {} came while no command was outstanding",
                    reply.command_id
                );
                Breach::Violation(K::TEXTS.reply, detail)
            }
            Incoming::Failure(failure) => Breach::Failed(failure),
            Incoming::Unknown => {
                Breach::Violation(K::TEXTS.message, "the message is empty or unknown".to_owned())
            }
        }
    }

    fn note<K: Kind, C>(&self, entity_id: &str) -> Action<K, C> {
        match self {
            Breach::Violation(text, detail) => {
                Action::Report(format!("{text} - entity [{entity_id}]: {detail}"))
            }
            Breach::Failed(failure) => Action::Log(format!("{} - {}", K::TEXTS.failure, failure.description)),
            Breach::Closed(error) => {
                let cause = error.as_deref().unwrap_or("the user function closed the stream");
                Action::Log(format!("{} - {cause}", K::TEXTS.termination))
            }
        }
    }

    /// What the caller of the outstanding command hears. A failure is the function's own when it names that command.
    fn error<K: Kind>(&self, outstanding: i64) -> TurnError {
        match self {
            Breach::Violation(text, _) => TurnError::Violation((*text).to_owned()),
            Breach::Failed(failure) if failure.command_id == outstanding => {
                TurnError::EntityFailed(K::TEXTS.failure)
            }
            Breach::Failed(_) => TurnError::Violation(K::TEXTS.failure.to_owned()),
            Breach::Closed(_) => TurnError::FunctionGone(K::TEXTS.termination.to_owned()),
        }
    }
}

impl<K: Kind, C: Caller> Activation<K, C> {
    /// Answers everybody and ends the activation.
    pub(super) fn crash(&mut self, breach: &Breach, out: &mut Vec<Action<K, C>>) {
        out.push(breach.note(&self.identity.entity_id));
        if let Phase::Running { id, caller, .. } = std::mem::replace(&mut self.phase, Phase::Idle) {
            out.push(Action::Answer(caller, Err(breach.error::<K>(id))));
        }
        self.fail_waiting(&TurnError::FunctionGone(K::TEXTS.queued.to_owned()), out);
        if matches!(breach, Breach::Closed(_)) {
            self.lose(out);
        } else {
            self.close(false, StopReason::Failed, out);
        }
    }

    /// Ends the activation because of a reply that answers the command in hand but cannot be carried out.
    pub(super) fn refuse_reply(&mut self, detail: &str, out: &mut Vec<Action<K, C>>) {
        let text = K::TEXTS.reply;
        if let Some(caller) = self.take_caller() {
            let error = TurnError::Violation(format!("{text}: {detail}"));
            out.push(Action::Answer(caller, Err(error)));
        }
        self.crash(&Breach::Violation(text, detail.to_owned()), out);
    }

    fn fail_waiting(&mut self, error: &TurnError, out: &mut Vec<Action<K, C>>) {
        while let Some(command) = self.queue.pop() {
            out.push(Action::Answer(command.caller, Err(error.clone())));
        }
    }

    pub(super) fn open_failed(&mut self, reason: String, out: &mut Vec<Action<K, C>>) {
        if matches!(self.phase, Phase::Opening) {
            self.fail_waiting(&TurnError::FunctionGone(reason), out);
            self.stop(StopReason::Failed, out);
        }
    }

    pub(super) fn load_failed(&mut self, reason: String, out: &mut Vec<Action<K, C>>) {
        if matches!(self.phase, Phase::Loading) {
            self.fail_waiting(&TurnError::LoadFailed(reason), out);
            self.close(false, StopReason::Failed, out);
        }
    }

    /// Half-closes the stream and waits for the function to do the same.
    pub(super) fn close(&mut self, reopen: bool, reason: StopReason, out: &mut Vec<Action<K, C>>) {
        out.push(Action::HalfClose);
        self.phase = Phase::Closing { reopen, reason };
    }

    /// Drops the stream without a word, but not what waits.
    fn lose(&mut self, out: &mut Vec<Action<K, C>>) {
        out.push(Action::Reset);
        self.over(false, StopReason::Failed, out);
    }

    /// The stream is gone. Opens the next one if anybody waits for it, or if it shall be.
    fn over(&mut self, reopen: bool, reason: StopReason, out: &mut Vec<Action<K, C>>) {
        self.stop(reason, out);
        if self.queue.is_awaited() || reopen && !self.draining {
            self.open(out);
        }
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<Action<K, C>>) {
        self.phase = Phase::Stopped;
        self.snapshot = None;
        out.push(Action::Stop(reason));
    }

    pub(super) fn closed(&mut self, error: Option<String>, out: &mut Vec<Action<K, C>>) {
        match &mut self.phase {
            Phase::Running { .. } | Phase::Idle | Phase::Loading => self.crash(&Breach::Closed(error), out),
            Phase::Committing(committing) => {
                committing.closed = true;
                committing.breach.get_or_insert(Breach::Closed(error));
            }
            Phase::Closing { reopen, reason } => {
                let (reopen, reason) = (*reopen, *reason);
                self.over(reopen, reason, out);
            }
            Phase::Stopped | Phase::Opening => {}
        }
    }

    pub(super) fn unreadable(&mut self, detail: String, out: &mut Vec<Action<K, C>>) {
        let breach = Breach::Violation(K::TEXTS.message, detail);
        match &mut self.phase {
            Phase::Running { .. } | Phase::Idle | Phase::Loading => self.break_off(&breach, true, out),
            Phase::Committing(committing) => {
                committing.closed = true;
                committing.breach.get_or_insert(breach);
            }
            Phase::Closing { .. } | Phase::Stopped | Phase::Opening => self.closed(None, out),
        }
    }

    /// Ends an activation whose last commit was answered, if the function gave cause meanwhile.
    pub(super) fn break_off(&mut self, breach: &Breach, closed: bool, out: &mut Vec<Action<K, C>>) {
        self.crash(breach, out);
        if closed {
            self.closed(None, out);
        }
    }

    /// Tells the caller that the commit did not happen, or may not have, and starts afresh from what is stored.
    pub(super) fn not_committed(
        &mut self,
        committing: Committing<C>,
        error: TurnError,
        out: &mut Vec<Action<K, C>>,
    ) {
        out.push(Action::Answer(committing.caller, Err(error)));
        if committing.closed {
            self.lose(out);
        } else {
            self.close(false, StopReason::Failed, out);
        }
    }

    pub(super) fn timed_out(&mut self, out: &mut Vec<Action<K, C>>) {
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
                if self.queue.is_awaited()
                    && let Some(command) = self.queue.pop()
                {
                    let error = TurnError::TimedOut {
                        command: command.name,
                    };
                    out.push(Action::Answer(command.caller, Err(error)));
                }
                self.lose(out);
            }
            Phase::Closing { reopen, reason } => {
                let (reopen, reason) = (*reopen, *reason);
                out.push(Action::Reset);
                self.over(reopen, reason, out);
            }
            Phase::Stopped | Phase::Idle | Phase::Committing(_) => {}
        }
    }
}

/// What the caller hears of a commit that did not happen, or may not have.
pub(super) fn refused<K: Kind>(outcome: &CommitOutcome) -> Option<TurnError> {
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
