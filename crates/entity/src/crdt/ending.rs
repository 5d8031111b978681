//! How activations end, and who is told. The table is in the module above.

use cloudstate_replica::Acknowledged;

use super::{Action, Actions, CrdtEntity, Open, Operation, Phase, Stream, Waiting, end, refuse};
use crate::turn::{Caller, StopReason, TurnError};

/// What everybody hears when an activation crashes.
const TERMINATING: &str = "Entity terminating";

impl<U: Caller, S: Stream> CrdtEntity<U, S> {
    /// The function, or a change of it, gave cause to end the activation.
    pub(super) fn crash(&mut self, text: &str, out: &mut Actions<U, S>) {
        let entity = &self.identity.entity_id;
        out.push(Action::Report(format!("{text} - entity [{entity}]")));
        let violation = TurnError::Violation(TERMINATING.to_owned());
        self.fail_all(&violation, &violation, out);
        self.reset(out);
    }

    fn fail_all(&mut self, commands: &TurnError, streams: &TurnError, out: &mut Actions<U, S>) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.fail(commands, out);
        }
        for (stream, _) in std::mem::take(&mut self.streams).into_values() {
            end(stream, Err(streams.clone()), out);
        }
    }

    pub(super) fn refuse_waiting(&mut self, error: &TurnError, out: &mut Actions<U, S>) {
        while let Some(command) = self.queue.pop() {
            refuse(command.caller, error.clone(), out);
        }
    }

    pub(super) fn open_failed(&mut self, reason: String, out: &mut Actions<U, S>) {
        if self.phase == Phase::Opening {
            self.refuse_waiting(&TurnError::FunctionGone(reason), out);
            self.stop(StopReason::Failed, out);
        }
    }

    /// No change leads from the function's value to that of the replica: the next activation starts from there.
    pub(super) fn begin_anew(&mut self, out: &mut Actions<U, S>) {
        let entity = &self.identity.entity_id;
        out.push(Action::Log(format!(
            "Restarting entity [{entity}]: other nodes made another CRDT of it"
        )));
        self.fail_all(&terminating(), &terminating(), out);
        self.close(StopReason::Passivated, true, out);
    }

    pub(super) fn closed(&mut self, error: Option<String>, out: &mut Actions<U, S>) {
        match self.phase {
            Phase::Running => {
                let cause = match error {
                    Some(error) => format!("Entity crashed: {error}"),
                    None => "Unexpected entity termination due to stream closure".to_owned(),
                };
                let entity = &self.identity.entity_id;
                out.push(Action::Log(format!("{cause} - entity [{entity}]")));
                // Nothing of the commands is in the replica; of the streams, something may be.
                let gone = TurnError::FunctionGone(TERMINATING.to_owned());
                self.fail_all(&gone, &terminating(), out);
                self.reset(out);
            }
            Phase::Closing { reason, reopen } => self.over(reason, reopen, out),
            Phase::Deleted { closing: true } => self.deleted_and_closed(out),
            Phase::Stopped | Phase::Opening | Phase::Deleted { closing: false } => {}
        }
    }

    pub(super) fn unreadable(&mut self, detail: &str, out: &mut Actions<U, S>) {
        match self.phase {
            Phase::Running => self.crash(&format!("Received an unreadable message: {detail}"), out),
            // It has had its say.
            _ => self.closed(None, out),
        }
    }

    pub(super) fn unanswered(&mut self, operation: Operation, out: &mut Actions<U, S>) {
        if !self.is_open(operation) {
            return;
        }
        let id = operation.command_id;
        let Some(open) = self.open.remove(&id) else { return };
        if matches!(open.what, Waiting::Cancellation(_)) {
            return self.give_up(id, out);
        }
        let command = open.name.clone();
        let error = TurnError::TimedOut { command };
        let text = error.to_string();
        open.fail(&error, out);
        self.crash(&text, out);
    }

    pub(super) fn timed_out(&mut self, out: &mut Actions<U, S>) {
        match self.phase {
            Phase::Opening => {
                if self.queue.is_awaited()
                    && let Some(waiting) = self.queue.pop()
                {
                    let command = waiting.name;
                    refuse(waiting.caller, TurnError::TimedOut { command }, out);
                }
                self.reset(out);
            }
            Phase::Closing { reason, reopen } => {
                out.push(Action::Reset);
                self.over(reason, reopen, out);
            }
            Phase::Deleted { closing: true } => self.deleted_and_closed(out),
            Phase::Stopped | Phase::Running | Phase::Deleted { closing: false } => {}
        }
    }

    pub(super) fn passivate(&mut self, out: &mut Actions<U, S>) {
        match self.phase {
            Phase::Running if self.is_idle() => self.close(StopReason::Passivated, false, out),
            Phase::Deleted { closing: false } => self.stop(StopReason::Passivated, out),
            _ => {}
        }
    }

    pub(super) fn drain(&mut self, out: &mut Actions<U, S>) {
        self.draining = true;
        self.end_streams(out);
        self.passivate(out);
    }

    /// Half-closes the stream and waits for the function to do the same, so that an entity has one stream at a time.
    fn close(&mut self, reason: StopReason, reopen: bool, out: &mut Actions<U, S>) {
        out.push(Action::HalfClose);
        self.phase = Phase::Closing { reason, reopen };
    }

    /// Drops the stream without a word.
    pub(super) fn reset(&mut self, out: &mut Actions<U, S>) {
        out.push(Action::Reset);
        self.over(StopReason::Failed, false, out);
    }

    /// The stream is gone. Opens the next one if anybody waits for it, or if it shall be.
    fn over(&mut self, reason: StopReason, reopen: bool, out: &mut Actions<U, S>) {
        self.stop(reason, out);
        if self.queue.is_awaited() || reopen && !self.draining {
            self.open(out);
        }
    }

    fn stop(&mut self, reason: StopReason, out: &mut Actions<U, S>) {
        self.phase = Phase::Stopped;
        self.known = None;
        self.given_up.clear();
        out.push(Action::Stop(reason));
    }
}

impl<U, S: Stream> Open<U, S> {
    /// Tells whoever still waits.
    pub(super) fn fail(self, error: &TurnError, out: &mut Actions<U, S>) {
        match self.what {
            Waiting::Reply(caller) => {
                out.push(Action::Answer(caller, Err(error.clone()), Acknowledged::Now));
            }
            Waiting::FirstReply {
                stream,
                cancelled: false,
            } => end(stream, Err(error.clone()), out),
            Waiting::FirstReply { .. } | Waiting::Cancellation(_) => {}
        }
    }
}

/// For whom it is nobody's fault.
fn terminating() -> TurnError {
    TurnError::EntityFailed(TERMINATING)
}
