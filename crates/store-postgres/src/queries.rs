//! What is read, one statement a page. Everything is checked on the way: checksums, gaps, ids.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{
    Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, LogChange, LogEntry, LogPage, OwnerId,
    Payload, Recovery, ShardId, ShardInfo, Snapshot, StoredValue,
};
use tokio_postgres::Row;

use crate::error::corrupt;
use crate::link::{Link, Params};
use crate::rows::{Raw, checksum, int, long};

/// The most rows of a page, however small they are.
const ROWS: i64 = 1024;

/// A payload is sent only if it fits into the page, or is its first; the row after the page comes without, and tells that there
/// is more.
const RECOVERY: &str = "
WITH e AS MATERIALIZED (SELECT shard, eid FROM entities WHERE pid = $1 AND id = $2),
     s AS MATERIALIZED (SELECT seq, type_url, payload, checksum FROM snapshots
          WHERE $5 AND shard = (SELECT shard FROM e) AND eid = (SELECT eid FROM e)),
     p AS (SELECT seq, type_url, payload, checksum, octet_length(type_url) + octet_length(payload) AS size FROM events
          WHERE shard = (SELECT shard FROM e) AND eid = (SELECT eid FROM e)
              AND seq > coalesce((SELECT seq FROM s), $3) ORDER BY seq LIMIT $6),
     w AS (SELECT *, row_number() OVER (ORDER BY seq) AS n, sum(size) OVER (ORDER BY seq) AS total FROM p)
SELECT true, seq, type_url, payload, checksum FROM s
UNION ALL
SELECT false, seq, type_url, CASE WHEN n = 1 OR total <= $4 THEN payload END, checksum FROM w
    WHERE n <= 2 OR total - size <= $4
ORDER BY 1 DESC, 2";

const SNAPSHOT: &str = "
SELECT seq, type_url, payload, checksum FROM snapshots
WHERE (shard, eid) = (SELECT shard, eid FROM entities WHERE pid = $1 AND id = $2)";

const VALUE: &str = "
SELECT ord, type_url, payload, checksum FROM entity_values
WHERE (shard, eid) = (SELECT shard, eid FROM entities WHERE pid = $1 AND id = $2)";

const IDEMPOTENCY: &str = "
SELECT recorded, expires, answer FROM idempotency
WHERE (shard, eid) = (SELECT shard, eid FROM entities WHERE pid = $1 AND id = $2) AND key = $3";

/// The page is in the order of all offsets; what counts is that each shard is in order.
const LOG: &str = "
WITH l AS (
    SELECT l.*, octet_length(type_url) + coalesce(octet_length(payload), 0) AS size
    FROM unnest($1::int4[], $2::int8[]) AS c (shard, after) CROSS JOIN LATERAL (
        (SELECT shard, ord, eid, seq, type_url, payload, checksum FROM events
            WHERE shard = c.shard AND ord > c.after ORDER BY ord LIMIT $4)
        UNION ALL
        (SELECT shard, ord, eid, NULL, type_url, payload, checksum FROM entity_values
            WHERE shard = c.shard AND ord > c.after ORDER BY ord LIMIT $4)
        ORDER BY ord LIMIT $4) l),
     w AS (SELECT *, row_number() OVER o AS n, sum(size) OVER o AS total FROM l WINDOW o AS (ORDER BY ord, shard))
SELECT w.shard, ord, pid, id, seq, type_url, CASE WHEN n = 1 OR total <= $3 THEN payload END, checksum,
       n > 1 AND total > $3 AS cut
FROM w CROSS JOIN LATERAL (SELECT pid, id FROM entities e WHERE e.shard = w.shard AND e.eid = w.eid OFFSET 0) e
WHERE n <= 2 OR total - size <= $3 ORDER BY ord, shard";

/// One seek an id, however many entities have it.
const PERSISTENCE_IDS: &str = "
WITH RECURSIVE p (pid, n) AS (
    (SELECT pid, 1::int8 FROM entities WHERE pid > $1 ORDER BY pid LIMIT 1)
    UNION ALL
    SELECT (SELECT pid FROM entities WHERE pid > p.pid ORDER BY pid LIMIT 1), n + 1 FROM p
        WHERE p.pid IS NOT NULL AND n < $2)
SELECT pid FROM p WHERE pid IS NOT NULL ORDER BY pid";

const ENTITIES: &str = "
SELECT e.pid, e.id, e.shard, coalesce((SELECT max(seq) FROM events v WHERE v.shard = e.shard AND v.eid = e.eid), 0),
       (SELECT seq FROM snapshots s WHERE s.shard = e.shard AND s.eid = e.eid),
       (SELECT ord FROM entity_values v WHERE v.shard = e.shard AND v.eid = e.eid AND v.payload IS NOT NULL)
FROM entities e WHERE e.pid = $1 AND e.id > $2 ORDER BY e.id LIMIT $3";

const SHARDS: &str = "
SELECT s.shard, s.epoch, s.owner, (SELECT count(*) FROM entities e WHERE e.shard = s.shard) FROM shards s ORDER BY s.shard";

