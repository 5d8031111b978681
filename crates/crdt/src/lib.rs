//! Replicated data types: counters, sets, registers, flags, votes and maps of them that every node may change at any time,
//! and that are equal everywhere once all nodes have heard of all changes, in whatever order.
//!
//! ```text
//!                      node A                                           node B
//!   user function    Plain ──Change──┐                                Plain
//!                                    ▼                                  ▲ Change
//!                    State ◀── State::apply ──Delta───────▶ merge_delta │
//!                      │                                        ▼       │
//!                      └────────────── repair ────merge──────▶ State ── State::diff
//! ```
//!
//! The user function holds a [`Plain`] value, and sends and gets [`Change`]s of it. A [`State`] is one node's replica:
//! [`State::apply`] takes a change of the function and yields the [`Delta`] for the other nodes, [`State::merge_delta`] and
//! [`State::merge`] take what others did, [`State::diff`] yields what the function has to be told.
//!
//! ```
//! use cloudstate_crdt::{Author, Change, Difference, Limits, NodeId, Plain, State, Voters};
//!
//! let (a, b) = (NodeId::new(1, 1), NodeId::new(2, 1));
//! let (mut at_a, mut at_b) = (State::new(), State::new());
//! let limits = Limits::default();
//!
//! let three = Change::GCounter { increment: 3 };
//! let delta = at_a.apply(&three, Author { node: a, now_ms: 0 }, &limits)?;
//! let four = Change::GCounter { increment: 4 };
//! at_b.apply(&four, Author { node: b, now_ms: 0 }, &limits)?;
//! at_b.merge_delta(&delta);
//!
//! // The function at B made the four itself, and is told of the rest.
//! let voters = Voters { own: b, members: &[a, b] };
//! let difference = at_b.diff(Some(&Plain::GCounter(4)), &voters)?;
//! assert_eq!(difference, Difference::Change(three));
//! # Ok::<(), cloudstate_crdt::Error>(())
//! ```
//!
//! # How it works
//!
//! Every write has a name of its own, a *dot*: the node and a number that the node counts. A state is a tree of places with the
//! dots that live there, and a *context* of all dots that it knows of, live or removed:
//!
//! ```text
//!   context   A: 1–4   B: 1–2
//!   root      ORMap ─┬─ "seats" ─ PNCounter ─┬─ A4: 7
//!                    │                       └─ B1: −2
//!                    └─ "names" ─ ORSet ─┬─ "ann"  A2
//!                                        └─ "bob"  A3 B2        A1 was removed: known, but nowhere
//! ```
//!
//! To merge two trees, take what both have, and of what only one has, what the other does not know of: what it does know of was
//! removed there. That is all there is, for all types and at all depths. It is associative, commutative and idempotent, and
//! removals leave nothing behind: a context is a range for each node.
//!
//! A change replaces the dots that it has seen, and adds its own. Concurrent ones have not seen each other, so an addition or
//! update survives a concurrent removal. A delta is the part of the tree that a change touched, with the dots that it added and
//! replaced as its context. It may come late, twice, out of order or not at all; a merge of states then brings the rest. See
//! [`State::gaps`].
//!
//! When nodes have ended, [`State::fold`] makes one sum of what they counted, and [`State::forget`] drops their names;
//! [`State::rejoin`] takes back one that was ended by mistake. [`DeletedIds`] holds what was deleted.
//!
//! # What a caller has to see to
//!
//! * A [`NodeId`] is used by one process, once. A node that has lost its states needs a new one.
//! * A node that was ended and its former fellow members merge nothing of each other, but for [`State::rejoin`]. What the ended
//!   node merges before that could hold its own fold, and its own sum would be taken for what it had not brought home yet.
//! * Deltas and states are merged only from members of the cluster: a malicious one could write in the name of others.
//! * A deleted CRDT is deleted for ever: look into [`DeletedIds`] before merging anything.
//! * Wall clocks matter for registers only, and there for nothing but which of two concurrent writes wins.
//!
//! Absent: clocks, tasks, IO, the wire protocol, who is a member, and when to send what. Sources: Almeida, Shoker and Baquero,
//! *Delta State Replicated Data Types* (2018), for dot stores and deltas; the CRDT part of protocol 0.2 for what users see.

mod any;
mod apply;
mod change;
mod context;
mod deleted;
mod diff;
mod dots;
mod encoding;
mod error;
mod join;
mod kind;
mod limits;
mod node;
mod plain;
mod pruning;
mod register;
mod seen;
mod slot;
mod state;
mod tally;
mod writer;

pub use any::Any;
pub use change::{Change, Entry, MapChange, RegisterChange, SetChange, VoteTotals};
pub use deleted::{DeletedId, DeletedIds};
pub use diff::{Difference, Voters};
pub use error::{DecodeError, DecodeReason, Error};
pub use kind::Kind;
pub use limits::Limits;
pub use node::NodeId;
pub use plain::{Plain, Side};
pub use pruning::Returning;
pub use register::Clock;
pub use state::{Author, Delta, State};
