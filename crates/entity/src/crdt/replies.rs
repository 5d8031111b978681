//! What the function says, and what becomes of the changes in it.

use cloudstate_crdt::{Change, Error, Plain, Side};
use cloudstate_protocol::crdt::{
    CrdtReply, CrdtStateAction, CrdtStreamOut, crdt_state_action, crdt_stream_out,
};
use cloudstate_protocol::{ClientAction, Failure, SideEffect, client_action};
use cloudstate_replica::{Acknowledged, Updated};

use super::{Action, Actions, CrdtEntity, Open, Phase, Stream, Waiting, convert, end};
use crate::turn::{Answer, Caller};

/// A state action that was carried out here.
pub(super) struct Done {
    /// When it counts as made.
    pub(super) after: Acknowledged,
    /// Whether it changed anything.
    pub(super) took_effect: bool,
    /// Whether it deleted the entity.
    pub(super) deleted: bool,
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
            Err(error) => return self.crash(&error.to_string(), out),
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

    /// Makes a change in the function's value, as the proxy knows it, and in the replica. An error ends the activation: the
    /// function breaks the protocol, or others made something else of the entity meanwhile.
    pub(super) fn carry_out(&mut self, action: Option<CrdtStateAction>, now_ms: i64) -> Result<Done, Error> {
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
                let change = convert::change(delta)?;
                self.note_change(&change)?;
                match self.replica.update(&change, consistency, now_ms)? {
                    Updated::Made(after) => Ok(Done {
                        after,
                        took_effect: true,
                        deleted: false,
                    }),
                    // No change undoes that.
                    Updated::Deleted => Ok(nothing),
                }
            }
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
            let text = format!("Received failure for unknown command id: {id}");
            return self.crash(&text, out);
        }
        self.finished(out);
    }
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