/// What a row says that cannot be.
struct Bad(String);

impl From<tokio_postgres::Error> for Bad {
    fn from(error: tokio_postgres::Error) -> Bad {
        Bad(error.to_string())
    }
}

fn checked<T>(link: &Link, read: impl FnOnce() -> Result<T, Bad>) -> Result<T, Error> {
    read().map_err(|Bad(reason)| corrupt(link.shared().name(), reason))
}

fn number(row: &Row, column: usize) -> Result<u64, Bad> {
    Ok(row.try_get::<_, i64>(column)?.cast_unsigned())
}

fn shard(row: &Row, column: usize) -> Result<ShardId, Bad> {
    Ok(ShardId::new(row.try_get::<_, i32>(column)?.cast_unsigned()))
}

fn text(bytes: &[u8]) -> Result<String, Bad> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Bad("an id is not text".to_owned()))
}

/// Reads columns (type URL, payload, checksum) from `first` on, and verifies them. `None`: the payload is NULL.
fn payload(row: &Row, first: usize, entity: &EntityKey, position: u64) -> Result<Option<Payload>, Bad> {
    let (type_url, value): (&[u8], Option<&[u8]>) = (row.try_get(first)?, row.try_get(first + 1)?);
    let stored: i64 = row.try_get(first + 2)?;
    if stored != checksum(entity, position, type_url, value.unwrap_or_default()) {
        return Err(Bad(format!("the checksum of {entity}'s row {position} is wrong")));
    }
    let type_url = text(type_url)?;
    Ok(value.map(|value| Payload {
        type_url,
        value: Bytes::copy_from_slice(value),
    }))
}

/// As [`payload`], where NULL is not allowed.
fn some_payload(row: &Row, first: usize, entity: &EntityKey, position: u64) -> Result<Payload, Bad> {
    payload(row, first, entity, position)?.ok_or_else(|| Bad(format!("{entity} has an empty row {position}")))
}

fn ids(entity: &EntityKey) -> (Raw, Raw) {
    (Raw::copy(entity.persistence_id()), Raw::copy(entity.entity_id()))
}

/// Rows of an entity.
async fn of(
    link: &Link,
    attempt: &'static str,
    sql: &str,
    entity: &EntityKey,
    more: Params<'_>,
) -> Result<Vec<Row>, Error> {
    let (pid, id) = ids(entity);
    let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&pid, &id];
    params.extend(more);
    link.read(attempt, sql, &params).await
}

/// The events after `after`, or after the snapshot if there is one and it is wanted.
pub(crate) async fn recovery(
    link: &Link,
    entity: &EntityKey,
    after: u64,
    max_bytes: usize,
    with_snapshot: bool,
) -> Result<Recovery, Error> {
    let bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    let more: Params<'_> = &[&long(after), &bytes, &with_snapshot, &(ROWS + 1)];
    let rows = of(link, "reading an entity", RECOVERY, entity, more).await?;
    checked(link, || {
        let (mut recovery, mut last) = (Recovery::default(), after);
        for row in &rows {
            let sequence = number(row, 1)?;
            if row.try_get::<_, bool>(0)? {
                let payload = some_payload(row, 2, entity, sequence)?;
                recovery.snapshot = Some(Snapshot { sequence, payload });
                last = sequence;
                continue;
            }
            if sequence != last + 1 {
                let missing = last + 1;
                return Err(Bad(format!(
                    "{entity} has no event {missing}, but an event {sequence}"
                )));
            }
            let cut = row.try_get::<_, Option<&[u8]>>(3)?.is_none();
            if cut || recovery.page.events.len() as i64 >= ROWS {
                recovery.page.more = true;
                break;
            }
            let payload = some_payload(row, 2, entity, sequence)?;
            recovery.page.events.push((sequence, payload));
            last = sequence;
        }
        Ok(recovery)
    })
}

pub(crate) async fn events(
    link: &Link,
    entity: &EntityKey,
    after: u64,
    max_bytes: usize,
) -> Result<EventPage, Error> {
    Ok(recovery(link, entity, after, max_bytes, false).await?.page)
}

pub(crate) async fn snapshot(link: &Link, entity: &EntityKey) -> Result<Option<Snapshot>, Error> {
    let rows = of(link, "reading a snapshot", SNAPSHOT, entity, &[]).await?;
    checked(link, || {
        let Some(row) = rows.first() else { return Ok(None) };
        let sequence = number(row, 0)?;
        let payload = some_payload(row, 1, entity, sequence)?;
        Ok(Some(Snapshot { sequence, payload }))
    })
}

pub(crate) async fn value(link: &Link, entity: &EntityKey) -> Result<Option<StoredValue>, Error> {
    let rows = of(link, "reading a value", VALUE, entity, &[]).await?;
    checked(link, || {
        let Some(row) = rows.first() else { return Ok(None) };
        let version = number(row, 0)?;
        Ok(payload(row, 1, entity, version)?.map(|payload| StoredValue { payload, version }))
    })
}

