//! What a batch writes, as columns: each is one array parameter of its statement.

use bytes::{Bytes, BytesMut};
use cloudstate_store::{Change, Commit, EntityKey, Expected, Fence, Idempotency, Payload, ShardId};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The checksum of a payload and of where it belongs, so that a payload in a wrong row is found too.
pub(crate) fn checksum(entity: &EntityKey, position: u64, type_url: &[u8], payload: &[u8]) -> i64 {
    let persistence_id = xxh3_64_with_seed(entity.persistence_id().as_bytes(), position);
    let entity_id = xxh3_64_with_seed(entity.entity_id().as_bytes(), persistence_id);
    let place = xxh3_64_with_seed(type_url, entity_id);
    i64::from(xxh3_64_with_seed(payload, place) as u32)
}

/// A number as PostgreSQL has it. Offsets, sequences, epochs and counters do not get near the limit; a later time is the latest.
pub(crate) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A shard's number, which was an `integer` when the store was made.
pub(crate) fn int(shard: ShardId) -> i32 {
    i32::try_from(shard.number()).unwrap_or(i32::MAX)
}

/// Bytes that need not be copied before they are sent.
#[derive(Debug, Clone)]
pub(crate) struct Raw(pub(crate) Bytes);

impl Raw {
    pub(crate) fn copy(text: &str) -> Raw {
        Raw(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl ToSql for Raw {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(wanted: &Type) -> bool {
        *wanted == Type::BYTEA
    }

    to_sql_checked!();
}

/// The shards of a statement, and the fences that they must have.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    pub(crate) shards: Vec<i32>,
    pub(crate) epochs: Vec<i64>,
    pub(crate) owners: Vec<Raw>,
}

impl Fences {
    pub(crate) fn add(&mut self, shard: ShardId, fence: Fence) {
        if !self.shards.contains(&int(shard)) {
            self.shards.push(int(shard));
            self.epochs.push(long(fence.epoch));
            self.owners.push(Raw(Bytes::copy_from_slice(&fence.owner.0)));
        }
    }
}

/// Entities that the store does not know yet.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    pub(crate) shards: Vec<i32>,
    pub(crate) eids: Vec<i64>,
    pub(crate) pids: Vec<Raw>,
    pub(crate) ids: Vec<Raw>,
}

/// Events, or changes of values; these have no sequences.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// The commit's place in the batch.
    pub(crate) commits: Vec<i32>,
    pub(crate) shards: Vec<i32>,
    pub(crate) eids: Vec<i64>,
    pub(crate) ords: Vec<i64>,
    pub(crate) seqs: Vec<i64>,
    pub(crate) type_urls: Vec<Raw>,
    pub(crate) payloads: Vec<Option<Raw>>,
    pub(crate) checksums: Vec<i64>,
    pub(crate) counters: Vec<i64>,
}

/// Idempotency records.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) commits: Vec<i32>,
    pub(crate) shards: Vec<i32>,
    pub(crate) eids: Vec<i64>,
    pub(crate) keys: Vec<Raw>,
    pub(crate) recorded: Vec<i64>,
    pub(crate) expires: Vec<i64>,
    pub(crate) answers: Vec<Raw>,
    pub(crate) ords: Vec<i64>,
    pub(crate) counters: Vec<i64>,
}

/// All of some commits.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) fences: Fences,
    pub(crate) entities: Entities,
    pub(crate) events: Payloads,
    pub(crate) values: Payloads,
    pub(crate) records: Records,
}

impl Rows {
    pub(crate) fn of<'c>(commits: impl IntoIterator<Item = &'c Commit>) -> Rows {
        let mut rows = Rows::default();
        for (number, commit) in (0..).zip(commits) {
            rows.commit(number, commit);
        }
        rows
    }

    fn commit(&mut self, number: i32, commit: &Commit) {
        self.fences.add(commit.shard, commit.id.fence);
        if !commit.stored {
            self.entity(commit);
        }
        match (&commit.write.change, commit.write.expected) {
            (Change::Events(events), Expected::Sequence(after)) => {
                for (index, event) in (0..).zip(events) {
                    let position = after + 1 + index;
                    self.events.commits.push(number);
                    self.events.ords.push(long(commit.offset + index));
                    self.events.seqs.push(long(position));
                    self.events
                        .push(commit, &event.type_url, Some(&event.value), position);
                }
            }
            (Change::Put(Payload { type_url, value }), _) => {
                self.value(number, commit, type_url, Some(value))
            }
            (Change::Delete, _) => self.value(number, commit, "", None),
            // The committer lets no events pass without a sequence.
            (Change::None | Change::Events(_), _) => {}
        }
        if let Some(record) = &commit.write.idempotency {
            self.record(number, commit, record);
        }
    }

    fn entity(&mut self, commit: &Commit) {
        let entity = &commit.write.entity;
        self.entities.shards.push(int(commit.shard));
        self.entities.eids.push(long(commit.reference));
        self.entities.pids.push(Raw::copy(entity.persistence_id()));
        self.entities.ids.push(Raw::copy(entity.entity_id()));
    }

    fn value(&mut self, number: i32, commit: &Commit, type_url: &str, payload: Option<&Bytes>) {
        self.values.commits.push(number);
        self.values.ords.push(long(commit.offset));
        self.values.push(commit, type_url, payload, commit.offset);
    }

    fn record(&mut self, number: i32, commit: &Commit, record: &Idempotency) {
        let columns = &mut self.records;
        columns.commits.push(number);
        columns.shards.push(int(commit.shard));
        columns.eids.push(long(commit.reference));
        columns.keys.push(Raw::copy(&record.key));
        columns.recorded.push(long(record.recorded));
        columns.expires.push(long(record.expires));
        columns.answers.push(Raw(record.answer.clone()));
        columns.ords.push(long(commit.offset));
        columns.counters.push(long(commit.id.counter));
    }
}

impl Payloads {
    fn push(&mut self, commit: &Commit, type_url: &str, payload: Option<&Bytes>, position: u64) {
        let bytes = payload.map_or(&[][..], |payload| payload);
        let checksum = checksum(&commit.write.entity, position, type_url.as_bytes(), bytes);
        self.shards.push(int(commit.shard));
        self.eids.push(long(commit.reference));
        self.type_urls.push(Raw::copy(type_url));
        self.payloads.push(payload.cloned().map(Raw));
        self.checksums.push(checksum);
        self.counters.push(long(commit.id.counter));
    }
}
