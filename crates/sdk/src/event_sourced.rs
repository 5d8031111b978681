//! Event sourced entities: the state is what the events say.
//!
//! ```text
//!   init ─▶ State::default() ─▶ created(id) ─▶ restore(snapshot) ─▶ apply(event) … ─▶ handle(command) ⟲
//!                                                                                       │ emit ─▶ apply
//!                                                                                       ▼
//!                                                                         reply, events, snapshot
//! ```

mod context;
mod machine;
mod registration;

pub use context::Context;
pub use machine::Stream;
pub use registration::Registration;

use cloudstate_protocol::Any;

use crate::dispatch::{Handled, Invocation};
use crate::{Payload, PayloadError};

/// How many events lie between snapshots, unless the registration says otherwise.
pub const DEFAULT_SNAPSHOT_EVERY: u64 = 100;

/// The state of an event sourced entity. It starts from the default and changes by events only: handlers see it by
/// shared reference, so that no change can escape the event log.
pub trait EventSourced: Default + Send + 'static {
    /// What can happen. An enum of message types by [`payloads!`](crate::payloads), or one message type.
    type Event: Payload;
    /// What a snapshot is stored as, or [`NoSnapshot`].
    type Snapshot: Snapshot<Self>;

    /// Tells a fresh state which entity it belongs to, before any snapshot or event.
    fn created(&mut self, entity_id: &str) {
        let _ = entity_id;
    }

    /// Changes the state as the event says. The event has happened: there is no way to decline it here.
    fn apply(&mut self, event: Self::Event);
}

/// A stored form of a state `S`.
pub trait Snapshot<S>: Payload {
    /// Takes a snapshot. `None` skips this one; the next is due after as many events again.
    fn of(state: &S) -> Option<Self>;

    /// Brings a fresh state to where the snapshot was taken.
    fn restore(self, state: &mut S);
}

/// For entities without snapshots: their events are always replayed from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSnapshot {}

impl Payload for NoSnapshot {
    fn is_type_of(_: &Any) -> bool {
        false
    }

    fn to_any(&self) -> Result<Any, PayloadError> {
        match *self {}
    }

    fn from_any(any: &Any) -> Result<Self, PayloadError> {
        Err(PayloadError::Unknown(any.type_url.clone()))
    }
}

impl<S> Snapshot<S> for NoSnapshot {
    fn of(_: &S) -> Option<Self> {
        None
    }

    fn restore(self, _: &mut S) {
        match self {}
    }
}

/// Typed handlers behind one untyped door. Implemented by generated code.
pub trait Handler: Send + Sync + 'static {
    /// The state.
    type State: EventSourced;

    /// Runs the handler of a command.
    fn handle(&self, invocation: Invocation<'_>, ctx: &mut Context<Self::State>) -> Handled;
}

#[cfg(test)]
mod tests;
