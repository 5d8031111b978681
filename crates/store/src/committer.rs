//! The one thread that writes: forms batches, hands them to the backend, and answers.

mod resolve;
mod state;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use self::state::{after, check};
use crate::backend::{Batch, BatchVerdict, Held, Tail, Verdict, Writer};
use crate::completion::{self, Handover, Reply};
use crate::queue::{Drained, Pending, PendingOffset, Queue, Waited, lock};
use crate::stats::Counters;
use crate::tails::{Claim, Tails};
use crate::{
    Change, Commit, CommitId, EntityKey, Error, Fence, Options, Outcome, OwnerId, ShardId, block_on, shard_of,
};

/// How long waiters may wait for one of them to wake the others.
const HANDOVER: Duration = Duration::from_millis(1);

pub(crate) struct Committer {
    writer: Box<dyn Writer>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    options: Options,
    owner: OwnerId,
    /// By shard number.
    holds: Vec<Hold>,
    /// Those that are to be taken back, and why they are not.
    lost: Vec<ShardId>,
    lost_by: Option<Error>,
    tails: Tails,
    /// The last offset given out, of all shards.
    offset: u64,
    /// The last number of a commit given out.
    counter: u64,
    /// The number of the batch.
    batch: u64,
    /// Answers of the batch, until it is done.
    answers: Vec<(Reply, Outcome)>,
    /// Waiters of the last batch, woken by one of them, or at last by this one.
    handovers: Vec<Arc<Handover>>,
}

/// A shard, as this committer sees it.
#[derive(Clone, Copy)]
enum Hold {
    /// Taken, with this fence.
    Held(Fence),
    /// Given up to learn a commit's fate; to be taken back.
    Lost,
    /// Taken by another owner.
    Fenced,
}

/// A commit with a place in the batch, and the state that it starts from.
struct Placed {
    pending: Pending,
    tail: Tail,
}

/// Who waits for a commit of the batch, and what the entity looks like if it applies.
struct Waiter {
    reply: Reply,
    then: Tail,
    last: u64,
}

impl Committer {
    pub(crate) fn new(
        writer: Box<dyn Writer>,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
        options: Options,
    ) -> Committer {
        let tails = Tails::new(options.tails.max(4 * options.batch_commits));
        let holds = vec![Hold::Lost; options.shards as usize];
        let owner = OwnerId::random();
        let (offset, counter, batch) = (0, 0, 0);
        let (answers, handovers) = (Vec::new(), Vec::new());
        let (lost, lost_by) = (Vec::new(), None);
        Committer {
            writer,
            queue,
            counters,
            options,
            owner,
            holds,
            lost,
            lost_by,
            tails,
            offset,
            counter,
            batch,
            answers,
            handovers,
        }
    }

    /// Takes shards in a new epoch. What was known of their entities is forgotten: another owner may have written.
    pub(crate) fn take(&mut self, shards: &[ShardId]) -> Result<(), Error> {
        let held = block_on(self.writer.take(shards, self.owner))?;
        self.tails.clear();
        for Held { shard, fence, last } in held {
            if let Some(slot) = self.holds.get_mut(shard.number() as usize) {
                *slot = Hold::Held(fence);
            }
            self.offset = self.offset.max(last);
        }
        Ok(())
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let _last = Abandon(Arc::clone(&self.queue));
        let mut drained = Drained::default();
        while self.wait(&mut drained) {
            self.work(&mut drained);
        }
        self.end();
    }

    /// Writes what waits now, on the thread that calls.
    pub(crate) fn run_now(&mut self, drained: &mut Drained) {
        while self.queue.drain_now(drained) {
            self.work(drained);
            self.finish_handovers();
        }
    }

    /// Writes one batch of what was drained, and answers it.
    fn work(&mut self, drained: &mut Drained) {
        self.take_back();
        let batch = self.place(&mut drained.commits);
        let snapshots = std::mem::take(&mut drained.snapshots);
        let offsets = std::mem::take(&mut drained.offsets);
        self.write(batch, snapshots, offsets);
        self.finish_handovers();
        let answers = std::mem::take(&mut self.answers);
        self.handovers = completion::deliver(answers);
        self.writer.upkeep();
    }

    /// Lets go of the store, and tells those who wait for that.
    pub(crate) fn end(mut self) {
        self.finish_handovers();
        let closed = block_on(self.writer.close());
        // The backend's locks go with the writer; whoever waits for the end may open the store again.
        drop(self.writer);
        for closer in self.queue.closers() {
            let _ = closer.send(closed.clone());
        }
    }

    /// Waits for work; `false`: there will be none. Waiters that are still asleep by then are woken.
    fn wait(&mut self, drained: &mut Drained) -> bool {
        loop {
            let patience = (!self.handovers.is_empty()).then_some(HANDOVER);
            match self.queue.drain(drained, patience) {
                Waited::Work => return true,
                Waited::Quiet => self.finish_handovers(),
                Waited::End => return false,
            }
        }
    }

