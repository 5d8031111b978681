//! The handle that the runtime holds.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::committer::Committer;
use crate::completion::{self, CommitFuture};
use crate::queue::{Drained, Pending, PendingOffset, Queue, lock};
use crate::stats::Counters;
use crate::{
    Backend, Cause, Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, Layout, Leases, LogPage,
    Options, Reader, Recovery, ShardId, ShardInfo, Snapshot, Stats, StoredValue, Write, shard_of,
};

/// An open store. Clones share it; it may be used from any thread.
///
/// Commits go through one bounded queue to one thread, which writes all that wait in one transaction; with an instant
/// backend, to whoever commits. Dropping the last
/// clone writes what still waits, and ends that thread; [`Store::close`] also waits for it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// Lives as long as its reader and leases are in use.
    backend: Arc<dyn Backend>,
    shards: u32,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    reader: Arc<dyn Reader>,
    leases: Arc<dyn Leases>,
    /// The committer of an instant backend, which has no thread; `None` inside once the store is closed.
    instant: Option<Mutex<Option<Instant>>>,
}

/// A committer without a thread, and what it has drained.
struct Instant {
    committer: Committer,
    drained: Drained,
}

impl Inner {
    fn all_shards(&self) -> Vec<ShardId> {
        (0..self.shards).map(ShardId::new).collect()
    }

    /// Writes what waits, if nobody else will.
    fn write_now(&self) {
        if let Some(instant) = &self.instant
            && let Some(Instant { committer, drained }) = &mut *lock(instant)
        {
            committer.run_now(drained);
        }
    }

    fn close(&self, closer: Option<oneshot::Sender<Result<(), Error>>>) {
        self.queue.close(closer);
        self.write_now();
        let instant = self.instant.as_ref().and_then(|instant| lock(instant).take());
        if let Some(Instant { committer, .. }) = instant {
            committer.end();
            self.queue.abandon();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close(None);
    }
}

impl Store {
    /// Takes all shards of a backend's store in a new epoch, and starts the committer's thread.
    ///
    /// # Errors
    /// The store was made with another layout, cannot be written, or no thread can be started.
    pub async fn open(backend: Arc<dyn Backend>, options: Options) -> Result<Store, Error> {
        let wanted = Layout::of(options.shards.max(1));
        let stored = backend.layout(&wanted)?;
        if stored != wanted {
            return Err(Error::Layout {
                store: backend.name().to_owned(),
                stored,
                wanted,
            });
        }
        let options = Options {
            shards: wanted.shards,
            ..options
        };
        let (queue, counters) = (
            Arc::new(Queue::new(options.clone())),
            Arc::new(Counters::default()),
        );
        let writer = backend.writer()?;
        let mut inner = Inner {
            shards: options.shards,
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            reader: backend.reader(),
            leases: backend.leases(),
            instant: None,
            backend,
        };
        let mut committer = Committer::new(writer, queue, counters, options);
        if inner.backend.is_instant() {
            committer.take(&inner.all_shards())?;
            let drained = Drained::default();
            inner.instant = Some(Mutex::new(Some(Instant { committer, drained })));
        } else {
            start(committer, &inner).await?;
        }
        Ok(Store {
            inner: Arc::new(inner),
        })
    }

    /// How the user names the store, for messages.
    pub fn name(&self) -> &str {
        self.inner.backend.name()
    }

    /// The shard of an entity in this store.
    pub fn shard_of(&self, entity: &EntityKey) -> ShardId {
        shard_of(entity, self.inner.shards)
    }

    /// Asks for a commit. It has its place in the order when this returns, so calls of one thread keep theirs; it is
    /// durable when the future says so. Dropping the future changes nothing about the commit.
    ///
    /// A full queue answers [`Error::Overloaded`] at once.
    pub fn commit(&self, write: Write) -> CommitFuture {
        let (reply, future) = completion::slot();
        let size = write.size();
        if !self.inner.queue.push(Pending { write, size, reply }) {
            self.inner.counters.shed.fetch_add(1, Relaxed);
        }
        self.inner.write_now();
        future
    }

    /// The newest snapshot of an entity and a page of the events after it, of about `max_bytes`.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn recovery(&self, entity: &EntityKey, max_bytes: usize) -> Result<Recovery, Error> {
        self.inner.reader.recovery(entity, max_bytes).await
    }

    /// The newest snapshot of an entity.
    ///
    /// # Errors
    /// The store cannot be read, or what it holds is damaged; the same for all reads.
    pub async fn snapshot(&self, entity: &EntityKey) -> Result<Option<Snapshot>, Error> {
        self.inner.reader.snapshot(entity).await
    }

