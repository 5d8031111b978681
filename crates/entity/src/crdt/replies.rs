//! What the function says, and what becomes of the changes in it.

use cloudstate_crdt::{Change, Error, Plain, Side};
use cloudstate_protocol::crdt::{
    CrdtReply, CrdtStateAction, CrdtStreamOut, crdt_state_action, crdt_stream_out,
};
use cloudstate_protocol::{ClientAction, Failure, SideEffect, client_action};
use cloudstate_replica::{Acknowledged, Consistency, ShortOfConsistency, Updated};

use super::{Action, Actions, CrdtEntity, Open, Phase, Stream, Waiting, convert, end};
use crate::turn::{Answer, Caller, TurnError};

/// A state action that was carried out here.
pub(super) struct Done {
    /// When it counts as made.
    pub(super) after: Acknowledged,
    /// Whether it changed anything.
    pub(super) took_effect: bool,
    /// Whether it deleted the entity.
    pub(super) deleted: bool,
}

/// A state action that cannot be carried out. Ends the activation.
pub(super) enum Fault {
    /// The function's own value does not take it.
    Violation(Error),
    /// The function's value takes it, but not what others made of it meanwhile.
    Refused(Error),
}

impl<U: Caller, S: Stream> CrdtEntity<U, S> {
    pub(super) fn message(&mut self, message: CrdtStreamOut, now_ms: i64, out: &mut Actions<U, S>) {
        use crdt_stream_out::Message;
        if !matches!(self.phase, Phase::Running | Phase::Deleted { closing: true }) {
            return;
        }
        match message.message {
            Some(Message::Reply(reply)) => self.reply(reply, now_ms, out),
            Some(Message::StreamedMessage(message)) => self.streamed_message(message, out),
            Some(Message::StreamCancelledResponse(response)) => {
                self.cancellation_answered(response, now_ms, out);
            }
            Some(Message::Failure(failure)) => self.failure(failure, out),
            None => self.crash("Received an empty or unknown message", out),
        }
    }

    fn reply(&mut self, reply: CrdtReply, now_ms: i64, out: &mut Actions<U, S>) {
        let id = reply.command_id;
        let is_command = |open: &Open<U, S>| !matches!(open.what, Waiting::Cancellation(_));
        match self.open.get(&id).filter(|open| is_command(open)) {
            None => {
                let entity = &self.identity.entity_id;
                let text = format!("Received reply for entity id {entity} for unknown command {id}");
                return self.crash(&text, out);
            }
            Some(open) if reply.streamed && matches!(open.what, Waiting::Reply(_)) => {
                return self.crash(&format!("Streamed reply to non streamed command {id}"), out);
            }
            Some(_) => {}
        }
        let done = match self.carry_out(reply.state_action, now_ms) {
            Ok(done) => done,
            Err(fault) => return self.refuse_change(id, &fault, out),
        };
        let Some(open) = self.open.remove(&id) else { return };
        let answer = answer(reply.client_action, reply.side_effects, done.took_effect);
        match open.what {
            Waiting::Reply(caller) => out.push(Action::Answer(caller, Ok(answer), done.after)),
            Waiting::FirstReply { stream, cancelled } => {
                let keep = reply.streamed.then_some((id, open.name));
                self.first_reply(stream, cancelled, keep, answer, done.after, out);
            }
            Waiting::Cancellation(_) => {}
        }
        match done.deleted {
            true => self.deleted_here(out),
            false => self.finished(out),
        }
    }

    /// Whoever made the change hears of it only if it did not fit what others made of the replica.
    fn refuse_change(&mut self, id: i64, fault: &Fault, out: &mut Actions<U, S>) {
        let (Fault::Violation(error) | Fault::Refused(error)) = fault;
        if matches!(fault, Fault::Refused(_))
            && let Some(open) = self.open.remove(&id)
        {
            open.fail(&refused(), out);
        }
        self.crash(&error.to_string(), out);
    }

    /// Makes a change in the function's value, as the proxy knows it, and in the replica.
    pub(super) fn carry_out(&mut self, action: Option<CrdtStateAction>, now_ms: i64) -> Result<Done, Fault> {
        let nothing = Done {
            after: Acknowledged::Now,
            took_effect: false,
            deleted: false,
        };
        let Some(CrdtStateAction {
            action: Some(action),
            write_consistency,
        }) = action
        else {
            return Ok(nothing);
        };
        if self.phase != Phase::Running {
            // Deleted meanwhile.
            return Ok(nothing);
        }
        let consistency = convert::consistency(write_consistency);
        match action {
            crdt_state_action::Action::Delete(_) => Ok(Done {
                after: self.replica.delete(consistency),
                took_effect: true,
                deleted: true,
            }),
            crdt_state_action::Action::Update(delta) => {
                let change = convert::change(delta).map_err(Fault::Violation)?;
                self.note_change(&change).map_err(Fault::Violation)?;
                let updated = self.update(&change, consistency, now_ms)?;
                Ok(updated.map_or(nothing, |after| Done {
                    after,
                    took_effect: true,
                    deleted: false,
                }))
            }
        }
    }

    /// `None` if the entity was deleted elsewhere, which no change undoes.
    fn update(
        &self,
        change: &Change,
        consistency: Consistency,
        now_ms: i64,
    ) -> Result<Option<Acknowledged>, Fault> {
        match self.replica.update(change, consistency, now_ms) {
            Ok(Updated::Made(after)) => Ok(Some(after)),
            Ok(Updated::Deleted) => Ok(None),
            Err(error) => Err(Fault::Refused(error)),
        }
    }

    fn note_change(&mut self, change: &Change) -> Result<(), Error> {
        match &mut self.known {
            Some(known) => known.apply(change, Side::Function)?,
            None => self.known = Some(Plain::from_change(change, Side::Function)?),
        }
        Ok(())
    }

    fn failure(&mut self, failure: Failure, out: &mut Actions<U, S>) {
        let id = failure.command_id;
        if id == 0 {
            let text = format!("The user function failed the stream: {}", failure.description);
            return self.crash(&text, out);
        }
        let failed = Answer {
            action: Some(client_action::Action::Failure(failure)),
            ..Answer::default()
        };
        if let Some(open) = self.open.remove(&id) {
            match open.what {
                Waiting::Reply(caller) => out.push(Action::Answer(caller, Ok(failed), Acknowledged::Now)),
                Waiting::FirstReply { cancelled: true, .. } | Waiting::Cancellation(_) => {}
                Waiting::FirstReply { stream, .. } => end(stream, Ok(failed), out),
            }
        } else if let Some((stream, _)) = self.streams.remove(&id) {
            end(stream, Ok(failed), out);
        } else {
            out.push(Action::Report(format!(
                "Received failure for unknown command id: {id}"
            )));
        }
        self.finished(out);
    }
}

/// What the client is told of a change that did not fit.
fn refused() -> TurnError {
    // The same text as for one that is not on enough members.
    TurnError::EntityFailed(ShortOfConsistency::TEXT)
}

pub(super) fn answer(
    action: Option<ClientAction>,
    side_effects: Vec<SideEffect>,
    took_effect: bool,
) -> Answer {
    Answer {
        action: action.and_then(|ClientAction { action }| action),
        side_effects,
        took_effect,
    }
}
