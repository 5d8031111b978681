//! CRDT entities: a value that every node of a cluster changes at once, without asking the others.
//!
//! ```text
//!   init(delta?) ─▶ command ⟲ ── &mut state ──▶ reply, what it changed
//!                   delta   ⟲ ── what others changed ──▶ messages of streams
//! ```
//!
//! The state is one of the types of this module. A handler changes it in place; what the others have to be told is found out
//! behind it. A failure undoes what the command has changed.
//!
//! ```
//! use cloudstate_sdk::crdt::{Context, Next, PNCounter, Streamed};
//! use cloudstate_sdk::{Failure, Reply};
//! # use cloudstate_sdk::doc_example::{Change, Count, Read, tally};
//!
//! struct TallyEntity;
//!
//! impl tally::CrdtEntity for TallyEntity {
//!     type State = PNCounter;
//!
//!     fn add(&self, command: Change, state: &mut PNCounter, _: &mut Context) -> Result<Reply<Count>, Failure> {
//!         let value = state.add(command.by)?;
//!         Ok(Count { value }.into())
//!     }
//!
//!     /// Sends the count now, and whenever it changes, here or elsewhere.
//!     fn watch(
//!         &self,
//!         _: Read,
//!         state: &mut PNCounter,
//!         _: &mut Context,
//!     ) -> Result<Streamed<PNCounter, Count>, Failure> {
//!         let count = |state: &PNCounter| Count { value: state.value() };
//!         let stream = Streamed::new().first(count(state));
//!         Ok(stream.on_change(move |state| Next::send(count(state))))
//!     }
//! }
//!
//! let entity = tally::crdt("tally", TallyEntity);
//! ```
//!
//! What concurrent changes do to each type is told in the page on CRDT entities of the documentation.
//!
//! # What to know
//!
//! * A new entity has the neutral value of its type, and exists elsewhere only when something has changed it.
//! * Elements and keys are compared by their encoding, so it must be stable: prefer [`Primitive`](crate::Primitive)s.
//! * [`Untyped`] is the state of a service whose entities have different types.
//! * Handlers of one entity run one at a time, and must not block. Between two of them others may change the state.

mod context;
mod counters;
mod machine;
mod map;
mod register;
mod registration;
mod replicated;
mod sets;
mod streamed;
mod switches;
mod untyped;

pub use context::{Consistency, Context};
pub use counters::{GCounter, OutOfRange, PNCounter};
pub use machine::Stream;
pub use map::ORMap;
pub use register::{Clock, LWWRegister};
pub use registration::Registration;
pub use replicated::{ApplyError, Crdt};
pub use sets::{GSet, ORSet};
pub use streamed::{Handled, Next, Streamed, streamed, unary};
pub use switches::{Flag, Vote};
pub use untyped::{Untyped, WrongType};

use crate::dispatch::Invocation;

/// Typed handlers behind one untyped door. Implemented by generated code.
pub trait Handler: Send + Sync + 'static {
    /// The state.
    type State: Crdt;

    /// Runs the handler of a command.
    fn handle(
        &self,
        invocation: Invocation<'_>,
        state: &mut Self::State,
        ctx: &mut Context,
    ) -> Handled<Self::State>;
}

#[cfg(test)]
mod tests;
