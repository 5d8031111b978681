//! The way to read: each call is one statement on one of a few connections.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use cloudstate_store::{
    BoxFuture, Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, LogPage, Reader, Recovery,
    ShardInfo, Snapshot, StoredValue,
};

use crate::link::{Link, Shared};
use crate::queries;

/// Reads are pipelined; with a second connection a long one does not hold up all others.
const CONNECTIONS: usize = 2;

pub(crate) struct PostgresReader {
    links: [Arc<Link>; CONNECTIONS],
    next: AtomicUsize,
}

impl PostgresReader {
    pub(crate) fn new(shared: &Arc<Shared>) -> PostgresReader {
        PostgresReader {
            links: std::array::from_fn(|_| Arc::new(Link::new(Arc::clone(shared)))),
            next: AtomicUsize::new(0),
        }
    }

    fn run<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Arc<Link>) -> F,
    ) -> BoxFuture<'static, Result<T, Error>>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let link = &self.links[self.next.fetch_add(1, Relaxed) % CONNECTIONS];
        let answer = link.shared().run(work(Arc::clone(link)));
        Box::pin(async move { answer.await? })
    }
}

impl Reader for PostgresReader {
    fn recovery(&self, entity: &EntityKey, max_bytes: usize) -> BoxFuture<'static, Result<Recovery, Error>> {
        let entity = entity.clone();
        self.run(|link| async move { queries::recovery(&link, &entity, 0, max_bytes, true).await })
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<Snapshot>, Error>> {
        let entity = entity.clone();
        self.run(|link| async move { queries::snapshot(&link, &entity).await })
    }

    fn events(
        &self,
        entity: &EntityKey,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'static, Result<EventPage, Error>> {
        let entity = entity.clone();
        self.run(move |link| async move { queries::events(&link, &entity, after, max_bytes).await })
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<StoredValue>, Error>> {
        let entity = entity.clone();
        self.run(|link| async move { queries::value(&link, &entity).await })
    }

    fn idempotency(
        &self,
        entity: &EntityKey,
        key: &str,
    ) -> BoxFuture<'static, Result<Option<Idempotency>, Error>> {
        let (entity, key) = (entity.clone(), key.to_owned());
        self.run(|link| async move { queries::idempotency(&link, &entity, key).await })
    }

    fn log(&self, cursors: &[Cursor], max_bytes: usize) -> BoxFuture<'static, Result<LogPage, Error>> {
        let cursors = cursors.to_vec();
        self.run(move |link| async move { queries::log(&link, cursors, max_bytes).await })
    }

    fn offsets(&self, consumer: &str) -> BoxFuture<'static, Result<Vec<Cursor>, Error>> {
        let consumer = consumer.to_owned();
        self.run(|link| async move { queries::offsets(&link, &consumer).await })
    }

    fn persistence_ids(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<str>>, Error>> {
        let after = after.unwrap_or_default().to_owned();
        self.run(move |link| async move { queries::persistence_ids(&link, &after, limit).await })
    }

    fn entities(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<EntityInfo>, Error>> {
        let (persistence_id, after) = (persistence_id.to_owned(), after.unwrap_or_default().to_owned());
        self.run(move |link| async move { queries::entities(&link, &persistence_id, &after, limit).await })
    }

    fn shards(&self) -> BoxFuture<'static, Result<Vec<ShardInfo>, Error>> {
        self.run(|link| async move { queries::shards(&link).await })
    }
}
