//! What is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloudstate_store::{
    Change, Commit, CommitId, EntityKey, Fence, Idempotency, Layout, Lease, LogChange, LogEntry, Payload,
    ShardId, Snapshot, Verdict,
};

#[derive(Default)]
pub(crate) struct State {
    layout: Option<Layout>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) entities: BTreeMap<EntityKey, Entity>,
    /// (consumer, shard) → offset.
    pub(crate) offsets: BTreeMap<(Arc<str>, ShardId), u64>,
    pub(crate) leases: BTreeMap<Arc<str>, Lease>,
}

/// A shard's ownership and its log.
#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) fence: Option<Fence>,
    pub(crate) epoch: u64,
    /// The last offset that was ever given out by a commit that applied.
    pub(crate) last: u64,
    /// offset → what is there. Of values only the latest change.
    log: BTreeMap<u64, Position>,
}

/// Where a log entry's content is.
struct Position {
    entity: EntityKey,
    /// Of an event; `None` for the value.
    sequence: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Entity {
    /// `events[i]` has sequence `i + 1`.
    pub(crate) events: Vec<(Payload, CommitId)>,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) value: Option<Value>,
    idempotency: BTreeMap<String, (Idempotency, CommitId)>,
}

/// The last change of a value.
pub(crate) struct Value {
    /// `None`: removed.
    pub(crate) payload: Option<Payload>,
    pub(crate) offset: u64,
    id: CommitId,
}

impl State {
    pub(crate) fn layout(&mut self, wanted: &Layout) -> Layout {
        let layout = self.layout.get_or_insert_with(|| wanted.clone());
        self.shards.resize_with(layout.shards as usize, Shard::default);
        layout.clone()
    }

    /// Applies one commit, or says why not.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Verdict {
        let Some(shard) = self.shards.get_mut(commit.shard.number() as usize) else {
            return Verdict::Fenced;
        };
        if shard.fence != Some(commit.id.fence) {
            return Verdict::Fenced;
        }
        let key = &commit.write.entity;
        let entity = self.entities.entry(key.clone()).or_default();
        if let Some(record) = &commit.write.idempotency {
            let live = entity
                .idempotency
                .get(&record.key)
                .is_some_and(|(old, _)| old.expires > record.recorded);
            if live {
                return Verdict::Conflict;
            }
            entity
                .idempotency
                .insert(record.key.clone(), (record.clone(), commit.id));
        }
        shard.last = commit.offset + commit.write.change.offsets() - 1;
        entity.change(key, shard, commit);
        Verdict::Applied
    }

    /// Whether a commit left its mark.
    pub(crate) fn find(&self, commit: &Commit) -> bool {
        let Some(entity) = self.entities.get(&commit.write.entity) else {
            return false;
        };
        let record = commit
            .write
            .idempotency
            .as_ref()
            .and_then(|i| entity.idempotency.get(&i.key));
        entity.events.iter().any(|(_, id)| *id == commit.id)
            || entity.value.as_ref().is_some_and(|value| value.id == commit.id)
            || record.is_some_and(|(_, id)| *id == commit.id)
    }

    pub(crate) fn save_snapshot(&mut self, key: &EntityKey, snapshot: &Snapshot) {
        let entity = self.entities.entry(key.clone()).or_default();
        if entity
            .snapshot
            .as_ref()
            .is_none_or(|old| old.sequence < snapshot.sequence)
        {
            entity.snapshot = Some(snapshot.clone());
        }
    }

    /// Log entries of a shard after an offset, ascending.
    pub(crate) fn log(&self, shard: ShardId, after: u64) -> impl Iterator<Item = LogEntry> {
        let log = self
            .shards
            .get(shard.number() as usize)
            .map(|s| s.log.range(after + 1..));
        log.into_iter().flatten().filter_map(move |(offset, position)| {
            let entity = position.entity.clone();
            let stored = self.entities.get(&entity)?;
            let change = match position.sequence {
                Some(sequence) => {
                    let payload = stored.event(sequence)?.clone();
                    LogChange::Event { sequence, payload }
                }
                None => stored
                    .value
                    .as_ref()?
                    .payload
                    .clone()
                    .map_or(LogChange::Delete, LogChange::Put),
            };
            Some(LogEntry {
                shard,
                offset: *offset,
                entity,
                change,
            })
        })
    }
}

impl Entity {
    fn change(&mut self, key: &EntityKey, shard: &mut Shard, commit: &Commit) {
        match &commit.write.change {
            Change::None => {}
            Change::Events(events) => {
                for (offset, event) in (commit.offset..).zip(events) {
                    self.events.push((event.clone(), commit.id));
                    let sequence = Some(self.events.len() as u64);
                    shard.log.insert(
                        offset,
                        Position {
                            entity: key.clone(),
                            sequence,
                        },
                    );
                }
            }
            Change::Put(payload) => self.set(key, shard, commit, Some(payload.clone())),
            Change::Delete => self.set(key, shard, commit, None),
        }
    }

    fn set(&mut self, key: &EntityKey, shard: &mut Shard, commit: &Commit, payload: Option<Payload>) {
        let value = Value {
            payload,
            offset: commit.offset,
            id: commit.id,
        };
        if let Some(old) = self.value.replace(value) {
            shard.log.remove(&old.offset);
        }
        shard.log.insert(
            commit.offset,
            Position {
                entity: key.clone(),
                sequence: None,
            },
        );
    }

    fn event(&self, sequence: u64) -> Option<&Payload> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.events.get(index).map(|(payload, _)| payload)
    }

    pub(crate) fn record(&self, key: &str) -> Option<&Idempotency> {
        self.idempotency.get(key).map(|(record, _)| record)
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.value
            .as_ref()
            .filter(|value| value.payload.is_some())
            .map(|value| value.offset)
    }
}
