//! The committer's connections.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{
    Batch, BatchVerdict, BoxFuture, Commit, EntityKey, Error, Fence, Held, OwnerId, ShardId, Snapshot, Tail,
    Verdict, Writer, shard_of,
};
use futures_util::future::{join, join_all};
use tokio_postgres::Row;

use crate::error::{Failure, corrupt};
use crate::link::{Link, Shared};
use crate::rows::{Fences, Raw, Rows, checksum, int, long};
use crate::schema::stored_layout;
use crate::statements::{Written, write, write_offsets};

pub(crate) struct PostgresWriter {
    shared: Arc<Shared>,
    /// A shard's commits take the connection of its number, so that they arrive in order.
    links: Vec<Arc<Link>>,
    /// By shard number, as taken.
    fences: HashMap<ShardId, Fence>,
    shards: u32,
    /// The number that the next new entity gets. Unique in each shard of this writer.
    next_entity: u64,
}

/// What goes over one connection.
struct Part {
    /// With their places in the batch.
    commits: Vec<(usize, Commit)>,
    snapshots: Vec<(EntityKey, Snapshot)>,
    offsets: Offsets,
}

#[derive(Default)]
struct Offsets {
    fences: Fences,
    consumers: Vec<Raw>,
    shards: Vec<i32>,
    ords: Vec<i64>,
}

/// What became of a part.
struct Done {
    commits: Vec<(usize, Verdict)>,
    snapshots: Result<(), Error>,
    offsets: Result<(), Error>,
}

/// Another owner has a shard.
#[derive(Debug, thiserror::Error)]
#[error("another process has taken the shard")]
struct Taken;

const TAKE: &str = "
WITH mine AS (SELECT shard FROM shards WHERE shard = ANY ($1::int4[]) ORDER BY shard FOR NO KEY UPDATE)
UPDATE shards s SET epoch = s.epoch + 1, owner = $2 FROM mine WHERE s.shard = mine.shard RETURNING s.shard, s.epoch";

/// In a statement after the take: only that one sees what those wrote that it had to wait for.
const LAST: &str = "
SELECT s, greatest((SELECT max(ord) FROM events e WHERE e.shard = s), (SELECT max(ord) FROM entity_values v WHERE v.shard = s),
                   (SELECT max(ord) FROM idempotency i WHERE i.shard = s), 0),
       coalesce((SELECT max(eid) FROM entities e WHERE e.shard = s), 0)
FROM unnest($1::int4[]) AS s";

const TAILS: &str = "
SELECT a.n, e.eid, coalesce((SELECT max(seq) FROM events v WHERE v.shard = e.shard AND v.eid = e.eid), 0),
       (SELECT ord FROM entity_values v WHERE v.shard = e.shard AND v.eid = e.eid AND v.payload IS NOT NULL)
FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS a (pid, id, n)
    CROSS JOIN LATERAL (SELECT shard, eid FROM entities e WHERE e.pid = a.pid AND e.id = a.id OFFSET 0) e";

const FIND: &str = "
SELECT a.n FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[]) WITH ORDINALITY AS a (shard, ord, epoch, counter, n)
WHERE EXISTS (SELECT FROM events e WHERE e.shard = a.shard AND e.ord = a.ord AND e.epoch = a.epoch AND e.counter = a.counter)
   OR EXISTS (SELECT FROM entity_values v
              WHERE v.shard = a.shard AND v.ord = a.ord AND v.epoch = a.epoch AND v.counter = a.counter)
   OR EXISTS (SELECT FROM idempotency i
              WHERE i.shard = a.shard AND i.ord = a.ord AND i.epoch = a.epoch AND i.counter = a.counter)";

const SNAPSHOTS: &str = "
INSERT INTO snapshots (shard, eid, seq, type_url, payload, checksum)
SELECT e.shard, e.eid, a.seq, a.type_url, a.payload, a.checksum
FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::bytea[], $5::bytea[], $6::int8[]) AS a (pid, id, seq, type_url, payload, checksum)
    CROSS JOIN LATERAL (SELECT shard, eid FROM entities e WHERE e.pid = a.pid AND e.id = a.id OFFSET 0) e
ON CONFLICT (shard, eid) DO UPDATE SET seq = excluded.seq, type_url = excluded.type_url, payload = excluded.payload,
    checksum = excluded.checksum WHERE excluded.seq > snapshots.seq";

