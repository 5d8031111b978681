//! What a backend does: the narrow side of the contract.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::{Commit, EntityKey, Error, Fence, Layout, Leases, OwnerId, Reader, ShardId, Snapshot};

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One store, opened. Cheap to share; reading, leases and writing go their own ways.
pub trait Backend: Send + Sync + 'static {
    /// How the user names the store, for messages.
    fn name(&self) -> &str;

    /// Keeps the layout if the store is new, and answers the one that is kept.
    fn layout(&self, wanted: &Layout) -> Result<Layout, Error>;

    /// Opens a way to write. Several may exist; the fence decides which of them does write.
    fn writer(&self) -> Result<Box<dyn Writer>, Error>;

    /// The way to read.
    fn reader(&self) -> Arc<dyn Reader>;

    /// The node leases.
    fn leases(&self) -> Arc<dyn Leases>;

    /// Whether a batch takes no longer than handing it to another thread: then whoever commits writes it, on its own
    /// thread. For stores in memory; a store that waits for anything says no.
    fn is_instant(&self) -> bool {
        false
    }
}

/// A shard that a writer has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub shard: ShardId,
    /// What its commits must carry from now on.
    pub fence: Fence,
    /// No offset at or below this one may be given out again.
    pub last: u64,
}

/// The end of an entity's log, and its value's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// A number of the backend's choice for the entity, the same whenever it is asked by this writer.
    pub reference: u64,
    /// Whether the store knows the entity already. If not, its first commit makes it known.
    pub stored: bool,
    /// The sequence of its last event, 0 for none.
    pub sequence: u64,
    /// The version of its value, if there is one.
    pub version: Option<u64>,
}

/// What is written together. No two commits are of the same entity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// In the order of their offsets.
    pub commits: Vec<Commit>,
    /// Newest snapshots, at most one an entity. One that is not newer than the stored one is left out.
    pub snapshots: Vec<(EntityKey, Snapshot)>,
    /// How far consumers have read: (consumer, shard, offset).
    pub offsets: Vec<(Arc<str>, ShardId, u64)>,
}

/// What became of one commit of a batch.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Durable.
    Applied,
    /// The fence is not the stored one. Nothing was written.
    Fenced,
    /// Something with that key exists. Nothing was written.
    Conflict,
    /// Nothing was written.
    NotApplied(Error),
    /// It may have been written.
    Unknown(Error),
}

/// What became of a batch.
#[derive(Debug)]
pub struct BatchVerdict {
    /// One for each commit, in the same order.
    pub commits: Vec<Verdict>,
    /// Of all snapshots together; a failure here says nothing about the commits.
    pub snapshots: Result<(), Error>,
    /// Of all offsets together.
    pub offsets: Result<(), Error>,
}

impl BatchVerdict {
    /// The same answer for everything in the batch.
    pub fn all(batch: &Batch, verdict: &Verdict) -> BatchVerdict {
        let rest = || match verdict {
            Verdict::Unknown(error) | Verdict::NotApplied(error) => Err(error.clone()),
            _ => Ok(()),
        };
        BatchVerdict {
            commits: vec![verdict.clone(); batch.commits.len()],
            snapshots: rest(),
            offsets: rest(),
        }
    }
}

/// The way to write. It belongs to one committer; nothing here is called concurrently.
pub trait Writer: Send {
    /// Takes shards in a new epoch, which fences whatever other writers, or this one before, still have in flight.
    ///
    /// Answers every shard whose fence changed for this writer: a backend with one epoch for all answers all.
    fn take<'a>(
        &'a mut self,
        shards: &'a [ShardId],
        owner: OwnerId,
    ) -> BoxFuture<'a, Result<Vec<Held>, Error>>;

    /// The tails of entities, one each in the same order, as of everything that was committed before.
    fn tails<'a>(&'a mut self, entities: &'a [EntityKey]) -> BoxFuture<'a, Result<Vec<Tail>, Error>>;

    /// Writes a batch and makes it durable. Each commit is all or nothing and checked against its shard's fence
    /// atomically with the write.
    fn commit<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, BatchVerdict>;

    /// How long the disk took to make the last batch of [`commit`](Self::commit) durable, apart from writing its rows.
    /// `None` for stores that have no disk, or that cannot tell.
    fn last_sync(&self) -> Option<Duration> {
        None
    }

    /// Looks for what the commits would have written, by their commit ids; one answer each, in the same order. Called
    /// after [`Writer::take`], so that nothing is in flight any more.
    fn find<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<Vec<bool>, Error>>;

    /// Called between batches; for upkeep that must not run beside a commit. Failures are the backend's to report.
    fn upkeep(&mut self);

    /// Leaves the store in a state that opens fast. Called once, last.
    fn close<'a>(&'a mut self) -> BoxFuture<'a, Result<(), Error>>;
}
