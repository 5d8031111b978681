//! What is written, statement by statement, inside the committer's transaction.

use cloudstate_store::{
    Batch, Change, Commit, EntityKey, Error, Fence, Idempotency, OwnerId, Payload, Snapshot, Verdict,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{corrupt, failed, is_constraint};
use crate::files::Files;

/// The checksum of a payload and of where it belongs, so that a payload in a wrong row is found too.
pub(crate) fn checksum(entity: u64, position: u64, type_url: &str, payload: &[u8]) -> i64 {
    let place = xxh3_64_with_seed(type_url.as_bytes(), entity.rotate_left(32) ^ position);
    i64::from(xxh3_64_with_seed(payload, place) as u32)
}

/// Who owns the file, as stored.
pub(crate) fn stored_fence(connection: &Connection) -> Result<Option<Fence>, rusqlite::Error> {
    let mut last =
        connection.prepare_cached("SELECT epoch, owner FROM epochs ORDER BY epoch DESC LIMIT 1")?;
    last.query_row([], |row| {
        Ok(Fence {
            epoch: row.get(0)?,
            owner: OwnerId(row.get(1)?),
        })
    })
    .optional()
}

/// The statements of a batch, prepared once and used for each row.
pub(crate) struct Rows<'c> {
    files: &'c Files,
    connection: &'c Connection,
    event: CachedStatement<'c>,
}

