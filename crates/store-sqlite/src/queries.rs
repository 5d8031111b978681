//! What is read, statement by statement. Everything is checked on the way: checksums, gaps, ids.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{
    Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, LogChange, LogEntry, LogPage, Payload,
    Recovery, ShardId, ShardInfo, Snapshot, StoredValue,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{corrupt, failed};
use crate::files::Files;
use crate::schema::stored_layout;
use crate::statements::{checksum, find_entity, stored_fence};

/// The most rows that a page of the log looks at, whether they belong to its shards or not.
const LOG_ROWS: usize = 4096;

/// An attempt may fail in SQLite or by what it finds.
enum Failure {
    Sqlite(rusqlite::Error),
    Corrupt(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

fn read<T>(
    files: &Files,
    attempt: &'static str,
    query: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Error> {
    query().map_err(|failure| match failure {
        Failure::Sqlite(error) => failed(files, attempt, error),
        Failure::Corrupt(reason) => corrupt(files, reason),
    })
}

/// Reads columns (type url, payload, checksum) from `first` on, and verifies them. `None`: the payload is NULL.
fn payload(row: &Row<'_>, first: usize, eid: u64, position: u64) -> Result<Option<Payload>, Failure> {
    let type_url = row.get_ref(first)?.as_str().map_err(rusqlite::Error::from)?;
    let value = row
        .get_ref(first + 1)?
        .as_blob_or_null()
        .map_err(rusqlite::Error::from)?;
    let stored: i64 = row.get(first + 2)?;
    if stored != checksum(eid, position, type_url, value.unwrap_or_default()) {
        let place = format!("the checksum of entity {eid}'s row {position} is wrong");
        return Err(Failure::Corrupt(place));
    }
    Ok(value.map(|value| Payload {
        type_url: type_url.to_owned(),
        value: Bytes::copy_from_slice(value),
    }))
}

/// As [`payload`], where NULL is not allowed.
fn some_payload(row: &Row<'_>, first: usize, eid: u64, position: u64) -> Result<Payload, Failure> {
    payload(row, first, eid, position)?
        .ok_or_else(|| Failure::Corrupt(format!("entity {eid} has an empty row")))
}

fn text(row: &Row<'_>, column: usize) -> Result<String, Failure> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Failure::Corrupt("an id is not text".to_owned()))
}

fn key(row: &Row<'_>, pid: usize, id: usize) -> Result<EntityKey, Failure> {
    EntityKey::new(text(row, pid)?, text(row, id)?).map_err(|invalid| Failure::Corrupt(invalid.to_string()))
}

pub(crate) fn recovery(
    files: &Files,
    connection: &Connection,
    entity: &EntityKey,
    max_bytes: usize,
) -> Result<Recovery, Error> {
    read(files, "reading an entity", || {
        let Some(eid) = find_entity(connection, entity)? else {
            return Ok(Recovery::default());
        };
        let snapshot = newest_snapshot(connection, eid)?;
        let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
        let page = events_after(connection, entity, eid, after, max_bytes)?;
        Ok(Recovery { snapshot, page })
    })
}

pub(crate) fn snapshot(
    files: &Files,
    connection: &Connection,
    entity: &EntityKey,
) -> Result<Option<Snapshot>, Error> {
    read(files, "reading a snapshot", || {
        match find_entity(connection, entity)? {
            Some(eid) => newest_snapshot(connection, eid),
            None => Ok(None),
        }
    })
}

fn newest_snapshot(connection: &Connection, eid: u64) -> Result<Option<Snapshot>, Failure> {
    let mut query =
        connection.prepare_cached("SELECT seq, type_url, payload, checksum FROM snapshots WHERE eid = ?1")?;
    let mut rows = query.query([eid])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let sequence = row.get(0)?;
    Ok(Some(Snapshot {
        sequence,
        payload: some_payload(row, 1, eid, sequence)?,
    }))
}

pub(crate) fn events(
    files: &Files,
    connection: &Connection,
    entity: &EntityKey,
    after: u64,
    max_bytes: usize,
) -> Result<EventPage, Error> {
    read(files, "reading events", || {
        match find_entity(connection, entity)? {
            Some(eid) => events_after(connection, entity, eid, after, max_bytes),
            None => Ok(EventPage::default()),
        }
    })
}

fn events_after(
    connection: &Connection,
    entity: &EntityKey,
    eid: u64,
    after: u64,
    max_bytes: usize,
) -> Result<EventPage, Failure> {
    let mut page = EventPage::default();
    let mut query = connection.prepare_cached(
        "SELECT seq, type_url, payload, checksum FROM events WHERE eid = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = query.query((eid, after))?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let expected = after + 1 + page.events.len() as u64;
        let sequence: u64 = row.get(0)?;
        if sequence != expected {
            let reason = format!("{entity} has no event {expected}, but an event {sequence}");
            return Err(Failure::Corrupt(reason));
        }
        let payload = some_payload(row, 1, eid, sequence)?;
        bytes += payload.size();
        if bytes > max_bytes && !page.events.is_empty() {
            page.more = true;
            break;
        }
        page.events.push((sequence, payload));
    }
    Ok(page)
}

pub(crate) fn value(
    files: &Files,
    connection: &Connection,
    entity: &EntityKey,
) -> Result<Option<StoredValue>, Error> {
    read(files, "reading a value", || {
        let Some(eid) = find_entity(connection, entity)? else {
            return Ok(None);
        };
        let mut query = connection
            .prepare_cached("SELECT ord, type_url, payload, checksum FROM entity_values WHERE eid = ?1")?;
        let mut rows = query.query([eid])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let version = row.get(0)?;
        Ok(payload(row, 1, eid, version)?.map(|payload| StoredValue { payload, version }))
    })
}

pub(crate) fn idempotency(
    files: &Files,
    connection: &Connection,
    entity: &EntityKey,
    key: String,
) -> Result<Option<Idempotency>, Error> {
    read(files, "reading an idempotency record", || {
        let Some(eid) = find_entity(connection, entity)? else {
            return Ok(None);
        };
        let mut query = connection.prepare_cached(
            "SELECT recorded, expires, answer FROM idempotency WHERE eid = ?1 AND key = ?2",
        )?;
        let mut rows = query.query((eid, key.as_bytes()))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let answer = Bytes::copy_from_slice(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?);
        let (recorded, expires) = (row.get(0)?, row.get(1)?);
        Ok(Some(Idempotency {
            key,
            recorded,
            expires,
            answer,
        }))
    })
}

/// One statement, so one state of the file: events and values merged by offset.
const LOG: &str = "
SELECT ord, shard, pid, id, eid, seq, type_url, payload, checksum
    FROM events JOIN entities USING (eid) WHERE ord > ?1
UNION ALL
SELECT ord, shard, pid, id, eid, NULL, type_url, payload, checksum
    FROM entity_values JOIN entities USING (eid) WHERE ord > ?1
ORDER BY 1";

pub(crate) fn log(
    files: &Files,
    connection: &Connection,
    mut cursors: Vec<Cursor>,
    max_bytes: usize,
) -> Result<LogPage, Error> {
    read(files, "reading the log", || {
        let from: HashMap<ShardId, u64> = cursors.iter().map(|c| (c.shard, c.after)).collect();
        let start = from.values().copied().min().unwrap_or(u64::MAX >> 1);
        let mut page = LogPage::default();
        let (mut through, mut bytes, mut looked) = (start, 0, 0);
        let mut query = connection.prepare_cached(LOG)?;
        let mut rows = query.query([start])?;
        while let Some(row) = rows.next()? {
            let (offset, shard) = (row.get(0)?, ShardId::new(row.get(1)?));
            if from.get(&shard).is_some_and(|after| offset > *after) {
                let entry = log_entry(row, shard, offset)?;
                bytes += size(&entry);
                if bytes > max_bytes && !page.entries.is_empty() {
                    page.more = true;
                    break;
                }
                page.entries.push(entry);
            }
            (through, looked) = (offset, looked + 1);
            if looked >= LOG_ROWS {
                page.more = true;
                break;
            }
        }
        cursors
            .iter_mut()
            .for_each(|cursor| cursor.after = cursor.after.max(through));
        page.cursors = cursors;
        Ok(page)
    })
}

fn size(entry: &LogEntry) -> usize {
    match &entry.change {
        LogChange::Event { payload, .. } | LogChange::Put(payload) => payload.size(),
        LogChange::Delete => 0,
    }
}

fn log_entry(row: &Row<'_>, shard: ShardId, offset: u64) -> Result<LogEntry, Failure> {
    let entity = key(row, 2, 3)?;
    let (eid, sequence): (u64, Option<u64>) = (row.get(4)?, row.get(5)?);
    let payload = payload(row, 6, eid, sequence.unwrap_or(offset))?;
    let change = match (sequence, payload) {
        (Some(sequence), Some(payload)) => LogChange::Event { sequence, payload },
        (Some(sequence), None) => {
            return Err(Failure::Corrupt(format!(
                "{entity} has an empty event {sequence}"
            )));
        }
        (None, Some(payload)) => LogChange::Put(payload),
        (None, None) => LogChange::Delete,
    };
    Ok(LogEntry {
        shard,
        offset,
        entity,
        change,
    })
}

pub(crate) fn offsets(files: &Files, connection: &Connection, consumer: &str) -> Result<Vec<Cursor>, Error> {
    read(files, "reading a consumer's offsets", || {
        let mut query = connection.prepare_cached("SELECT shard, ord FROM offsets WHERE consumer = ?1")?;
        let cursor = |row: &Row<'_>| {
            Ok(Cursor {
                shard: ShardId::new(row.get(0)?),
                after: row.get(1)?,
            })
        };
        let cursors: Result<Vec<Cursor>, _> = query.query_map([consumer.as_bytes()], cursor)?.collect();
        Ok(cursors?)
    })
}

pub(crate) fn persistence_ids(
    files: &Files,
    connection: &Connection,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<Arc<str>>, Error> {
    read(files, "listing persistence ids", || {
        // One seek an id, however many entities have it.
        let mut query =
            connection.prepare_cached("SELECT pid FROM entities WHERE pid > ?1 ORDER BY pid LIMIT 1")?;
        let mut ids: Vec<Arc<str>> = Vec::new();
        let mut last = after.unwrap_or_default();
        while ids.len() < limit {
            let mut rows = query.query([last.as_bytes()])?;
            let Some(row) = rows.next()? else { break };
            last = text(row, 0)?;
            ids.push(last.as_str().into());
        }
        Ok(ids)
    })
}

pub(crate) fn entities(
    files: &Files,
    connection: &Connection,
    persistence_id: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<EntityInfo>, Error> {
    read(files, "listing entities", || {
        let mut query = connection.prepare_cached(
            "SELECT pid, id, shard, (SELECT max(seq) FROM events WHERE events.eid = entities.eid),
                 (SELECT seq FROM snapshots WHERE snapshots.eid = entities.eid),
                 (SELECT ord FROM entity_values v WHERE v.eid = entities.eid AND v.payload IS NOT NULL)
             FROM entities WHERE pid = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?;
        let from = after.unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query((persistence_id.as_bytes(), from.as_bytes(), limit))?;
        let mut entities = Vec::new();
        while let Some(row) = rows.next()? {
            entities.push(EntityInfo {
                entity: key(row, 0, 1)?,
                shard: ShardId::new(row.get(2)?),
                sequence: row.get::<_, Option<u64>>(3)?.unwrap_or(0),
                snapshot: row.get(4)?,
                version: row.get(5)?,
            });
        }
        Ok(entities)
    })
}

pub(crate) fn shards(files: &Files, connection: &Connection) -> Result<Vec<ShardInfo>, Error> {
    let count = stored_layout(files, connection)?.map_or(0, |layout| layout.shards);
    read(files, "listing shards", || {
        let fence = stored_fence(connection)?;
        let mut query = connection.prepare_cached("SELECT shard, count(*) FROM entities GROUP BY shard")?;
        let counts: Result<HashMap<u32, u64>, _> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect();
        let counts = counts.optional()?.unwrap_or_default();
        let info = |number| ShardInfo {
            shard: ShardId::new(number),
            epoch: fence.map_or(0, |fence| fence.epoch),
            owner: fence.map(|fence| fence.owner),
            entities: counts.get(&number).copied().unwrap_or(0),
        };
        Ok((0..count).map(info).collect())
    })
}

/// Structure and indexes by SQLite's own check, then every payload by its checksum.
pub(crate) fn verify(files: &Files, connection: &Connection) -> Result<(), Error> {
    read(files, "verifying the store", || {
        let mut check = connection.prepare("PRAGMA integrity_check(5)")?;
        let found: Result<Vec<String>, _> = check.query_map([], |row| row.get(0))?.collect();
        let found = found?;
        if found != ["ok"] {
            return Err(Failure::Corrupt(found.join("; ")));
        }
        for table in [
            "seq, type_url, payload, checksum, eid FROM events",
            "seq, type_url, payload, checksum, eid FROM snapshots",
            "ord, type_url, payload, checksum, eid FROM entity_values",
        ] {
            let mut rows = connection.prepare(&format!("SELECT {table}"))?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                payload(row, 1, row.get(4)?, row.get(0)?)?;
            }
        }
        Ok(())
    })
}
