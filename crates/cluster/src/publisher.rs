//! The way from the replicas to the node's loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloudstate_replica::{Acknowledged, Consistency, FirstUse, Id, Publication, Publish, ShortOfConsistency};
use tokio::sync::{mpsc, oneshot};

use crate::replication::Change;

/// What the replicas ask of the loop.
pub(crate) enum Command {
    Publish(Change),
    Read(Id, oneshot::Sender<()>),
}

/// Hands changes to the loop, and never waits. What does not fit is left to the comparison with other nodes.
pub(crate) struct Publisher {
    commands: mpsc::Sender<Command>,
    overflowed: Arc<AtomicBool>,
}

impl Publisher {
    /// The publisher, the commands that it gives, and whether some did not fit.
    pub(crate) fn new(queue: usize) -> (Publisher, mpsc::Receiver<Command>, Arc<AtomicBool>) {
        let (commands, taken) = mpsc::channel(queue);
        let overflowed = Arc::new(AtomicBool::new(false));
        let publisher = Publisher {
            commands,
            overflowed: overflowed.clone(),
        };
        (publisher, taken, overflowed)
    }
}

impl Publish for Publisher {
    fn publish(&self, id: &Id, publication: Publication, consistency: Consistency) -> Acknowledged {
        let id = id.clone();
        if consistency == Consistency::Local {
            let change = Change {
                id,
                publication,
                write: None,
            };
            if self.commands.try_send(Command::Publish(change)).is_err() {
                self.overflowed.store(true, Ordering::Relaxed);
            }
            return Acknowledged::Now;
        }
        let (done, outcome) = oneshot::channel();
        let change = Change {
            id,
            publication,
            write: Some((consistency, done)),
        };
        if self.commands.try_send(Command::Publish(change)).is_err() {
            self.overflowed.store(true, Ordering::Relaxed);
        }
        // The loop dropped it, or never got it: nobody can say where the change is.
        Acknowledged::Later(Box::pin(async move {
            outcome.await.unwrap_or(Err(ShortOfConsistency))
        }))
    }

    fn first_use(&self, id: &Id) -> Option<FirstUse> {
        let (done, ended) = oneshot::channel();
        self.commands.try_send(Command::Read(id.clone(), done)).ok()?;
        Some(Box::pin(async move {
            // An error means that the node ends.
            let _ = ended.await;
        }))
    }
}
