//! A backend that fails on purpose between the committer and a real one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use cloudstate_store::{
    Backend, Batch, BatchVerdict, BoxFuture, Commit, EntityKey, Error, Held, Layout, Leases, OwnerId, Reader,
    ShardId, Tail, Verdict, Writer,
};

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The batch is written, and the answer is lost.
    LoseAnswer,
    /// The batch is lost on its way, and so is the answer.
    LoseBatch,
    /// The batch stays on its way, and arrives after the next take-over.
    Delay,
    /// Nothing can be written, and that is known.
    Refuse,
}

#[derive(Default)]
struct Plan {
    batches: VecDeque<Fault>,
    /// How many takes fail.
    takes: usize,
    delayed: Option<Batch>,
    /// What became of a delayed batch.
    arrived: Vec<Verdict>,
}

/// Wraps a backend. Faults are planned; without a plan everything goes through.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Backend>,
    plan: Arc<Mutex<Plan>>,
}

impl Faulty {
    /// A wrapper without faults.
    pub fn new(inner: Arc<dyn Backend>) -> Faulty {
        Faulty {
            inner,
            plan: Arc::default(),
        }
    }

    /// The next batches meet these faults, one each.
    pub fn next_batches(&self, faults: impl IntoIterator<Item = Fault>) {
        self.with(|plan| plan.batches.extend(faults));
    }

    /// So many of the next takes fail.
    pub fn fail_takes(&self, count: usize) {
        self.with(|plan| plan.takes = count);
    }

    /// What became of delayed batches' commits.
    pub fn arrived(&self) -> Vec<Verdict> {
        self.with(|plan| plan.arrived.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Plan) -> T) -> T {
        f(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn error(&self) -> Error {
        let cause = Arc::new(std::io::Error::other("planned"));
        Error::Failed {
            store: self.inner.name().to_owned(),
            attempt: "a faulty call",
            cause,
        }
    }
}

impl Backend for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn layout(&self, wanted: &Layout) -> Result<Layout, Error> {
        self.inner.layout(wanted)
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(FaultyWriter {
            inner: self.inner.writer()?,
            faulty: self.clone(),
        }))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        self.inner.leases()
    }
}

struct FaultyWriter {
    inner: Box<dyn Writer>,
    faulty: Faulty,
}

impl Writer for FaultyWriter {
    fn take<'a>(
        &'a mut self,
        shards: &'a [ShardId],
        owner: OwnerId,
    ) -> BoxFuture<'a, Result<Vec<Held>, Error>> {
        let fails = self.faulty.with(|plan| {
            let fails = plan.takes > 0;
            plan.takes = plan.takes.saturating_sub(1);
            fails
        });
        Box::pin(async move {
            if fails {
                return Err(self.faulty.error());
            }
            let held = self.inner.take(shards, owner).await;
            if let Some(late) = self.faulty.with(|plan| plan.delayed.take()) {
                let verdict = self.inner.commit(&late).await;
                self.faulty.with(|plan| plan.arrived.extend(verdict.commits));
            }
            held
        })
    }

    fn tails<'a>(&'a mut self, entities: &'a [EntityKey]) -> BoxFuture<'a, Result<Vec<Tail>, Error>> {
        self.inner.tails(entities)
    }

    fn commit<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, BatchVerdict> {
        let fault = self.faulty.with(|plan| plan.batches.pop_front());
        Box::pin(async move {
            let unknown = BatchVerdict::all(batch, &Verdict::Unknown(self.faulty.error()));
            match fault {
                None => self.inner.commit(batch).await,
                Some(Fault::LoseAnswer) => {
                    self.inner.commit(batch).await;
                    unknown
                }
                Some(Fault::LoseBatch) => unknown,
                Some(Fault::Delay) => {
                    self.faulty.with(|plan| plan.delayed = Some(batch.clone()));
                    unknown
                }
                Some(Fault::Refuse) => BatchVerdict::all(batch, &Verdict::NotApplied(self.faulty.error())),
            }
        })
    }

    fn find<'a>(&'a mut self, commits: &'a [Commit]) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        self.inner.find(commits)
    }

    fn upkeep(&mut self) {
        self.inner.upkeep();
    }

    fn close<'a>(&'a mut self) -> BoxFuture<'a, Result<(), Error>> {
        self.inner.close()
    }
}
