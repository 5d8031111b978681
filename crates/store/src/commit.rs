//! What is asked of a store, and what it answers.

use std::fmt;

use crate::{EntityKey, Error, Payload, ShardId};

/// How often a shard was taken. A higher epoch fences all lower ones.
pub type Epoch = u64;

/// What the entity must look like for the commit to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The sequence of the last event, 0 for none.
    Sequence(u64),
    /// The version of the value, that is the offset of its last put; `None`: there is no value.
    Version(Option<u64>),
}

/// What a commit does to the entity, all or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing; of use with an [`Idempotency`] record.
    None,
    /// Appends events with the next sequences. Goes with [`Expected::Sequence`].
    Events(Vec<Payload>),
    /// Replaces the value. Goes with [`Expected::Version`].
    Put(Payload),
    /// Removes the value, if there is one. Goes with [`Expected::Version`].
    Delete,
}

impl Change {
    /// How many offsets the change takes.
    pub fn offsets(&self) -> u64 {
        match self {
            Change::Events(events) => (events.len() as u64).max(1),
            _ => 1,
        }
    }

    /// The size of its payloads.
    pub fn size(&self) -> usize {
        match self {
            Change::Events(events) => events.iter().map(Payload::size).sum(),
            Change::Put(value) => value.size(),
            Change::None | Change::Delete => 0,
        }
    }

    pub(crate) fn goes_with(&self, expected: &Expected) -> bool {
        match self {
            Change::None => true,
            Change::Events(_) => matches!(expected, Expected::Sequence(_)),
            Change::Put(_) | Change::Delete => matches!(expected, Expected::Version(_)),
        }
    }
}

/// What a command was answered, kept with its change so that a repeated key is answered the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key, of this entity alone.
    pub key: String,
    /// When the record was made, milliseconds since 1970.
    pub recorded: u64,
    /// From when on the key may be used anew, milliseconds since 1970.
    pub expires: u64,
    /// The client action and the effects as the function returned them, encoded.
    pub answer: bytes::Bytes,
}

/// A commit as the runtime asks for it. The committer adds shard, fence, offset and commit id.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Whose state changes.
    pub entity: EntityKey,
    /// From which state.
    pub expected: Expected,
    /// How.
    pub change: Change,
    /// The record that is written with it. A commit that finds a record of this key, not expired when this one was
    /// recorded, conflicts.
    pub idempotency: Option<Idempotency>,
}

impl Write {
    /// How much room the write takes in the queue.
    pub fn size(&self) -> usize {
        let record = self
            .idempotency
            .as_ref()
            .map_or(0, |i| i.key.len() + i.answer.len());
        self.change.size() + record + self.entity.entity_id().len()
    }
}

/// Tells two owners of the same epoch number apart, whatever their clocks say: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(pub [u8; 16]);

impl OwnerId {
    /// A new owner.
    pub fn random() -> OwnerId {
        // The standard library's source of randomness: a `RandomState` has 128 key bits from the system, drawn once
        // a thread and changed for each further one.
        use std::hash::{BuildHasher, RandomState};
        let half = || RandomState::new().hash_one(std::process::id()).to_le_bytes();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&half());
        id[8..].copy_from_slice(&half());
        OwnerId(id)
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What makes a writer the owner of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The epoch in which the shard was taken.
    pub epoch: Epoch,
    /// By whom.
    pub owner: OwnerId,
}

/// Names one commit for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitId {
    /// Under which ownership it was tried.
    pub fence: Fence,
    /// Counts the commits of that owner.
    pub counter: u64,
}

/// A commit as backends get it. `expected` was checked by the committer against the entity's [`crate::Tail`].
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The entity's shard.
    pub shard: ShardId,
    /// The number by which the backend knows the entity ([`crate::Tail::reference`]).
    pub reference: u64,
    /// Whether an earlier commit wrote the entity ([`crate::Tail::stored`]).
    pub stored: bool,
    /// The offset of the (first) change; further events take the following ones.
    pub offset: u64,
    /// Holds the fence to check; stored with what is written.
    pub id: CommitId,
    /// What to do.
    pub write: Write,
}

/// What became of a commit.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is durable.
    Applied {
        /// The offset of its last change: the version, if it put a value.
        offset: u64,
    },
    /// Another owner has the shard. Known not applied, and nothing of this writer will be.
    Fenced,
    /// The entity was not as expected. Known not applied.
    Conflict,
    /// The store does not say, and asking again failed.
    Unknown,
    /// Known not applied.
    NotApplied(Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_differ() {
        let owners: std::collections::HashSet<OwnerId> = (0..1000).map(|_| OwnerId::random()).collect();
        assert_eq!(owners.len(), 1000);
    }

    #[test]
    fn a_commit_takes_one_offset_for_each_event_and_at_least_one() {
        assert_eq!(Change::Events(vec![Payload::default(); 3]).offsets(), 3);
        assert_eq!(Change::Events(vec![]).offsets(), 1);
        assert_eq!(Change::Delete.offsets(), 1);
    }
}