impl<'c> Rows<'c> {
    pub(crate) fn new(files: &'c Files, connection: &'c Connection) -> Result<Rows<'c>, Error> {
        let event = connection
            .prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
            .map_err(|error| failed(files, "preparing to write", error))?;
        Ok(Rows {
            files,
            connection,
            event,
        })
    }

    /// Writes everything in the batch. An error leaves the transaction to be rolled back.
    pub(crate) fn batch(&mut self, batch: &Batch, fence: Option<Fence>) -> Result<Vec<Verdict>, Error> {
        let mut verdicts = Vec::with_capacity(batch.commits.len());
        let mut unlogged = None;
        for commit in &batch.commits {
            if fence != Some(commit.id.fence) {
                verdicts.push(Verdict::Fenced);
                continue;
            }
            if commit.write.change == Change::None {
                unlogged = Some(commit.offset);
            }
            verdicts.push(self.commit(commit)?);
        }
        let rest = || {
            if let Some(offset) = unlogged {
                self.execute("UPDATE deployment SET high = max(high, ?1)", [offset])?;
            }
            for (entity, snapshot) in &batch.snapshots {
                self.snapshot(entity, snapshot)?;
            }
            for (consumer, shard, offset) in &batch.offsets {
                let put =
                    "INSERT INTO offsets VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET ord = excluded.ord";
                self.execute(put, (consumer.as_bytes(), shard.number(), offset))?;
            }
            Ok(())
        };
        rest().map_err(|error| failed(self.files, "writing snapshots and offsets", error))?;
        Ok(verdicts)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Verdict, Error> {
        let written = self.try_commit(commit);
        match written {
            Ok(true) => Ok(Verdict::Applied),
            Ok(false) => Ok(Verdict::Conflict),
            // The committer knew the entity's tail, and found this row absent. All statements of the commit before
            // this one would have to be undone; as the file contradicts itself, nothing of the batch is written.
            Err(error) if is_constraint(&error) => {
                let entity = &commit.write.entity;
                Err(corrupt(
                    self.files,
                    format!("a row of {entity} is there that should not be: {error}"),
                ))
            }
            Err(error) => Err(failed(self.files, "writing a commit", error)),
        }
    }

    /// `false`: conflict, nothing written.
    fn try_commit(&mut self, commit: &Commit) -> Result<bool, rusqlite::Error> {
        let record = commit.write.idempotency.as_ref();
        if let Some(record) = record.filter(|_| commit.stored)
            && self.is_live(commit.reference, record)?
        {
            return Ok(false);
        }
        if !commit.stored {
            self.entity(commit)?;
        }
        match &commit.write.change {
            Change::None => {}
            Change::Events(events) => self.events(commit, events)?,
            Change::Put(payload) => self.value(commit, Some(payload))?,
            Change::Delete => self.value(commit, None)?,
        }
        if let Some(record) = record {
            self.record(commit, record)?;
        }
        Ok(true)
    }

    fn execute(&self, statement: &str, params: impl rusqlite::Params) -> Result<usize, rusqlite::Error> {
        self.connection.prepare_cached(statement)?.execute(params)
    }

    fn entity(&self, commit: &Commit) -> Result<(), rusqlite::Error> {
        let entity = &commit.write.entity;
        let (pid, id) = (entity.persistence_id().as_bytes(), entity.entity_id().as_bytes());
        let row = (commit.reference, commit.shard.number(), pid, id);
        self.execute("INSERT INTO entities VALUES (?1, ?2, ?3, ?4)", row)
            .map(drop)
    }

    fn events(&mut self, commit: &Commit, events: &[Payload]) -> Result<(), rusqlite::Error> {
        let cloudstate_store::Expected::Sequence(after) = commit.write.expected else {
            return Ok(());
        };
        let eid = commit.reference;
        for (index, event) in (0..).zip(events) {
            let sequence = after + 1 + index;
            self.event.execute(params![
                commit.offset + index,
                eid,
                sequence,
                event.type_url,
                &event.value[..],
                checksum(eid, sequence, &event.type_url, &event.value),
                commit.id.fence.epoch,
                commit.id.counter,
            ])?;
        }
        Ok(())
    }

    fn value(&self, commit: &Commit, value: Option<&Payload>) -> Result<(), rusqlite::Error> {
        let (eid, ord) = (commit.reference, commit.offset);
        let type_url = value.map_or("", |v| &v.type_url);
        let payload = value.map(|v| &v.value[..]);
        self.execute(
            "INSERT INTO entity_values VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (eid) DO UPDATE SET
                 ord = excluded.ord, type_url = excluded.type_url, payload = excluded.payload,
                 checksum = excluded.checksum, epoch = excluded.epoch, counter = excluded.counter",
            params![
                eid,
                ord,
                type_url,
                payload,
                checksum(eid, ord, type_url, payload.unwrap_or_default()),
                commit.id.fence.epoch,
                commit.id.counter,
            ],
        )
        .map(drop)
    }

    fn is_live(&self, eid: u64, record: &Idempotency) -> Result<bool, rusqlite::Error> {
        self.connection
            .prepare_cached("SELECT 1 FROM idempotency WHERE eid = ?1 AND key = ?2 AND expires > ?3")?
            .exists((eid, record.key.as_bytes(), record.recorded))
    }

    /// Writes a record, and drops a few expired ones of anybody, so that their number stays in proportion.
    fn record(&self, commit: &Commit, record: &Idempotency) -> Result<(), rusqlite::Error> {
        self.execute(
            "DELETE FROM idempotency WHERE rid IN (SELECT rid FROM idempotency WHERE expires <= ?1 LIMIT 3)",
            [record.recorded],
        )?;
        self.execute(
            "INSERT OR REPLACE INTO idempotency (eid, key, recorded, expires, answer, epoch, counter)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                commit.reference,
                record.key.as_bytes(),
                record.recorded,
                record.expires,
                &record.answer[..],
                commit.id.fence.epoch,
                commit.id.counter,
            ],
        )
        .map(drop)
    }

    fn snapshot(&self, entity: &EntityKey, snapshot: &Snapshot) -> Result<(), rusqlite::Error> {
        // An entity that no commit wrote has no events to replace.
        let Some(eid) = find_entity(self.connection, entity)? else {
            return Ok(());
        };
        let Payload { type_url, value } = &snapshot.payload;
        self.execute(
            "INSERT INTO snapshots VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                 seq = excluded.seq, type_url = excluded.type_url, payload = excluded.payload,
                 checksum = excluded.checksum WHERE excluded.seq > seq",
            params![
                eid,
                snapshot.sequence,
                type_url,
                &value[..],
                checksum(eid, snapshot.sequence, type_url, value)
            ],
        )
        .map(drop)
    }
}

/// The number of an entity in this file.
pub(crate) fn find_entity(
    connection: &Connection,
    entity: &EntityKey,
) -> Result<Option<u64>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT eid FROM entities WHERE pid = ?1 AND id = ?2")?
        .query_row(
            (entity.persistence_id().as_bytes(), entity.entity_id().as_bytes()),
            |row| row.get(0),
        )
        .optional()
}
