//! Changes on their way to the other members, and who has them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloudstate_crdt::{DeletedId, Delta, NodeId};
use cloudstate_replica::{Consistency, Id, Publication, ShortOfConsistency};
use tokio::sync::oneshot;

use super::entities;
use crate::membership::view::View;
use crate::wire::{self, message::Body};

/// A batch that nobody acknowledges is sent again this often, as long as a write waits for it.
const RETRY: Duration = Duration::from_millis(500);
/// A batch is sent when it has that many changes, before its time.
const BATCH_MAX: usize = 512;

/// Ends a write.
pub(crate) type Done = oneshot::Sender<Result<(), ShortOfConsistency>>;

/// A change that was made here, and what it waits for.
pub(crate) struct Change {
    pub(crate) id: Id,
    pub(crate) publication: Publication,
    /// For all but LOCAL.
    pub(crate) write: Option<(Consistency, Done)>,
}

struct Write {
    consistency: Consistency,
    until: Duration,
    done: Done,
}

#[derive(Default)]
pub(super) struct Push {
    deltas: BTreeMap<DeletedId, (Id, Delta)>,
    deleted: BTreeSet<DeletedId>,
    writes: Vec<Write>,
    flush_at: Option<Duration>,
    number: u64,
    sent: BTreeMap<u64, Sent>,
}

/// A batch for which a write waits.
struct Sent {
    body: Body,
    writes: Vec<Write>,
    /// Who has it, and whether that counts for a majority.
    taken: BTreeMap<NodeId, bool>,
    retry_at: Duration,
}

impl Push {
    /// Takes a change. It waits for others for a moment.
    pub(super) fn add(
        &mut self,
        change: Change,
        flush_at: Duration,
        write_until: Duration,
        max_waiting: usize,
    ) {
        self.flush_at.get_or_insert(flush_at);
        if let Some((consistency, done)) = change.write {
            if self.waiting() >= max_waiting {
                // The receiver may have gone; then nobody minds.
                let _ = done.send(Err(ShortOfConsistency));
            } else {
                self.writes.push(Write {
                    consistency,
                    until: write_until,
                    done,
                });
            }
        }
        let hash = change.id.hash();
        match change.publication {
            Publication::Deleted => {
                self.deltas.remove(&hash);
                self.deleted.insert(hash);
            }
            Publication::Delta(delta) => match self.deltas.get_mut(&hash) {
                Some((_, earlier)) => earlier.merge(&delta),
                None => drop(self.deltas.insert(hash, (change.id, delta))),
            },
        }
    }

    /// How many writes wait for members.
    pub(super) fn waiting(&self) -> usize {
        self.writes.len() + self.sent.values().map(|sent| sent.writes.len()).sum::<usize>()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let sent = self.sent.values();
        let due = sent.flat_map(|sent| sent.writes.iter().map(|write| write.until).chain([sent.retry_at]));
        due.chain(self.flush_at).min()
    }

    /// What to send to all other members now, if anything: a new batch.
    pub(super) fn flush(&mut self, now: Duration) -> Option<Body> {
        let is_full = self.deltas.len() + self.deleted.len() >= BATCH_MAX;
        let is_due = self.flush_at.is_some_and(|at| now >= at || is_full);
        if !is_due {
            return None;
        }
        self.flush_at = None;
        let writes = std::mem::take(&mut self.writes);
        self.number += 1;
        let deltas = std::mem::take(&mut self.deltas).into_values();
        let body = Body::Deltas(wire::Deltas {
            batch: if writes.is_empty() { 0 } else { self.number },
            deltas: deltas
                .map(|(id, delta)| entities::entity(&id, delta.encode()))
                .collect(),
            deleted: entities::bytes(std::mem::take(&mut self.deleted)),
        });
        if !writes.is_empty() {
            let sent = Sent {
                body: body.clone(),
                writes,
                taken: BTreeMap::new(),
                retry_at: now + RETRY,
            };
            self.sent.insert(self.number, sent);
        }
        Some(body)
    }

    /// A member has a batch.
    pub(super) fn taken(&mut self, by: NodeId, batch: u64, current: bool) {
        if let Some(sent) = self.sent.get_mut(&batch) {
            *sent.taken.entry(by).or_default() |= current;
        }
    }

    /// In another view all members have to say again what they have: they may know of members that this one did not count.
    pub(super) fn view_changed(&mut self, now: Duration) {
        for sent in self.sent.values_mut() {
            sent.taken.clear();
            sent.retry_at = now;
        }
    }

    /// Batches to send again, and who has them already.
    pub(super) fn retries(&mut self, now: Duration) -> Vec<(Body, BTreeSet<NodeId>)> {
        let due = self.sent.values_mut().filter(|sent| now >= sent.retry_at);
        let again = due.map(|sent| {
            sent.retry_at = now + RETRY;
            (sent.body.clone(), sent.taken.keys().copied().collect())
        });
        again.collect()
    }

    /// What a link to a node has to carry again, because it may have been lost with the link before.
    pub(super) fn not_taken_by(&self, node: NodeId) -> Vec<Body> {
        let missing = self.sent.values().filter(|sent| !sent.taken.contains_key(&node));
        missing.map(|sent| sent.body.clone()).collect()
    }

    /// Ends writes: those that are on enough members, and those that are out of time. `own` is this node if it counts itself.
    pub(super) fn settle(&mut self, view: Option<&View>, own: NodeId, own_current: bool, now: Duration) {
        for sent in self.sent.values_mut() {
            let has = |id: NodeId, count: bool| match id == own {
                true => !count || own_current,
                false => sent.taken.get(&id).is_some_and(|current| !count || *current),
            };
            let is_met = |consistency| match (view, consistency) {
                (_, Consistency::Local) => true,
                (None, _) => false,
                (Some(view), Consistency::Majority) => {
                    view.ids().filter(|id| has(*id, true)).count() >= view.majority()
                }
                (Some(view), Consistency::All) => view.ids().all(|id| has(id, false)),
            };
            let (majority, all) = (is_met(Consistency::Majority), is_met(Consistency::All));
            for at in (0..sent.writes.len()).rev() {
                let met = match sent.writes[at].consistency {
                    Consistency::Local => true,
                    Consistency::Majority => majority,
                    Consistency::All => all,
                };
                if met || now >= sent.writes[at].until {
                    let write = sent.writes.swap_remove(at);
                    let outcome = if met { Ok(()) } else { Err(ShortOfConsistency) };
                    // The receiver may have gone; then nobody minds.
                    let _ = write.done.send(outcome);
                }
            }
        }
        self.sent.retain(|_, sent| !sent.writes.is_empty());
    }
}
