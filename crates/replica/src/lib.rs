//! The replicas of all CRDT entities on this node, in memory.
//!
//! ```text
//!   entity instances                                              other nodes
//!     │ update · delete · difference                    merge_delta · merge_state · merge_deleted
//!     ▼                                                                  │
//!   Replica ─────────────▶ Replicas: 256 shards, a mutex each ◀──────────┘
//!     ▲                       │            │
//!     └── Watcher::changed ───┘            └── Publish::publish ──▶ to the other nodes
//! ```
//!
//! An instance opens a [`Replica`] of its entity. What it changes is there at once and goes to [`Publish`]; when somebody
//! else changes the same replica its [`Watcher`] is told, once until it looks again. [`Alone`] is the [`Publish`] of a
//! node without others.
//!
//! An entity belongs to the shard that the first byte of its [`Id::hash`] says, on every node. So two nodes compare and
//! repair their replicas shard by shard: [`Replicas::shard_digest`], then [`Replicas::digests`], then states.
//!
//! All calls are short and may come from any thread. Absent: clocks, tasks, IO, who is a member.

mod id;
mod members;
mod publish;
mod replica;
mod replicas;
mod shard;

pub use id::{Id, SHARDS};
pub use publish::{Acknowledged, Alone, Consistency, FirstUse, Publication, Publish, ShortOfConsistency};
pub use replica::{Found, Replica, Updated, Watcher};
pub use replicas::{Merged, Replicas, Stats};
pub use shard::ShardDigest;
