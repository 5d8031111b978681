//! What waits for the committer: bounded, and shared with every thread that commits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::completion::Reply;
use crate::{EntityKey, Error, Options, Outcome, ShardId, Snapshot, Write};

/// Locks, also after a panic elsewhere: no section under these locks leaves its data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A commit that waits, and who waits for it.
pub(crate) struct Pending {
    pub(crate) write: Write,
    pub(crate) size: usize,
    pub(crate) reply: Reply,
}

/// A consumer's offset that waits to be kept.
pub(crate) struct PendingOffset {
    pub(crate) consumer: Arc<str>,
    pub(crate) shard: ShardId,
    pub(crate) offset: u64,
    pub(crate) reply: oneshot::Sender<Result<(), Error>>,
}

/// Everything that waited at one moment.
#[derive(Default)]
pub(crate) struct Drained {
    pub(crate) commits: VecDeque<Pending>,
    pub(crate) snapshots: Vec<(EntityKey, Snapshot)>,
    pub(crate) offsets: Vec<PendingOffset>,
}

/// How waiting for work ended.
pub(crate) enum Waited {
    /// There is some.
    Work,
    /// There was none for a while.
    Quiet,
    /// There is none and never will be.
    End,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limits: Options,
}

#[derive(Default)]
struct State {
    commits: VecDeque<Pending>,
    /// Commits accepted and not yet in a batch, those that the committer has drained included; so the limits hold for
    /// both together.
    waiting: usize,
    bytes: usize,
    snapshots: HashMap<EntityKey, Snapshot>,
    snapshot_bytes: usize,
    offsets: Vec<PendingOffset>,
    /// Only a sleeping committer needs a wake-up, which is a system call.
    sleeping: bool,
    closed: bool,
    /// The committer is gone.
    ended: bool,
    closers: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl State {
    fn drain(&mut self, into: &mut Drained) -> bool {
        if into.commits.is_empty() {
            std::mem::swap(&mut into.commits, &mut self.commits);
        } else {
            into.commits.append(&mut self.commits);
        }
        into.snapshots.extend(self.snapshots.drain());
        self.snapshot_bytes = 0;
        into.offsets.append(&mut self.offsets);
        !(into.commits.is_empty() && into.snapshots.is_empty() && into.offsets.is_empty())
    }
}

impl Queue {
    pub(crate) fn new(limits: Options) -> Queue {
        Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            limits,
        }
    }

    /// Accepts a commit in order of call, or answers why not; says whether it accepted.
    pub(crate) fn push(&self, pending: Pending) -> bool {
        let mut state = lock(&self.state);
        if let Some(refusal) = self.refusal(&state, pending.size) {
            drop(state);
            pending.reply.send(Outcome::NotApplied(refusal));
            return false;
        }
        state.waiting += 1;
        state.bytes += pending.size;
        state.commits.push_back(pending);
        self.rouse(state);
        true
    }

    fn refusal(&self, state: &State, size: usize) -> Option<Error> {
        let (waiting, bytes) = (state.waiting, state.bytes);
        // A single commit above the limit in bytes is let through when nothing else waits.
        let heavy = waiting > 0 && bytes + size > self.limits.queue_bytes;
        if state.closed {
            Some(Error::Closed)
        } else if waiting >= self.limits.queue_commits || heavy {
            Some(Error::Overloaded { waiting, bytes })
        } else {
            None
        }
    }

    /// Accepts a snapshot; a newer one of the same entity replaces one that waits. `false`: there is no room.
    pub(crate) fn push_snapshot(&self, entity: EntityKey, snapshot: Snapshot) -> bool {
        let mut state = lock(&self.state);
        let (old_size, old_sequence) = match state.snapshots.get(&entity) {
            Some(old) => (old.payload.size(), Some(old.sequence)),
            None => (0, None),
        };
        if old_sequence.is_some_and(|old| old >= snapshot.sequence) {
            return true;
        }
        let bytes = state.snapshot_bytes - old_size + snapshot.payload.size();
        let crowded = old_sequence.is_none() && state.snapshots.len() >= self.limits.queue_snapshots;
        if state.closed || crowded || bytes > self.limits.queue_snapshot_bytes {
            return false;
        }
        state.snapshot_bytes = bytes;
        state.snapshots.insert(entity, snapshot);
        self.rouse(state);
        true
    }

    /// Accepts a consumer's offset, or says why not.
    pub(crate) fn push_offset(&self, pending: PendingOffset) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Error::Closed);
        }
        if state.offsets.len() >= self.limits.queue_commits {
            return Err(Error::Overloaded {
                waiting: state.offsets.len(),
                bytes: 0,
            });
        }
        state.offsets.push(pending);
        self.rouse(state);
        Ok(())
    }

    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        let sleeping = std::mem::take(&mut state.sleeping);
        drop(state);
        if sleeping {
            self.wake.notify_one();
        }
    }

    /// Moves what waits into `into`. If nothing waits there either, sleeps until something does, or as long as the
    /// patience says.
    pub(crate) fn drain(&self, into: &mut Drained, patience: Option<Duration>) -> Waited {
        let mut state = lock(&self.state);
        loop {
            if state.drain(into) {
                return Waited::Work;
            }
            if state.closed {
                return Waited::End;
            }
            state.sleeping = true;
            let Some(patience) = patience else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, result) = self
                .wake
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if result.timed_out() && state.sleeping {
                state.sleeping = false;
                return Waited::Quiet;
            }
        }
    }

    /// Moves what waits into `into`. `false`: nothing waits there either.
    pub(crate) fn drain_now(&self, into: &mut Drained) -> bool {
        lock(&self.state).drain(into)
    }

    /// Gives back the room of commits that went into a batch.
    pub(crate) fn release(&self, commits: usize, bytes: usize) {
        let mut state = lock(&self.state);
        state.waiting -= commits;
        state.bytes -= bytes;
    }

    /// Commits and bytes that wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.waiting, state.bytes)
    }

    /// Accepts nothing more. What waits is still written; `closer` hears when that is done.
    pub(crate) fn close(&self, closer: Option<oneshot::Sender<Result<(), Error>>>) {
        let mut state = lock(&self.state);
        state.closed = true;
        if !state.ended {
            state.closers.extend(closer);
        }
        self.rouse(state);
    }

    /// Those who wait for the end.
    pub(crate) fn closers(&self) -> Vec<oneshot::Sender<Result<(), Error>>> {
        std::mem::take(&mut lock(&self.state).closers)
    }

    /// Drops what waits, after the committer's end: no one will write it.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        let abandoned = std::mem::take(&mut *state);
        (state.closed, state.ended) = (true, true);
        drop(state);
        for pending in abandoned.commits {
            pending.reply.send(Outcome::NotApplied(Error::Closed));
        }
        for pending in abandoned.offsets {
            let _ = pending.reply.send(Err(Error::Closed));
        }
    }
}