    fn finish_handovers(&mut self) {
        self.handovers.drain(..).for_each(|handover| handover.finish());
    }

    /// Takes commits off the backlog, as many as go into one batch: within its limits, and one an entity.
    fn place(&mut self, backlog: &mut VecDeque<Pending>) -> Vec<Placed> {
        self.batch += 1;
        let mut chosen: Vec<(Pending, Claim)> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = backlog.front() {
            let full =
                chosen.len() >= self.options.batch_commits || bytes + next.size > self.options.batch_bytes;
            if full && !chosen.is_empty() {
                break;
            }
            let claim = self.tails.claim(&next.write.entity, self.batch);
            if claim == Claim::Taken {
                break;
            }
            bytes += next.size;
            // The front was there a moment ago.
            let Some(pending) = backlog.pop_front() else { break };
            chosen.push((pending, claim));
        }
        self.look_up(&mut chosen);
        let placed = keep_placed(chosen, backlog);
        self.queue
            .release(placed.len(), placed.iter().map(|p| p.pending.size).sum());
        placed
    }

    /// Learns the tails of entities that are not remembered. What cannot be looked up stays [`Claim::Unknown`], and so
    /// goes back to the backlog, unless it was refused.
    fn look_up(&mut self, chosen: &mut Vec<(Pending, Claim)>) {
        let unknown = |(_, claim): &&(Pending, Claim)| *claim == Claim::Unknown;
        let missing: Vec<EntityKey> = chosen
            .iter()
            .filter(unknown)
            .map(|(p, _)| p.write.entity.clone())
            .collect();
        if missing.is_empty() {
            return;
        }
        match block_on(self.writer.tails(&missing)) {
            Ok(tails) => {
                for (entity, tail) in missing.into_iter().zip(tails) {
                    self.tails.learn(entity, tail);
                }
                for (pending, claim) in chosen.iter_mut().filter(|(_, claim)| *claim == Claim::Unknown) {
                    *claim = self.tails.claim(&pending.write.entity, self.batch);
                }
            }
            Err(error) => self.refuse_unknown(chosen, &error),
        }
    }

    fn refuse_unknown(&mut self, chosen: &mut Vec<(Pending, Claim)>, error: &Error) {
        self.note_failure(Some(error));
        let (refused, kept) = std::mem::take(chosen)
            .into_iter()
            .partition(|(_, claim)| *claim == Claim::Unknown);
        *chosen = kept;
        let refused: Vec<(Pending, Claim)> = refused;
        for (pending, _) in refused {
            self.queue.release(1, pending.size);
            self.answer(pending.reply, Outcome::NotApplied(error.clone()));
        }
    }

    /// Writes a batch and answers all of it.
    fn write(
        &mut self,
        placed: Vec<Placed>,
        snapshots: Vec<(EntityKey, crate::Snapshot)>,
        offsets: Vec<PendingOffset>,
    ) {
        let (commits, waiters) = self.number(placed);
        let kept = offsets
            .iter()
            .map(|o| (Arc::clone(&o.consumer), o.shard, o.offset))
            .collect();
        let batch = Batch {
            commits,
            snapshots,
            offsets: kept,
        };
        if batch == Batch::default() {
            return;
        }
        let started = Instant::now();
        let verdict = block_on(self.writer.commit(&batch));
        self.observe(&batch, started.elapsed());
        let BatchVerdict {
            commits,
            snapshots,
            offsets: offsets_kept,
        } = verdict;
        let verdicts = self.resolve(&batch, commits);
        self.answer_all(&batch, waiters, verdicts);
        self.count_snapshots(batch.snapshots.len() as u64, snapshots);
        for pending in offsets {
            let _ = pending.reply.send(offsets_kept.clone());
        }
    }

    /// Checks each commit against its entity's tail and gives it shard, fence, offset and id.
    fn number(&mut self, placed: Vec<Placed>) -> (Vec<Commit>, Vec<Waiter>) {
        let mut commits = Vec::with_capacity(placed.len());
        let mut waiters = Vec::with_capacity(placed.len());
        for Placed {
            pending: Pending { write, reply, .. },
            tail,
        } in placed
        {
            match self.number_one(write, tail) {
                Ok((commit, then, last)) => {
                    commits.push(commit);
                    waiters.push(Waiter { reply, then, last });
                }
                Err(outcome) => self.answer(reply, outcome),
            }
        }
        (commits, waiters)
    }

