//! Value entities: the state is one value, stored as a whole.
//!
//! ```text
//!   init(value?) ─▶ handle(command) ⟲ ── update | delete ──▶ reply, state action
//! ```
//!
//! ```
//! use cloudstate_sdk::value::Context;
//! use cloudstate_sdk::{Failure, Reply};
//! # use cloudstate_sdk::doc_example::{Count, Increase, Read, counter};
//!
//! struct CounterEntity;
//!
//! impl counter::ValueEntity for CounterEntity {
//!     type State = Count; // a message of the .proto file
//!
//!     fn increase(&self, command: Increase, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
//!         let value = ctx.state().map_or(0, |count| count.value) + command.by;
//!         ctx.update(Count { value });
//!         Ok(Count { value }.into())
//!     }
//!
//!     fn read(&self, _: Read, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
//!         Ok(ctx.state().copied().unwrap_or_default().into())
//!     }
//! }
//!
//! let entity = counter::value("counter", CounterEntity);
//! ```

mod context;
mod machine;
mod registration;

pub use context::Context;
pub use machine::Stream;
pub use registration::Registration;

use crate::Payload;
use crate::dispatch::{Handled, Invocation};

/// Typed handlers behind one untyped door. Implemented by generated code.
pub trait Handler: Send + Sync + 'static {
    /// The state.
    type State: Payload + Send;

    /// Runs the handler of a command.
    fn handle(&self, invocation: Invocation<'_>, ctx: &mut Context<Self::State>) -> Handled;
}

#[cfg(test)]
mod tests;
