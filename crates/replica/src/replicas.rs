//! All replicas of the node.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use cloudstate_crdt::{DeletedId, DeletedIds, Delta, Limits, NodeId, State};

use crate::Id;
use crate::id::{SHARDS, shard_of};
use crate::members::Members;
use crate::publish::Publish;
use crate::replica::{Replica, Watcher};
use crate::shard::{Shard, ShardDigest};

/// The replicas of all CRDT entities on this node.
pub struct Replicas {
    shards: Box<[Mutex<Shard>]>,
    members: RwLock<Members>,
    pub(crate) limits: Limits,
    pub(crate) publish: Arc<dyn Publish>,
    tokens: AtomicU64,
}

/// What became of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It is merged.
    Done {
        /// Whether it said anything new.
        learned: bool,
        /// Whether an earlier delta of some node is missing: it may still come, or a merge of states brings it.
        gap: bool,
    },
    /// The entity is deleted; nothing was merged.
    Deleted,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entities of which something is known.
    pub entities: usize,
    /// Ids that were deleted.
    pub deleted: usize,
}

impl Stats {
    /// Bytes of memory that a deleted id takes at most, for ever.
    pub const DELETED_ID_BYTES: usize = 64;
}

impl Replicas {
    /// No replicas. `own` is the identity that this node writes under and the only member, until
    /// [`Replicas::set_members`] says otherwise.
    pub fn new(own: NodeId, limits: Limits, publish: Arc<dyn Publish>) -> Arc<Replicas> {
        Arc::new(Replicas {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            members: RwLock::new(Members::new(own, &[])),
            limits,
            publish,
            tokens: AtomicU64::new(0),
        })
    }

    /// The replica of an entity, for an instance of it. There may be several for one entity.
    pub fn open(self: &Arc<Self>, id: Id, watcher: Arc<dyn Watcher>) -> Replica {
        Replica::new(self.clone(), id, watcher)
    }

    /// The identity that this node writes under.
    pub fn own(&self) -> NodeId {
        self.members().own
    }

    /// Says who this node is and who the members are that are up; whether that is new. Instances with votes are told.
    /// After it returns, nothing is written under a former identity any more.
    pub fn set_members(&self, own: NodeId, members: &[NodeId]) -> bool {
        let new = Members::new(own, members);
        {
            let mut current = self.members.write().unwrap_or_else(PoisonError::into_inner);
            if *current == new {
                return false;
            }
            *current = new;
        }
        for shard in &self.shards {
            lock(shard).voters_changed();
        }
        true
    }

    /// Merges a delta of another node.
    pub fn merge_delta(&self, id: &Id, delta: &Delta) -> Merged {
        self.merge(id, |state| state.merge_delta(delta))
    }

    /// Merges a replica of another node.
    pub fn merge_state(&self, id: &Id, other: &State) -> Merged {
        self.merge(id, |state| state.merge(other))
    }

    /// Deletes what other nodes have deleted. Returns those that were not deleted here yet.
    pub fn merge_deleted(&self, deleted: impl IntoIterator<Item = DeletedId>) -> Vec<DeletedId> {
        let new = |hash: &DeletedId| {
            let shard = &self.shards[usize::from(shard_of(*hash))];
            lock(shard).delete(*hash, None)
        };
        deleted.into_iter().filter(new).collect()
    }

    /// Lets `edit` change a replica, or make one, in ways that this crate has no words for, such as folding. It returns
    /// whether it changed anything, and a result. `None` if the entity is deleted.
    pub fn edit<T>(&self, id: &Id, edit: impl FnOnce(&mut State) -> (bool, T)) -> Option<T> {
        let mut shard = lock(self.shard(id));
        (!shard.is_deleted(id)).then(|| shard.edit(id, None, edit))
    }

    /// The replica of an entity, if anything is known of it. Its elements are shared, not copied.
    pub fn state(&self, id: &Id) -> Option<State> {
        self.state_of(id.hash()).map(|(_, state)| state)
    }

    /// The replica of the entity with this hash, and its id.
    pub fn state_of(&self, hash: DeletedId) -> Option<(Id, State)> {
        let shard = lock(&self.shards[usize::from(shard_of(hash))]);
        let (id, state) = shard.state(hash)?;
        Some((id.clone(), state.clone()))
    }

    /// Whether an entity is deleted.
    pub fn is_deleted(&self, id: &Id) -> bool {
        lock(self.shard(id)).is_deleted(id)
    }

    /// Whether the entity with this hash is deleted.
    pub fn is_deleted_hash(&self, hash: DeletedId) -> bool {
        let shard = &self.shards[usize::from(shard_of(hash))];
        lock(shard).deleted.contains(hash)
    }

    /// What a shard holds, as two numbers. Costs an encoding of each replica that changed since it was last asked for.
    pub fn shard_digest(&self, shard: u8) -> ShardDigest {
        lock(&self.shards[usize::from(shard)]).digest()
    }

    /// A digest of each replica of a shard, in the order of their hashes. Equal ones have equal digests.
    pub fn digests(&self, shard: u8) -> Vec<(DeletedId, u64)> {
        lock(&self.shards[usize::from(shard)]).digests().collect()
    }

    /// What was deleted in a shard.
    pub fn deleted(&self, shard: u8) -> DeletedIds {
        lock(&self.shards[usize::from(shard)]).deleted.clone()
    }

    /// The entities of a shard of which something is known, in the order of their hashes.
    pub fn ids(&self, shard: u8) -> Vec<Id> {
        lock(&self.shards[usize::from(shard)]).ids().cloned().collect()
    }

    /// How much there is. Looks at every shard.
    pub fn stats(&self) -> Stats {
        self.shards.iter().fold(Stats::default(), |sum, shard| {
            let shard = lock(shard);
            Stats {
                entities: sum.entities + shard.len(),
                deleted: sum.deleted + shard.deleted.len(),
            }
        })
    }

    pub(crate) fn members(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shard(&self, id: &Id) -> &Mutex<Shard> {
        &self.shards[usize::from(id.shard())]
    }

    pub(crate) fn next_token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    fn merge(&self, id: &Id, merge: impl FnOnce(&mut State) -> bool) -> Merged {
        let merged = self.edit(id, |state| {
            let learned = merge(state);
            let gap = state.gaps().next().is_some();
            (learned, Merged::Done { learned, gap })
        });
        merged.unwrap_or(Merged::Deleted)
    }
}

/// Nothing that is done under a shard's lock leaves it half done: states are changed by steps that do not panic.
pub(crate) fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas")
            .field("members", &*self.members())
            .finish_non_exhaustive()
    }
}