/// A few expired records of these shards, so that their number stays in proportion. Never the newest of a shard: it tells which offsets
/// were used.
const EXPIRED: &str = "
DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
    SELECT i.ctid FROM unnest($1::int4[], $2::int8[]) AS a (shard, recorded) CROSS JOIN LATERAL (
        SELECT ctid FROM idempotency i WHERE i.shard = a.shard AND i.expires <= a.recorded
            AND i.ord < (SELECT max(ord) FROM idempotency m WHERE m.shard = a.shard) LIMIT 3) i))";

impl PostgresWriter {
    pub(crate) fn new(shared: Arc<Shared>) -> PostgresWriter {
        let links = (0..shared.options().connections()).map(|_| Arc::new(Link::new(Arc::clone(&shared))));
        PostgresWriter {
            links: links.collect(),
            shared,
            fences: HashMap::new(),
            shards: 0,
            next_entity: 0,
        }
    }

    fn link(&self, shard: ShardId) -> usize {
        shard.number() as usize % self.links.len()
    }

    /// Runs work over the first connection, on the thread of the connections.
    async fn first<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<Link>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.shared.run(work(Arc::clone(&self.links[0]))).await?
    }

    async fn take_shards(&mut self, shards: &[ShardId], owner: OwnerId) -> Result<Vec<Held>, Error> {
        let numbers: Vec<i32> = shards.iter().copied().map(int).collect();
        let (count, taken) = self.first(|link| take(link, numbers, owner)).await?;
        self.shards = count;
        for (held, eid) in &taken {
            self.fences.insert(held.shard, held.fence);
            self.next_entity = self.next_entity.max(eid + 1);
        }
        Ok(taken.into_iter().map(|(held, _)| held).collect())
    }

    async fn look_up(&mut self, entities: &[EntityKey]) -> Result<Vec<Tail>, Error> {
        let pids: Vec<Raw> = entities.iter().map(|e| Raw::copy(e.persistence_id())).collect();
        let ids: Vec<Raw> = entities.iter().map(|e| Raw::copy(e.entity_id())).collect();
        let rows = self
            .first(|link| async move { link.read("looking entities up", TAILS, &[&pids, &ids]).await })
            .await?;
        let mut tails = vec![None; entities.len()];
        for row in rows {
            let (place, tail) = tail(&row).map_err(|error| self.unreadable(&error))?;
            if let Some(slot) = tails.get_mut(place) {
                *slot = Some(tail);
            }
        }
        Ok(tails
            .into_iter()
            .map(|tail| tail.unwrap_or_else(|| self.unknown()))
            .collect())
    }

    fn unreadable(&self, error: &tokio_postgres::Error) -> Error {
        corrupt(self.shared.name(), error.to_string())
    }

    /// The tail of an entity that the store does not know.
    fn unknown(&mut self) -> Tail {
        self.next_entity += 1;
        Tail {
            reference: self.next_entity - 1,
            stored: false,
            sequence: 0,
            version: None,
        }
    }

    /// What goes over each connection.
    fn split(&self, batch: &Batch) -> Vec<Part> {
        let empty = || Part {
            commits: Vec::new(),
            snapshots: Vec::new(),
            offsets: Offsets::default(),
        };
        let mut parts: Vec<Part> = self.links.iter().map(|_| empty()).collect();
        for (place, commit) in batch.commits.iter().enumerate() {
            parts[self.link(commit.shard)]
                .commits
                .push((place, commit.clone()));
        }
        for (entity, snapshot) in &batch.snapshots {
            let link = self.link(shard_of(entity, self.shards));
            parts[link].snapshots.push((entity.clone(), snapshot.clone()));
        }
        // The last of each consumer and shard, as a statement changes a row once.
        let latest: HashMap<_, _> = batch
            .offsets
            .iter()
            .map(|(consumer, shard, ord)| ((consumer, shard), ord))
            .collect();
        for ((consumer, shard), ord) in latest {
            let offsets = &mut parts[self.link(*shard)].offsets;
            if let Some(fence) = self.fences.get(shard) {
                offsets.fences.add(*shard, *fence);
            }
            offsets.consumers.push(Raw::copy(consumer));
            offsets.shards.push(int(*shard));
            offsets.ords.push(long(*ord));
        }
        parts
    }

    async fn write(&mut self, batch: &Batch) -> BatchVerdict {
        let running = self
            .split(batch)
            .into_iter()
            .zip(&self.links)
            .map(|(part, link)| {
                let link = Arc::clone(link);
                self.shared.run(async move { part.write(&link).await })
            });
        let running: Vec<_> = running.collect();
        let lost = Verdict::Unknown(Error::Closed);
        let mut verdict = BatchVerdict::all(batch, &lost);
        (verdict.snapshots, verdict.offsets) = (Ok(()), Ok(()));
        for done in join_all(running).await {
            match done {
                Ok(done) => {
                    for (place, one) in done.commits {
                        verdict.commits[place] = one;
                    }
                    verdict.snapshots = verdict.snapshots.and(done.snapshots);
                    verdict.offsets = verdict.offsets.and(done.offsets);
                }
                Err(error) => {
                    (verdict.snapshots, verdict.offsets) = (Err(error.clone()), Err(error));
                }
            }
        }
        verdict
    }
}