pub(crate) async fn idempotency(
    link: &Link,
    entity: &EntityKey,
    key: String,
) -> Result<Option<Idempotency>, Error> {
    let more: Params<'_> = &[&key.as_bytes()];
    let rows = of(link, "reading an idempotency record", IDEMPOTENCY, entity, more).await?;
    checked(link, || {
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Idempotency {
            key,
            recorded: number(row, 0)?,
            expires: number(row, 1)?,
            answer: Bytes::copy_from_slice(row.try_get(2)?),
        }))
    })
}

pub(crate) async fn log(link: &Link, mut cursors: Vec<Cursor>, max_bytes: usize) -> Result<LogPage, Error> {
    let each = (ROWS / i64::try_from(cursors.len().max(1)).unwrap_or(ROWS)).max(16);
    let shards: Vec<i32> = cursors.iter().map(|c| int(c.shard)).collect();
    let after: Vec<i64> = cursors.iter().map(|c| long(c.after)).collect();
    let bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    let rows = link
        .read("reading the log", LOG, &[&shards, &after, &bytes, &each])
        .await?;
    checked(link, || {
        let mut page = LogPage::default();
        let mut read: HashMap<ShardId, (u64, i64)> = HashMap::new();
        for row in &rows {
            if row.try_get(8)? {
                page.more = true;
                break;
            }
            let entry = log_entry(row)?;
            let (through, count) = read.entry(entry.shard).or_default();
            (*through, *count) = (entry.offset, *count + 1);
            // A shard that filled its share may have more.
            page.more |= *count >= each;
            page.entries.push(entry);
        }
        for cursor in &mut cursors {
            cursor.after = read
                .get(&cursor.shard)
                .map_or(cursor.after, |(through, _)| *through);
        }
        page.cursors = cursors;
        Ok(page)
    })
}

fn log_entry(row: &Row) -> Result<LogEntry, Bad> {
    let (shard, offset) = (shard(row, 0)?, number(row, 1)?);
    let entity = EntityKey::new(text(row.try_get(2)?)?, text(row.try_get(3)?)?);
    let entity = entity.map_err(|invalid| Bad(invalid.to_string()))?;
    let sequence: Option<i64> = row.try_get(4)?;
    let change = match sequence.map(i64::cast_unsigned) {
        Some(sequence) => LogChange::Event {
            sequence,
            payload: some_payload(row, 5, &entity, sequence)?,
        },
        None => payload(row, 5, &entity, offset)?.map_or(LogChange::Delete, LogChange::Put),
    };
    Ok(LogEntry {
        shard,
        offset,
        entity,
        change,
    })
}

pub(crate) async fn offsets(link: &Link, consumer: &str) -> Result<Vec<Cursor>, Error> {
    let sql = "SELECT shard, ord FROM offsets WHERE consumer = $1";
    let rows = link
        .read("reading a consumer's offsets", sql, &[&consumer.as_bytes()])
        .await?;
    checked(link, || {
        rows.iter()
            .map(|row| {
                Ok(Cursor {
                    shard: shard(row, 0)?,
                    after: number(row, 1)?,
                })
            })
            .collect()
    })
}

pub(crate) async fn persistence_ids(link: &Link, after: &str, limit: usize) -> Result<Vec<Arc<str>>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let params: Params<'_> = &[&after.as_bytes(), &limit];
    let rows = link
        .read("listing persistence ids", PERSISTENCE_IDS, params)
        .await?;
    checked(link, || {
        rows.iter().map(|row| Ok(text(row.try_get(0)?)?.into())).collect()
    })
}

pub(crate) async fn entities(
    link: &Link,
    persistence_id: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<EntityInfo>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let params: Params<'_> = &[&persistence_id.as_bytes(), &after.as_bytes(), &limit];
    let rows = link.read("listing entities", ENTITIES, params).await?;
    checked(link, || rows.iter().map(entity_info).collect())
}

fn entity_info(row: &Row) -> Result<EntityInfo, Bad> {
    let entity = EntityKey::new(text(row.try_get(0)?)?, text(row.try_get(1)?)?);
    let optional = |column| Ok::<_, Bad>(row.try_get::<_, Option<i64>>(column)?.map(i64::cast_unsigned));
    Ok(EntityInfo {
        entity: entity.map_err(|invalid| Bad(invalid.to_string()))?,
        shard: shard(row, 2)?,
        sequence: number(row, 3)?,
        snapshot: optional(4)?,
        version: optional(5)?,
    })
}

pub(crate) async fn shards(link: &Link) -> Result<Vec<ShardInfo>, Error> {
    let rows = link.read("listing shards", SHARDS, &[]).await?;
    let info = |row: &Row| {
        // No bytes: it was never taken.
        let owner: &[u8] = row.try_get(2)?;
        Ok(ShardInfo {
            shard: shard(row, 0)?,
            epoch: number(row, 1)?,
            owner: owner.try_into().ok().map(OwnerId),
            entities: number(row, 3)?,
        })
    };
    checked(link, || rows.iter().map(info).collect())
}
