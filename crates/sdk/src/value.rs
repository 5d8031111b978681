//! Value entities: the state is one value, stored as a whole.
//!
//! ```text
//!   init(value?) ─▶ handle(command) ⟲ ── update | delete ──▶ reply, state action
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
