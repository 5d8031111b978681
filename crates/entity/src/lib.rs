//! The life cycles of entities as pure state machines.
//!
//! ```text
//!              ┌──────────────────────────────┐
//!   Input ───▶ │ Activation<Kind, Caller>     │ ───▶ Actions
//!              │  phase · queue · kind state  │
//!              └──────────────────────────────┘
//!   commands, opened, loaded, messages of the         open, load, send, commit, answer,
//!   function, commit outcomes, time-outs              half-close, stop
//! ```
//!
//! [`Activation`] holds what event sourced and value entities share: one turn at a time in arrival order, commit
//! before answer, restart, passivation, crashes. [`EventSourced`] and [`ValueEntity`] are the two [`Kind`]s.
//! [`action`] maps the answers of stateless calls.
//!
//! There is no clock, no task and no IO here: the runtime carries the actions out and feeds the results back. Source:
//! protocol specification 0.2, event sourced, value entity and action streams.

pub mod action;
mod activation;
mod event_sourced;
#[cfg(test)]
mod harness;
mod kind;
mod turn;
mod value;

pub use activation::{Activation, Input, Limits};
pub use event_sourced::{Append, EventSourced, Recover, Recovered};
pub use kind::{Committed, Identity, Incoming, Kind, Loading, Texts, TurnReply};
pub use turn::{Action, Answer, Caller, Command, CommitOutcome, StopReason, TurnError};
pub use value::{ValueEntity, Write};
