//! The committer's connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudstate_store::{
    Batch, BatchVerdict, BoxFuture, Change, Commit, EntityKey, Error, Fence, Held, OwnerId, ShardId, Tail,
    Verdict, Writer,
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::checkpoint::Checkpoints;
use crate::error::{corrupt, failed, is_full};
use crate::files::{Files, LockFile};
use crate::schema::stored_layout;
use crate::statements::{Rows, find_entity, stored_fence};

pub(crate) struct SqliteWriter {
    files: Arc<Files>,
    connection: Connection,
    checkpoints: Checkpoints,
    /// The number that the next new entity gets.
    next_entity: u64,
    /// A commit failed in a way that leaves its fate open: the connection is not to be trusted further.
    suspect: bool,
    /// The time of the last COMMIT, which writes the log and syncs it; of a failed one too.
    last_sync: Option<Duration>,
    /// Released last: fields are dropped in this order.
    _lock: Arc<LockFile>,
}

impl SqliteWriter {
    pub(crate) fn new(files: Arc<Files>, connection: Connection, lock: Arc<LockFile>) -> SqliteWriter {
        let checkpoints = Checkpoints::new(Arc::clone(&files));
        SqliteWriter {
            files,
            connection,
            checkpoints,
            next_entity: 0,
            suspect: false,
            last_sync: None,
            _lock: lock,
        }
    }

    fn take_all(&mut self, owner: OwnerId) -> Result<Vec<Held>, Error> {
        if self.suspect {
            self.connection = self.files.connect()?;
            self.suspect = false;
        }
        let shards = stored_layout(&self.files, &self.connection)?.map_or(0, |layout| layout.shards);
        let taken = raise_epoch(&mut self.connection, owner);
        let (epoch, last, next) = taken.map_err(|error| failed(&self.files, "taking the store", error))?;
        self.next_entity = next;
        let fence = Fence { epoch, owner };
        Ok((0..shards)
            .map(|number| Held {
                shard: ShardId::new(number),
                fence,
                last,
            })
            .collect())
    }

    fn tail(&mut self, entity: &EntityKey) -> Result<Tail, rusqlite::Error> {
        let Some(eid) = find_entity(&self.connection, entity)? else {
            self.next_entity += 1;
            let reference = self.next_entity - 1;
            return Ok(Tail {
                reference,
                stored: false,
                sequence: 0,
                version: None,
            });
        };
        let mut last = self
            .connection
            .prepare_cached("SELECT max(seq) FROM events WHERE eid = ?1")?;
        let sequence: Option<u64> = last.query_row([eid], |row| row.get(0))?;
        let mut value = self
            .connection
            .prepare_cached("SELECT ord FROM entity_values WHERE eid = ?1 AND payload IS NOT NULL")?;
        let version = value.query_row([eid], |row| row.get(0)).optional()?;
        Ok(Tail {
            reference: eid,
            stored: true,
            sequence: sequence.unwrap_or(0),
            version,
        })
    }

    fn write(&mut self, batch: &Batch) -> BatchVerdict {
        match self.try_write(batch) {
            Ok(commits) => BatchVerdict {
                commits,
                snapshots: Ok(()),
                offsets: Ok(()),
            },
            Err(failure) => {
                if let Verdict::Unknown(_) = failure {
                    self.suspect = true;
                }
                BatchVerdict::all(batch, &failure)
            }
        }
    }