    fn number_one(&mut self, write: crate::Write, tail: Tail) -> Result<(Commit, Tail, u64), Outcome> {
        let shard = shard_of(&write.entity, self.options.shards);
        let fence = self.fence(shard)?;
        check(&write, &tail)?;
        self.counter += 1;
        let first = self.offset + 1;
        self.offset += write.change.offsets();
        let then = after(&write.change, tail, self.offset);
        let id = CommitId {
            fence,
            counter: self.counter,
        };
        let commit = Commit {
            shard,
            reference: tail.reference,
            stored: tail.stored,
            offset: first,
            id,
            write,
        };
        Ok((commit, then, self.offset))
    }

    fn fence(&self, shard: ShardId) -> Result<Fence, Outcome> {
        match self.holds[shard.number() as usize] {
            Hold::Held(fence) => Ok(fence),
            Hold::Fenced => Err(Outcome::Fenced),
            Hold::Lost => Err(Outcome::NotApplied(self.lost_by.clone().unwrap_or(Error::Closed))),
        }
    }

    fn answer_all(&mut self, batch: &Batch, waiters: Vec<Waiter>, verdicts: Vec<Verdict>) {
        if !batch.commits.is_empty() {
            // Before any answer, so that whoever has one sees the health that belongs to it.
            let failure = verdicts.iter().find_map(|verdict| match verdict {
                Verdict::NotApplied(error) | Verdict::Unknown(error) => Some(error),
                _ => None,
            });
            self.note_failure(failure);
        }
        for ((commit, waiter), verdict) in batch.commits.iter().zip(waiters).zip(verdicts) {
            let outcome = match verdict {
                Verdict::Applied => {
                    self.tails.advance(&commit.write.entity, waiter.then);
                    self.count_applied(&commit.write.change);
                    Outcome::Applied { offset: waiter.last }
                }
                Verdict::Fenced => {
                    self.holds[commit.shard.number() as usize] = Hold::Fenced;
                    Outcome::Fenced
                }
                Verdict::Conflict => {
                    self.tails.forget(&commit.write.entity);
                    Outcome::Conflict
                }
                Verdict::NotApplied(error) => Outcome::NotApplied(error),
                Verdict::Unknown(_) => Outcome::Unknown,
            };
            self.answer(waiter.reply, outcome);
        }
    }

    fn answer(&mut self, reply: Reply, outcome: Outcome) {
        let counter = match &outcome {
            Outcome::Applied { .. } => &self.counters.applied,
            Outcome::Fenced => &self.counters.fenced,
            Outcome::Conflict => &self.counters.conflicts,
            Outcome::Unknown => &self.counters.unknown,
            Outcome::NotApplied(_) => &self.counters.failed,
        };
        counter.fetch_add(1, Relaxed);
        self.answers.push((reply, outcome));
    }

    fn observe(&self, batch: &Batch, elapsed: Duration) {
        if batch.commits.is_empty() {
            return;
        }
        self.counters.batch_commits.observe(batch.commits.len() as u64);
        self.counters.commit_us.observe_time(elapsed);
        if let Some(sync) = self.writer.last_sync() {
            self.counters.sync_us.observe_time(sync);
        }
    }

    fn count_applied(&self, change: &Change) {
        if let Change::Events(events) = change {
            self.counters.events.fetch_add(events.len() as u64, Relaxed);
        }
        self.counters.bytes.fetch_add(change.size() as u64, Relaxed);
    }

    fn count_snapshots(&self, count: u64, written: Result<(), Error>) {
        match written {
            _ if count == 0 => {}
            Ok(()) => {
                self.counters.snapshots.fetch_add(count, Relaxed);
            }
            Err(error) => {
                self.counters.snapshots_lost.fetch_add(count, Relaxed);
                tracing::warn!(%error, count, "snapshots were not saved; events will be replayed instead");
            }
        }
    }

    /// Logs and keeps a change of the store's health.
    fn note_failure(&self, failure: Option<&Error>) {
        let mut failing = lock(&self.counters.failing);
        match (failure, failing.is_some()) {
            (Some(error), false) => tracing::error!(%error, "the store fails"),
            (None, true) => tracing::info!("the store works again"),
            _ => {}
        }
        *failing = failure.map(ToString::to_string);
    }
}

/// Keeps the commits that have a place; from the first other one on, all wait for the next batch, so that order holds.
fn keep_placed(chosen: Vec<(Pending, Claim)>, backlog: &mut VecDeque<Pending>) -> Vec<Placed> {
    let mut placed = Vec::with_capacity(chosen.len());
    let mut later = Vec::new();
    for (pending, claim) in chosen {
        match claim {
            Claim::Granted(tail) if later.is_empty() => placed.push(Placed { pending, tail }),
            _ => later.push(pending),
        }
    }
    for pending in later.into_iter().rev() {
        backlog.push_front(pending);
    }
    placed
}

/// Answers whoever still waits when the committer ends, by a panic too.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
