//! What can be read, and how: in bounded pages, without holding a transaction between them.

use std::sync::Arc;

use crate::{BoxFuture, EntityKey, Epoch, Error, Idempotency, OwnerId, Payload, ShardId};

/// The state of an event sourced entity after its event of this sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last event that the state includes.
    pub sequence: u64,
    /// The state.
    pub payload: Payload,
}

/// A value, and the version to expect when replacing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// The value.
    pub payload: Payload,
    /// The offset of its last put.
    pub version: u64,
}

/// A piece of an entity's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// (sequence, event), ascending, without gaps.
    pub events: Vec<(u64, Payload)>,
    /// Whether there are events after these; ask again after the last sequence.
    pub more: bool,
}

/// How far a shard's log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which shard.
    pub shard: ShardId,
    /// Everything up to and including this offset was read.
    pub after: u64,
}

/// What happened at an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChange {
    /// An event was appended.
    Event {
        /// Its number in the entity's log.
        sequence: u64,
        /// The event.
        payload: Payload,
    },
    /// A value was put, and not changed since.
    Put(Payload),
    /// A value was removed, and not put since.
    Delete,
}

/// One entry of a shard's log. Of a value only the latest change is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Whose log.
    pub shard: ShardId,
    /// Where in it.
    pub offset: u64,
    /// The entity concerned.
    pub entity: EntityKey,
    /// What happened to it.
    pub change: LogChange,
}

/// A piece of the logs of some shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPage {
    /// Ascending by offset within each shard.
    pub entries: Vec<LogEntry>,
    /// Where to go on: one cursor for each that was asked with, moved past everything that was looked at, even
    /// if nothing there belonged to the shard.
    pub cursors: Vec<Cursor>,
    /// Whether there may be more to read at once.
    pub more: bool,
}

/// Where the replay of an entity begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// The newest snapshot, if there is one.
    pub snapshot: Option<Snapshot>,
    /// Events after it, or from the first on.
    pub page: EventPage,
}

/// An entity in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityInfo {
    /// Which.
    pub entity: EntityKey,
    /// Its shard.
    pub shard: ShardId,
    /// The sequence of its last event, 0 for none.
    pub sequence: u64,
    /// The sequence of its snapshot, if there is one.
    pub snapshot: Option<u64>,
    /// The version of its value, if there is one.
    pub version: Option<u64>,
}

/// A shard in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Which.
    pub shard: ShardId,
    /// How often it was taken.
    pub epoch: Epoch,
    /// By whom the last time; `None` if never.
    pub owner: Option<OwnerId>,
    /// How many entities it has.
    pub entities: u64,
}

/// Reads what is durable. Calls may run concurrently with each other and with the writer; futures may be dropped at
/// any time. `max_bytes` bounds the payloads of a page, which holds at least one entry if there is any.
pub trait Reader: Send + Sync + 'static {
    /// The newest snapshot and the first page of events after it, in one step: what an activation needs.
    fn recovery(&self, entity: &EntityKey, max_bytes: usize) -> BoxFuture<'static, Result<Recovery, Error>>;

    /// The newest snapshot.
    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<Snapshot>, Error>>;

    /// Events with sequences above `after`.
    fn events(
        &self,
        entity: &EntityKey,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'static, Result<EventPage, Error>>;

    /// The value.
    fn value(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<StoredValue>, Error>>;

    /// The record of a key, expired or not.
    fn idempotency(
        &self,
        entity: &EntityKey,
        key: &str,
    ) -> BoxFuture<'static, Result<Option<Idempotency>, Error>>;

    /// The logs of some shards, each after its cursor.
    fn log(&self, cursors: &[Cursor], max_bytes: usize) -> BoxFuture<'static, Result<LogPage, Error>>;

    /// How far a consumer has read, of the shards where it has read anything.
    fn offsets(&self, consumer: &str) -> BoxFuture<'static, Result<Vec<Cursor>, Error>>;

    /// All persistence ids above `after`, in byte order, at most `limit`.
    fn persistence_ids(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<str>>, Error>>;

    /// The entities of a persistence id with ids above `after`, in byte order, at most `limit`.
    fn entities(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<EntityInfo>, Error>>;

    /// All shards. Counts entities: takes time with their number.
    fn shards(&self) -> BoxFuture<'static, Result<Vec<ShardInfo>, Error>>;
}