    fn try_write(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Verdict> {
        self.execute("BEGIN IMMEDIATE")
            .map_err(|error| self.not_applied("starting to write", error))?;
        let written = self.write_rows(batch);
        let verdicts = written.map_err(|error| {
            self.roll_back();
            Verdict::NotApplied(error)
        })?;
        let started = Instant::now();
        let committed = self.execute("COMMIT");
        self.last_sync = Some(started.elapsed());
        if let Err(error) = committed {
            self.roll_back();
            return Err(self.commit_failed(error));
        }
        Ok(verdicts)
    }

    fn write_rows(&self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        let fence = stored_fence(&self.connection);
        let fence = fence.map_err(|error| failed(&self.files, "reading the store's owner", error))?;
        Rows::new(&self.files, &self.connection)?.batch(batch, fence)
    }

    /// What a failed COMMIT means. SQLite has given the transaction up, but its last frame may be whole in the log, and then
    /// a recovery after a crash would bring it back: unknown, until the log is written over. Only "no room" comes from
    /// the write of a frame itself, so that the frame which commits is not whole: known not applied.
    fn commit_failed(&self, error: rusqlite::Error) -> Verdict {
        let full = is_full(&error);
        let error = failed(&self.files, "committing", error);
        if full {
            Verdict::NotApplied(error)
        } else {
            Verdict::Unknown(error)
        }
    }

    fn not_applied(&self, attempt: &'static str, error: rusqlite::Error) -> Verdict {
        if !self.connection.is_autocommit() {
            self.roll_back();
        }
        Verdict::NotApplied(failed(&self.files, attempt, error))
    }

    fn roll_back(&self) {
        // SQLite rolls back by itself after some errors; then there is nothing to do.
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, store = self.files.name(), "cannot roll back");
        }
    }

    fn execute(&self, statement: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(statement)?.execute([]).map(drop)
    }

    fn is_there(&self, commit: &Commit) -> Result<bool, rusqlite::Error> {
        let (epoch, counter) = (commit.id.fence.epoch, commit.id.counter);
        let row = match commit.write.change {
            Change::Events(_) => "SELECT 1 FROM events WHERE ord = ?1 AND epoch = ?2 AND counter = ?3",
            Change::Put(_) | Change::Delete => {
                "SELECT 1 FROM entity_values WHERE ord = ?1 AND epoch = ?2 AND counter = ?3"
            }
            Change::None => {
                let record = "SELECT 1 FROM idempotency WHERE eid = ?1 AND epoch = ?2 AND counter = ?3";
                return self
                    .connection
                    .prepare_cached(record)?
                    .exists((commit.reference, epoch, counter));
            }
        };
        self.connection
            .prepare_cached(row)?
            .exists((commit.offset, epoch, counter))
    }
}

/// Makes `owner` the owner of the file. Answers the epoch, the last offset used, and a number for the next new entity.
fn raise_epoch(connection: &mut Connection, owner: OwnerId) -> Result<(u64, u64, u64), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch = stored_fence(&transaction)?.map_or(0, |fence| fence.epoch) + 1;
    transaction.execute("INSERT INTO epochs VALUES (?1, ?2)", (epoch, owner.0))?;
    let last = "SELECT max(coalesce((SELECT max(ord) FROM events), 0), coalesce((SELECT max(ord) FROM entity_values), 0),
                           coalesce((SELECT high FROM deployment), 0))";
    let last = transaction.query_row(last, [], |row| row.get(0))?;
    let next = transaction.query_row("SELECT coalesce(max(eid), 0) + 1 FROM entities", [], |row| {
        row.get(0)
    })?;
    transaction.commit()?;
    Ok((epoch, last, next))
}

impl Writer for SqliteWriter {
    fn take<'a>(
        &'a mut self,
        _shards: &'a [ShardId],
        owner: OwnerId,
    ) -> BoxFuture<'a, Result<Vec<Held>, Error>> {
        Box::pin(async move { self.take_all(owner) })
    }

    fn tails<'a>(&'a mut self, entities: &'a [EntityKey]) -> BoxFuture<'a, Result<Vec<Tail>, Error>> {
        Box::pin(async move {
            let tails: Result<Vec<Tail>, _> = entities.iter().map(|entity| self.tail(entity)).collect();
            tails.map_err(|error| failed(&self.files, "looking an entity up", error))
        })
    }

    fn commit<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, BatchVerdict> {
        Box::pin(async move {
            self.last_sync = None;
            let verdict = self.write(batch);
            self.checkpoints.written(batch);
            verdict
        })
    }

    fn last_sync(&self) -> Option<Duration> {
        self.last_sync
    }

    fn find<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        Box::pin(async move {
            let found: Result<Vec<bool>, _> = commits.iter().map(|commit| self.is_there(commit)).collect();
            found.map_err(|error| failed(&self.files, "looking for a commit", error))
        })
    }

    fn upkeep(&mut self) {
        self.checkpoints.bound(&self.connection);
    }

    fn close<'a>(&'a mut self) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.checkpoints.end();
            let done = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            match done {
                Ok(_) => Ok(()),
                Err(error) if self.connection.is_autocommit() => {
                    Err(failed(&self.files, "the last checkpoint", error))
                }
                Err(error) => Err(corrupt(
                    &self.files,
                    format!("closed inside a transaction: {error}"),
                )),
            }
        })
    }
}
