//! The way to read: each call is one job of the pool, and one short read transaction a statement.

use std::sync::Arc;

use cloudstate_store::{
    BoxFuture, Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, LogPage, Reader, Recovery,
    ShardInfo, Snapshot, StoredValue,
};

use crate::files::Files;
use crate::pool::Pool;
use crate::queries;

pub(crate) struct SqliteReader {
    pool: Pool,
}

impl SqliteReader {
    pub(crate) fn new(files: Arc<Files>) -> SqliteReader {
        SqliteReader {
            pool: Pool::new(files, Files::connect_read_only),
        }
    }
}

impl Reader for SqliteReader {
    fn recovery(&self, entity: &EntityKey, max_bytes: usize) -> BoxFuture<'static, Result<Recovery, Error>> {
        let entity = entity.clone();
        self.pool
            .run(move |files, connection| queries::recovery(files, connection, &entity, max_bytes))
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<Snapshot>, Error>> {
        let entity = entity.clone();
        self.pool
            .run(move |files, connection| queries::snapshot(files, connection, &entity))
    }

    fn events(
        &self,
        entity: &EntityKey,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'static, Result<EventPage, Error>> {
        let entity = entity.clone();
        self.pool
            .run(move |files, connection| queries::events(files, connection, &entity, after, max_bytes))
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<StoredValue>, Error>> {
        let entity = entity.clone();
        self.pool
            .run(move |files, connection| queries::value(files, connection, &entity))
    }

    fn idempotency(
        &self,
        entity: &EntityKey,
        key: &str,
    ) -> BoxFuture<'static, Result<Option<Idempotency>, Error>> {
        let (entity, key) = (entity.clone(), key.to_owned());
        self.pool
            .run(move |files, connection| queries::idempotency(files, connection, &entity, key))
    }

    fn log(&self, cursors: &[Cursor], max_bytes: usize) -> BoxFuture<'static, Result<LogPage, Error>> {
        let cursors = cursors.to_vec();
        self.pool
            .run(move |files, connection| queries::log(files, connection, cursors, max_bytes))
    }

    fn offsets(&self, consumer: &str) -> BoxFuture<'static, Result<Vec<Cursor>, Error>> {
        let consumer = consumer.to_owned();
        self.pool
            .run(move |files, connection| queries::offsets(files, connection, &consumer))
    }

    fn persistence_ids(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<str>>, Error>> {
        let after = after.map(str::to_owned);
        self.pool
            .run(move |files, connection| queries::persistence_ids(files, connection, after, limit))
    }

    fn entities(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<EntityInfo>, Error>> {
        let (persistence_id, after) = (persistence_id.to_owned(), after.map(str::to_owned));
        self.pool.run(move |files, connection| {
            queries::entities(files, connection, &persistence_id, after.as_deref(), limit)
        })
    }

    fn shards(&self) -> BoxFuture<'static, Result<Vec<ShardInfo>, Error>> {
        self.pool
            .run(|files, connection| queries::shards(files, connection))
    }
}
