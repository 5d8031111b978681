//! Deleted entities: the id is never used again, so the fact is kept for whoever calls next, as long as an idle entity is.

use cloudstate_protocol::crdt::{CrdtDelete, crdt_stream_in};

use super::{Action, Actions, CrdtEntity, Phase, Stream, end, send};
use crate::turn::{Answer, Caller, TurnError};

/// What commands of a deleted entity get.
pub(super) fn error() -> TurnError {
    TurnError::EntityFailed("Entity deleted")
}

impl<U: Caller, S: Stream> CrdtEntity<U, S> {
    /// The function deleted the entity: it need not be told. It may still reply to the commands that it has.
    pub(super) fn deleted_here(&mut self, out: &mut Actions<U, S>) {
        self.known = None;
        self.phase = Phase::Deleted { closing: true };
        out.push(Action::HalfClose);
    }

    /// Somebody else deleted the entity.
    pub(super) fn deleted_elsewhere(&mut self, out: &mut Actions<U, S>) {
        send(crdt_stream_in::Message::Delete(CrdtDelete {}), out);
        self.deleted_here(out);
    }

    /// The function has said all that it will. What it has not replied to fails; streams just end.
    pub(super) fn deleted_and_closed(&mut self, out: &mut Actions<U, S>) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.fail(&error(), out);
        }
        for (stream, _) in std::mem::take(&mut self.streams).into_values() {
            end(stream, Ok(Answer::default()), out);
        }
        self.given_up.clear();
        out.push(Action::Reset);
        self.phase = Phase::Deleted { closing: false };
        self.rest(out);
    }
}
