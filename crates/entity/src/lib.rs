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
//! [`action`] maps the answers of stateless calls. [`crdt`] is the life cycle of CRDT entities, which have many commands in
//! hand at a time and no commits.
//!
//! There is no clock, no task and no IO here: the runtime carries the actions out and feeds the results back. Source:
//! protocol specification 0.2, event sourced, value entity, CRDT and action streams.

pub mod action;
mod activation;
pub mod crdt;
mod event_sourced;
#[cfg(test)]
mod harness;
mod kind;
mod queue;
mod turn;
mod value;

pub use activation::{Activation, Input};
pub use event_sourced::{Append, EventSourced, Recover, Recovered};
pub use kind::{Committed, Identity, Incoming, Kind, Loading, Texts, TurnReply};
pub use queue::Limits;
pub use turn::{Action, Answer, Caller, Command, CommitOutcome, StopReason, TurnError};
pub use value::{ValueEntity, Write};