    /// A page of an entity's events with sequences above `after`, of about `max_bytes` and at least one event.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn events(&self, entity: &EntityKey, after: u64, max_bytes: usize) -> Result<EventPage, Error> {
        self.inner.reader.events(entity, after, max_bytes).await
    }

    /// The value of an entity.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn value(&self, entity: &EntityKey) -> Result<Option<StoredValue>, Error> {
        self.inner.reader.value(entity).await
    }

    /// What a command with this key was answered. The caller compares its clock with `expires`.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn idempotency(&self, entity: &EntityKey, key: &str) -> Result<Option<Idempotency>, Error> {
        self.inner.reader.idempotency(entity, key).await
    }

    /// Saves a snapshot some time soon, at best effort: it never blocks, a newer one of the same entity replaces one that
    /// still waits, and if too many wait it is dropped. Losses are logged and counted. To be called once the events
    /// that it includes are committed.
    pub fn save_snapshot(&self, entity: &EntityKey, snapshot: Snapshot) {
        if !self.inner.queue.push_snapshot(entity.clone(), snapshot) {
            self.inner.counters.snapshots_lost.fetch_add(1, Relaxed);
            tracing::debug!(%entity, "snapshot dropped: too many wait to be written");
        }
        self.inner.write_now();
    }

    /// A page of the logs of some shards, for projections.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn log(&self, cursors: &[Cursor], max_bytes: usize) -> Result<LogPage, Error> {
        self.inner.reader.log(cursors, max_bytes).await
    }

    /// How far a consumer has read, of the shards where it has read anything.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn offsets(&self, consumer: &str) -> Result<Vec<Cursor>, Error> {
        self.inner.reader.offsets(consumer).await
    }

    /// Keeps how far a consumer has read; durable when the future is ready.
    ///
    /// # Errors
    /// The store is closed, overloaded, or fails; then the old offset or the new one is kept.
    pub async fn put_offset(&self, consumer: &str, cursor: Cursor) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let (shard, offset) = (cursor.shard, cursor.after);
        self.inner.queue.push_offset(PendingOffset {
            consumer: consumer.into(),
            shard,
            offset,
            reply,
        })?;
        self.inner.write_now();
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Persistence ids in byte order, above `after`, at most `limit`.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn persistence_ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<Arc<str>>, Error> {
        self.inner.reader.persistence_ids(after, limit).await
    }

    /// Entities of a persistence id in byte order of their ids, above `after`, at most `limit`.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn entities(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<EntityInfo>, Error> {
        self.inner.reader.entities(persistence_id, after, limit).await
    }

    /// All shards.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub async fn shards(&self) -> Result<Vec<ShardInfo>, Error> {
        self.inner.reader.shards().await
    }

    /// The node leases.
    pub fn leases(&self) -> &Arc<dyn Leases> {
        &self.inner.leases
    }

    /// What was done since the store was opened.
    pub fn stats(&self) -> Stats {
        let (waiting, bytes) = self.inner.queue.depth();
        Stats {
            queued: waiting as u64,
            queued_bytes: bytes as u64,
            ..self.inner.counters.read()
        }
    }

    /// Accepts nothing more, writes what waits, and lets go of the store. Closing twice is fine.
    ///
    /// # Errors
    /// The backend could not tidy up. What was answered as applied is durable nonetheless.
    pub async fn close(&self) -> Result<(), Error> {
        let (closer, closed) = oneshot::channel();
        self.inner.close(Some(closer));
        // No answer: the committer had ended before.
        closed.await.unwrap_or(Ok(()))
    }
}

/// Starts the committer's thread, and waits until it has taken all shards.
async fn start(mut committer: Committer, inner: &Inner) -> Result<(), Error> {
    let shards = inner.all_shards();
    let (ready, taken) = oneshot::channel();
    let work = move || {
        let result = committer.take(&shards);
        let go_on = result.is_ok();
        if ready.send(result).is_ok() && go_on {
            committer.run();
        }
    };
    let failed = |cause: Cause| Error::Failed {
        store: inner.backend.name().to_owned(),
        attempt: "starting its thread",
        cause,
    };
    std::thread::Builder::new()
        .name("store-committer".to_owned())
        .spawn(work)
        .map_err(|cause| failed(Arc::new(cause)))?;
    taken.await.unwrap_or_else(|gone| Err(failed(Arc::new(gone))))
}
