//! The way to write.

use std::future::ready;
use std::sync::Arc;

use cloudstate_store::{
    Batch, BatchVerdict, BoxFuture, Commit, EntityKey, Error, Fence, Held, Lease, LeaseState, Leases,
    OwnerId, ShardId, Tail, Writer,
};

use crate::Memory;

pub(crate) struct MemoryWriter {
    memory: Memory,
}

impl MemoryWriter {
    pub(crate) fn new(memory: Memory) -> MemoryWriter {
        MemoryWriter { memory }
    }
}

impl Writer for MemoryWriter {
    fn take<'a>(
        &'a mut self,
        shards: &'a [ShardId],
        owner: OwnerId,
    ) -> BoxFuture<'a, Result<Vec<Held>, Error>> {
        let mut state = self.memory.lock();
        let mut held = Vec::with_capacity(shards.len());
        for id in shards {
            let Some(shard) = state.shards.get_mut(id.number() as usize) else {
                continue;
            };
            shard.epoch += 1;
            let fence = Fence {
                epoch: shard.epoch,
                owner,
            };
            shard.fence = Some(fence);
            held.push(Held {
                shard: *id,
                fence,
                last: shard.last,
            });
        }
        Box::pin(ready(Ok(held)))
    }

    fn tails<'a>(&'a mut self, entities: &'a [EntityKey]) -> BoxFuture<'a, Result<Vec<Tail>, Error>> {
        let state = self.memory.lock();
        let tail = |key| {
            let entity = state.entities.get(key);
            Tail {
                reference: 0,
                stored: entity.is_some(),
                sequence: entity.map_or(0, |e| e.events.len() as u64),
                version: entity.and_then(|e| e.version()),
            }
        };
        Box::pin(ready(Ok(entities.iter().map(tail).collect())))
    }

    fn commit<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, BatchVerdict> {
        let mut state = self.memory.lock();
        let commits = batch.commits.iter().map(|commit| state.apply(commit)).collect();
        for (entity, snapshot) in &batch.snapshots {
            state.save_snapshot(entity, snapshot);
        }
        for (consumer, shard, offset) in &batch.offsets {
            state.offsets.insert((Arc::clone(consumer), *shard), *offset);
        }
        Box::pin(ready(BatchVerdict {
            commits,
            snapshots: Ok(()),
            offsets: Ok(()),
        }))
    }

    fn find<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        let state = self.memory.lock();
        Box::pin(ready(Ok(commits
            .iter()
            .map(|commit| state.find(commit))
            .collect())))
    }

    fn upkeep(&mut self) {}

    fn close<'a>(&'a mut self) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(ready(Ok(())))
    }
}

impl Leases for Memory {
    fn claim(&self, node: &str, generation: u64) -> BoxFuture<'static, Result<bool, Error>> {
        let mut state = self.lock();
        let newer = state
            .leases
            .get(node)
            .is_none_or(|lease| lease.generation < generation);
        if newer {
            let node: Arc<str> = node.into();
            let lease = Lease {
                node: Arc::clone(&node),
                generation,
                beat: 0,
                state: LeaseState::Live,
            };
            state.leases.insert(node, lease);
        }
        Box::pin(ready(Ok(newer)))
    }

    fn renew(&self, node: &str, generation: u64, beat: u64) -> BoxFuture<'static, Result<bool, Error>> {
        let renewed = self.change_lease(node, generation, |lease| {
            let rises = lease.beat < beat;
            lease.beat = lease.beat.max(beat);
            rises
        });
        Box::pin(ready(Ok(renewed)))
    }

    fn declare_dead(
        &self,
        node: &str,
        generation: u64,
        beat: u64,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        let dead = self.change_lease(node, generation, |lease| {
            let unchanged = lease.beat == beat;
            if unchanged {
                lease.state = LeaseState::Dead;
            }
            unchanged
        });
        Box::pin(ready(Ok(dead)))
    }

    fn list(&self) -> BoxFuture<'static, Result<Vec<Lease>, Error>> {
        Box::pin(ready(Ok(self.lock().leases.values().cloned().collect())))
    }
}

impl Memory {
    /// Changes the lease of a live generation; `false` if there is none.
    fn change_lease(&self, node: &str, generation: u64, change: impl FnOnce(&mut Lease) -> bool) -> bool {
        let mut state = self.lock();
        let lease = state.leases.get_mut(node);
        lease
            .filter(|l| l.generation == generation && l.state == LeaseState::Live)
            .is_some_and(change)
    }
}