async fn take(link: Arc<Link>, shards: Vec<i32>, owner: OwnerId) -> Result<(u32, Vec<(Held, u64)>), Error> {
    let store = link.shared().name();
    let id = Raw(Bytes::copy_from_slice(&owner.0));
    let taken = link.read("taking shards", TAKE, &[&shards, &id]).await?;
    let epochs: HashMap<i32, i64> = taken
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, tokio_postgres::Error>>()
        .map_err(|error| corrupt(store, error.to_string()))?;
    let last = link.read("reading the ends of shards", LAST, &[&shards]).await?;
    let held = |row: &Row| -> Result<Option<(Held, u64)>, tokio_postgres::Error> {
        let (shard, last, eid): (i32, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Some(epoch) = epochs.get(&shard) else {
            return Ok(None);
        };
        let held = Held {
            shard: ShardId::new(shard.cast_unsigned()),
            fence: Fence {
                epoch: epoch.cast_unsigned(),
                owner,
            },
            last: last.cast_unsigned(),
        };
        Ok(Some((held, eid.cast_unsigned())))
    };
    let mut all = Vec::with_capacity(shards.len());
    for row in &last {
        let held = held(row).map_err(|error| corrupt(store, error.to_string()))?;
        all.push(held.ok_or_else(|| corrupt(store, "a shard has no row"))?);
    }
    let layout = stored_layout(&link).await?;
    Ok((layout.map_or(1, |layout| layout.shards), all))
}

fn tail(row: &Row) -> Result<(usize, Tail), tokio_postgres::Error> {
    let (place, eid, sequence): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let version: Option<i64> = row.try_get(3)?;
    let tail = Tail {
        reference: eid.cast_unsigned(),
        stored: true,
        sequence: sequence.cast_unsigned(),
        version: version.map(i64::cast_unsigned),
    };
    Ok((usize::try_from(place - 1).unwrap_or(usize::MAX), tail))
}

async fn find(link: Arc<Link>, commits: Vec<Commit>) -> Result<Vec<bool>, Error> {
    let shards: Vec<i32> = commits.iter().map(|c| int(c.shard)).collect();
    let ords: Vec<i64> = commits.iter().map(|c| long(c.offset)).collect();
    let epochs: Vec<i64> = commits.iter().map(|c| long(c.id.fence.epoch)).collect();
    let counters: Vec<i64> = commits.iter().map(|c| long(c.id.counter)).collect();
    let rows = link
        .read("looking for commits", FIND, &[&shards, &ords, &epochs, &counters])
        .await?;
    let mut found = vec![false; commits.len()];
    for row in rows {
        let place: Result<i64, _> = row.try_get(0);
        let place = place.ok().and_then(|place| usize::try_from(place - 1).ok());
        if let Some(slot) = place.and_then(|place| found.get_mut(place)) {
            *slot = true;
        }
    }
    Ok(found)
}

impl Part {
    /// Commits first; what may fail without harm follows on the same connection.
    async fn write(self, link: &Link) -> Done {
        let commits = write_commits(link, &self.commits).await;
        let (snapshots, offsets) =
            join(write_snapshots(link, &self.snapshots), self.offsets.write(link)).await;
        Done {
            commits,
            snapshots,
            offsets,
        }
    }
}

impl Offsets {
    async fn write(&self, link: &Link) -> Result<(), Error> {
        if self.shards.is_empty() {
            return Ok(());
        }
        let (store, attempt) = (link.shared().name(), "keeping consumers' offsets");
        let held = write_offsets(link, &self.fences, &self.consumers, &self.shards, &self.ords).await;
        let held = held.map_err(|failure| failure.into_error(store, attempt))?;
        let mut wanted = self.shards.clone();
        wanted.sort_unstable();
        wanted.dedup();
        if held == wanted.len() {
            return Ok(());
        }
        Err(Error::Failed {
            store: store.to_owned(),
            attempt,
            cause: Arc::new(Taken),
        })
    }
}

async fn write_commits(link: &Link, commits: &[(usize, Commit)]) -> Vec<(usize, Verdict)> {
    if commits.is_empty() {
        return Vec::new();
    }
    let rows = Rows::of(commits.iter().map(|(_, commit)| commit));
    let verdicts = match write(link, &rows).await {
        Ok(written) => verdicts(commits, &written),
        // One row's fault; the statement was undone. The others go without it.
        Err(failure) if failure.is_of_a_row() && commits.len() > 1 => {
            let mut verdicts = Vec::with_capacity(commits.len());
            for commit in commits {
                verdicts.extend(Box::pin(write_commits(link, std::slice::from_ref(commit))).await);
            }
            return verdicts;
        }
        Err(failure) => {
            let verdict = refusal(link, commits, failure);
            vec![verdict; commits.len()]
        }
    };
    expire(link, &rows).await;
    commits.iter().map(|(place, _)| *place).zip(verdicts).collect()
}

fn verdicts(commits: &[(usize, Commit)], written: &Written) -> Vec<Verdict> {
    let verdict = |(number, (_, commit)): (i32, &(usize, Commit))| {
        if !written.shards.contains(&int(commit.shard)) {
            Verdict::Fenced
        } else if written.live.contains(&number) {
            Verdict::Conflict
        } else {
            Verdict::Applied
        }
    };
    (0..).zip(commits).map(verdict).collect()
}

fn refusal(link: &Link, commits: &[(usize, Commit)], failure: Failure) -> Verdict {
    let duplicate = failure.is_duplicate();
    let verdict = failure.into_verdict(link.shared().name(), "committing");
    if duplicate && let (Verdict::NotApplied(error), [(_, commit)]) = (&verdict, commits) {
        // The committer knew the entity's tail, and its fence holds: somebody else writes these tables.
        tracing::error!(%error, entity = %commit.write.entity, "a row is there that should not be");
        return Verdict::Conflict;
    }
    verdict
}

async fn expire(link: &Link, rows: &Rows) {
    let records = &rows.records;
    if records.commits.is_empty() {
        return;
    }
    if let Err(failure) = link.query(EXPIRED, &[&records.shards, &records.recorded]).await {
        let error = failure.into_error(link.shared().name(), "removing expired idempotency records");
        tracing::debug!(%error, "they are removed later");
    }
}

async fn write_snapshots(link: &Link, snapshots: &[(EntityKey, Snapshot)]) -> Result<(), Error> {
    if snapshots.is_empty() {
        return Ok(());
    }
    let payload = |(_, snapshot): &(EntityKey, Snapshot)| Raw(snapshot.payload.value.clone());
    let checked = |(entity, snapshot): &(EntityKey, Snapshot)| {
        let payload = &snapshot.payload;
        checksum(
            entity,
            snapshot.sequence,
            payload.type_url.as_bytes(),
            &payload.value,
        )
    };
    let pids: Vec<Raw> = snapshots
        .iter()
        .map(|(e, _)| Raw::copy(e.persistence_id()))
        .collect();
    let ids: Vec<Raw> = snapshots.iter().map(|(e, _)| Raw::copy(e.entity_id())).collect();
    let seqs: Vec<i64> = snapshots.iter().map(|(_, s)| long(s.sequence)).collect();
    let type_urls: Vec<Raw> = snapshots
        .iter()
        .map(|(_, s)| Raw::copy(&s.payload.type_url))
        .collect();
    let payloads: Vec<Raw> = snapshots.iter().map(payload).collect();
    let checksums: Vec<i64> = snapshots.iter().map(checked).collect();
    let params: crate::link::Params<'_> = &[&pids, &ids, &seqs, &type_urls, &payloads, &checksums];
    link.read("writing snapshots", SNAPSHOTS, params).await.map(drop)
}

impl Writer for PostgresWriter {
    fn take<'a>(
        &'a mut self,
        shards: &'a [ShardId],
        owner: OwnerId,
    ) -> BoxFuture<'a, Result<Vec<Held>, Error>> {
        Box::pin(self.take_shards(shards, owner))
    }

    fn tails<'a>(&'a mut self, entities: &'a [EntityKey]) -> BoxFuture<'a, Result<Vec<Tail>, Error>> {
        Box::pin(self.look_up(entities))
    }

    fn commit<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, BatchVerdict> {
        Box::pin(self.write(batch))
    }

    fn find<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        let commits = commits.to_vec();
        Box::pin(self.first(|link| find(link, commits)))
    }

    fn upkeep(&mut self) {}

    fn close<'a>(&'a mut self) -> BoxFuture<'a, Result<(), Error>> {
        self.links.clear();
        Box::pin(async { Ok(()) })
    }
}
