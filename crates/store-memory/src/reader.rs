//! The way to read.

use std::future::ready;
use std::ops::Bound;
use std::sync::Arc;

use cloudstate_store::{
    BoxFuture, Cursor, EntityInfo, EntityKey, Error, EventPage, Idempotency, LogChange, LogPage, Reader,
    Recovery, ShardId, ShardInfo, Snapshot, StoredValue, shard_of,
};

use crate::Memory;
use crate::state::{Entity, State};

impl Reader for Memory {
    fn recovery(&self, entity: &EntityKey, max_bytes: usize) -> BoxFuture<'static, Result<Recovery, Error>> {
        let state = self.lock();
        answer(
            state
                .entities
                .get(entity)
                .map_or_else(Recovery::default, |stored| {
                    let after = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
                    Recovery {
                        snapshot: stored.snapshot.clone(),
                        page: events(stored, after, max_bytes),
                    }
                }),
        )
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<Snapshot>, Error>> {
        answer(self.lock().entities.get(entity).and_then(|e| e.snapshot.clone()))
    }

    fn events(
        &self,
        entity: &EntityKey,
        after: u64,
        max_bytes: usize,
    ) -> BoxFuture<'static, Result<EventPage, Error>> {
        answer(
            self.lock()
                .entities
                .get(entity)
                .map(|e| events(e, after, max_bytes))
                .unwrap_or_default(),
        )
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<'static, Result<Option<StoredValue>, Error>> {
        let state = self.lock();
        let value = state.entities.get(entity).and_then(|e| e.value.as_ref());
        answer(value.and_then(|v| {
            Some(StoredValue {
                payload: v.payload.clone()?,
                version: v.offset,
            })
        }))
    }

    fn idempotency(
        &self,
        entity: &EntityKey,
        key: &str,
    ) -> BoxFuture<'static, Result<Option<Idempotency>, Error>> {
        answer(
            self.lock()
                .entities
                .get(entity)
                .and_then(|e| e.record(key).cloned()),
        )
    }

    fn log(&self, cursors: &[Cursor], max_bytes: usize) -> BoxFuture<'static, Result<LogPage, Error>> {
        answer(log(&self.lock(), cursors, max_bytes))
    }

    fn offsets(&self, consumer: &str) -> BoxFuture<'static, Result<Vec<Cursor>, Error>> {
        let state = self.lock();
        let own = state.offsets.iter().filter(|((name, _), _)| &**name == consumer);
        answer(
            own.map(|((_, shard), after)| Cursor {
                shard: *shard,
                after: *after,
            })
            .collect(),
        )
    }

    fn persistence_ids(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Arc<str>>, Error>> {
        let state = self.lock();
        let mut ids: Vec<Arc<str>> = state
            .entities
            .keys()
            .map(|key| Arc::clone(key.persistence_id()))
            .collect();
        ids.dedup();
        ids.retain(|id| after.is_none_or(|after| &**id > after));
        ids.truncate(limit);
        answer(ids)
    }

    fn entities(
        &self,
        persistence_id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<EntityInfo>, Error>> {
        let state = self.lock();
        let from = after.and_then(|after| EntityKey::new(persistence_id, after).ok());
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let own = state.entities.range((from, Bound::Unbounded));
        let own = own.filter(|(key, _)| &**key.persistence_id() == persistence_id);
        answer(
            own.take(limit)
                .map(|(key, entity)| info(key, entity, state.shards.len() as u32))
                .collect(),
        )
    }

    fn shards(&self) -> BoxFuture<'static, Result<Vec<ShardInfo>, Error>> {
        let state = self.lock();
        let count = state.shards.len() as u32;
        let mut shards: Vec<ShardInfo> = (0..count)
            .zip(&state.shards)
            .map(|(number, shard)| ShardInfo {
                shard: ShardId::new(number),
                epoch: shard.epoch,
                owner: shard.fence.map(|fence| fence.owner),
                entities: 0,
            })
            .collect();
        for key in state.entities.keys() {
            shards[shard_of(key, count).number() as usize].entities += 1;
        }
        answer(shards)
    }
}

fn answer<T: Send + 'static>(answer: T) -> BoxFuture<'static, Result<T, Error>> {
    Box::pin(ready(Ok(answer)))
}

fn events(entity: &Entity, after: u64, max_bytes: usize) -> EventPage {
    let skip = usize::try_from(after).unwrap_or(usize::MAX);
    let mut page = EventPage::default();
    let mut bytes = 0;
    for (index, (payload, _)) in entity.events.iter().enumerate().skip(skip) {
        bytes += payload.size();
        if bytes > max_bytes && !page.events.is_empty() {
            page.more = true;
            break;
        }
        page.events.push((index as u64 + 1, payload.clone()));
    }
    page
}

fn log(state: &State, cursors: &[Cursor], max_bytes: usize) -> LogPage {
    let mut page = LogPage {
        cursors: cursors.to_vec(),
        ..LogPage::default()
    };
    let mut bytes = 0;
    for cursor in &mut page.cursors {
        for entry in state.log(cursor.shard, cursor.after) {
            bytes += match &entry.change {
                LogChange::Event { payload, .. } | LogChange::Put(payload) => payload.size(),
                LogChange::Delete => 0,
            };
            if bytes > max_bytes && !page.entries.is_empty() {
                page.more = true;
                return page;
            }
            cursor.after = entry.offset;
            page.entries.push(entry);
        }
    }
    page
}

fn info(key: &EntityKey, entity: &Entity, shards: u32) -> EntityInfo {
    EntityInfo {
        entity: key.clone(),
        shard: shard_of(key, shards),
        sequence: entity.events.len() as u64,
        snapshot: entity.snapshot.as_ref().map(|s| s.sequence),
        version: entity.version(),
    }
}
