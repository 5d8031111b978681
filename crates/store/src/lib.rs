//! The store contract: a log per shard, one writer per shard, and group commit.
//!
//! ```text
//!   entity ──Write──▶ Store ──▶ queue (bounded) ──▶ committer: one thread
//!                                                     │ expected sequence or version, offset, commit id
//!                                                     ▼
//!                                        Writer::commit(batch)    a backend: checks the fence, makes it durable
//!                                                     │
//!          CommitFuture ◀──────Outcome────────────────┘ (unknown? take the shard again, look for the commit id)
//!
//!   loading, inspection, projections ──▶ Reader      node leases ──▶ Leases
//! ```
//!
//! * **Identity.** An entity is a pair (persistence id, entity id), 1 to 1,024 bytes each, any text. Its shard is
//!   [`shard_of`] that pair; the number of shards and the algorithm are kept in the store ([`Layout`]).
//! * **Fence.** A backend refuses, atomically with the write, a commit whose epoch and owner are not the stored ones
//!   of its shard.
//! * **Offset.** Strictly increasing in a shard in commit order, never reused, with gaps. The committer numbers all its
//!   shards from one counter; once an offset is readable, nothing at or below it appears later in that shard.
//! * **Commit id.** Stored with what the commit wrote. It answers the question "was that row mine?" after an
//!   unknown outcome.
//!
//! Absent: any backend, serving, and the meaning of payloads, which are stored and returned byte for byte.

mod backend;
mod block_on;
mod commit;
mod committer;
mod completion;
mod entity;
mod error;
mod lease;
mod options;
mod queue;
mod read;
mod shard;
mod stats;
mod store;
mod tails;

pub use backend::{Backend, Batch, BatchVerdict, BoxFuture, Held, Tail, Verdict, Writer};
pub use block_on::block_on;
pub use commit::{Change, Commit, CommitId, Epoch, Expected, Fence, Idempotency, Outcome, OwnerId, Write};
pub use completion::CommitFuture;
pub use entity::{EntityKey, InvalidKey, MAX_ID_BYTES, Payload};
pub use error::{Cause, Error};
pub use lease::{Lease, LeaseState, Leases};
pub use options::Options;
pub use read::{
    Cursor, EntityInfo, EventPage, LogChange, LogEntry, LogPage, Reader, Recovery, ShardInfo, Snapshot,
    StoredValue,
};
pub use shard::{Layout, SHARD_ALGORITHM, ShardId, shard_of};
pub use stats::{Histogram, Stats};
pub use store::Store;
