//! What the members tell each other of their replicas, as a pure machine beside the table of replicas.
//!
//! ```text
//!   changes made here ──▶ Push ── Deltas, every few ms ──▶ all other members ── Taken ──▶ writes that wait end
//!   what got lost         Sessions ── Compare, Entries, Repair, States ──▶ one member at a time
//!   first use             Reads ── Read ──▶ all other members ── ReadAnswer ──▶ an entity starts
//! ```
//!
//! **What counts for a majority.** A member is *current* in a view when it has all that was acknowledged by a majority in the views
//! before: it has compared itself, in this view, with a majority of the view before, who were current there, or with all members of
//! this view. Only then its word counts for a write or a read. And an answer counts only if it was given in the view in which
//! the question was counted. So a write that is acknowledged is on a majority of members of that view, and whoever joins later, or
//! stays when others are removed, has it before it is asked. See ADR 10.
//!
//! Absent: links, clocks, who is a member.

mod entities;
mod options;
mod push;
mod reads;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloudstate_crdt::{Delta, NodeId};
use cloudstate_replica::{Id, Merged, Replicas};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub use self::options::ReplicationOptions;
pub(crate) use self::push::Change;
use self::push::Push;
use self::reads::Reads;
use self::repair::{Progress, Session, Sessions};
use crate::membership::view::{View, ViewId};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::wire::{self, message::Body};

/// Repairs that this node has under way at once.
const SESSIONS_MAX: usize = 4;
/// A missing delta may only be late.
const GAP_DELAY: Duration = Duration::from_millis(100);
/// Until a member is current, it asks again this often.
const CURRENT_RETRY: Duration = Duration::from_millis(500);

/// One node's part in replication. Times are since any fixed moment, and do not go back.
pub(crate) struct Replication {
    options: ReplicationOptions,
    replicas: Arc<Replicas>,
    own: NodeId,
    view: Option<Arc<View>>,
    /// The other members that answer.
    present: BTreeMap<NodeId, Arc<Node>>,
    push: Push,
    sessions: Sessions,
    reads: Reads,
    current: Current,
    messages: Vec<(Arc<Node>, Body)>,
    rng: StdRng,
    metrics: Metrics,
}

/// Whether this node has all that a majority has acknowledged.
#[derive(Default)]
struct Current {
    /// The last view in which it had.
    within: Option<ViewId>,
    /// With whom it has compared itself in this view, and the last view in which that one was current.
    compared: BTreeMap<NodeId, u64>,
}

impl Replication {
    pub(crate) fn new(
        replicas: Arc<Replicas>,
        own: NodeId,
        options: ReplicationOptions,
        metrics: Metrics,
        seed: u64,
    ) -> Self {
        Replication {
            options,
            replicas,
            own,
            view: None,
            present: BTreeMap::new(),
            push: Push::default(),
            sessions: Sessions::default(),
            reads: Reads::default(),
            current: Current::default(),
            messages: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
            metrics,
        }
    }

    /// The view in which its messages are sent.
    pub(crate) fn view(&self) -> Option<ViewId> {
        self.view.as_ref().map(|view| view.id)
    }

    /// Whether this node has all that a majority has acknowledged before the view.
    pub(crate) fn is_current(&self) -> bool {
        self.view
            .as_ref()
            .is_some_and(|view| self.current.within == Some(view.id))
    }

    /// Who this node is, which view is in force, and who of the others answers.
    pub(crate) fn set_view(
        &mut self,
        own: NodeId,
        view: Option<Arc<View>>,
        alive: &[Arc<Node>],
        now: Duration,
    ) {
        let is_new =
            self.view.as_ref().map(|view| view.id) != view.as_ref().map(|view| view.id) || own != self.own;
        self.own = own;
        self.view = view;
        let is_member = |node: &&Arc<Node>| self.view.as_ref().is_some_and(|view| view.contains(node.id));
        let others = alive.iter().filter(|node| node.id != own);
        let present: BTreeMap<_, _> = others
            .filter(is_member)
            .map(|node| (node.id, node.clone()))
            .collect();
        for id in present.keys().filter(|id| !self.present.contains_key(id)) {
            self.sessions.want(*id, now);
        }
        self.present = present;
        let mut voters: Vec<_> = self.present.keys().copied().collect();
        voters.push(own);
        self.replicas.set_members(own, &voters);
        if is_new {
            self.current.compared.clear();
            self.push.view_changed(now);
            for body in self.reads.view_changed() {
                self.send_all(&body);
            }
            self.sessions.running.clear();
            self.present.keys().for_each(|id| self.sessions.want(*id, now));
            self.check_current();
        }
        self.settle(now);
    }

    /// A link to a node stands. What was under way on the one before may be lost.
    pub(crate) fn linked(&mut self, node: NodeId, now: Duration) {
        if let Some(to) = self.present.get(&node).cloned() {
            let again = self
                .push
                .not_taken_by(node)
                .into_iter()
                .chain(self.reads.not_answered_by(node));
            self.messages.extend(again.map(|body| (to.clone(), body)));
            self.sessions.running.remove(&node);
            self.sessions.want(node, now);
        }
    }

    /// Something that was to be sent to this node was dropped for want of room.
    pub(crate) fn dropped(&mut self, node: NodeId, now: Duration) {
        self.metrics.dropped.inc();
        self.sessions.want(node, now + GAP_DELAY);
    }

    /// Takes a change that was made here.
    pub(crate) fn publish(&mut self, change: Change, now: Duration) {
        if self.view.as_ref().is_some_and(|view| view.members().len() == 1) && self.is_current() {
            if let Some((_, done)) = change.write {
                // The receiver may have gone; then nobody minds.
                let _ = done.send(Ok(()));
            }
            return;
        }
        let flush_at = now + self.options.push_interval;
        let until = now + self.options.write_timeout;
        self.push.add(change, flush_at, until, self.options.max_waiting);
        self.flush(now);
    }

    /// Changes were dropped before they came here: they have to be found by comparison.
    pub(crate) fn overflowed(&mut self, now: Duration) {
        self.metrics.dropped.inc();
        let others: Vec<_> = self.present.keys().copied().collect();
        others
            .into_iter()
            .for_each(|id| self.sessions.want(id, now + GAP_DELAY));
    }

    /// Asks a majority what it knows of an entity, before it is used.
    pub(crate) fn read(&mut self, id: &Id, done: tokio::sync::oneshot::Sender<()>, now: Duration) {
        let until = now + self.options.read_timeout;
        let body = self.reads.begin(id, &self.replicas, done, until);
        self.send_all(&body);
        self.settle(now);
    }

    pub(crate) fn deadline(&self) -> Duration {
        let due = [
            self.push.deadline(),
            self.reads.deadline(),
            Some(self.sessions.deadline()),
        ];
        due.into_iter().flatten().min().unwrap_or(Duration::ZERO)
    }

    pub(crate) fn tick(&mut self, now: Duration) {
        self.flush(now);
        for (body, taken) in self.push.retries(now) {
            let missing = self.present.values().filter(|node| !taken.contains(&node.id));
            self.messages
                .extend(missing.map(|node| (node.clone(), body.clone())));
        }
        self.sessions.running.retain(|_, session| now < session.until);
        if now >= self.sessions.next_random {
            self.compare_with_one(now);
        }
        self.begin_sessions(now);
        self.settle(now);
    }

    /// Takes a message of another node, who is in this view.
    pub(crate) fn receive(&mut self, from: &Arc<Node>, view: Option<ViewId>, body: Body, now: Duration) {
        let is_member = self.view.as_ref().is_some_and(|mine| mine.contains(from.id));
        // What others send is not merged: they may have ended, or do not count yet.
        if !is_member {
            return;
        }
        let same_view = view.is_some() && view == self.view.as_ref().map(|view| view.id);
        match body {
            Body::Deltas(deltas) => self.take(from, &deltas, now),
            Body::Taken(taken) if same_view => self.push.taken(from.id, taken.batch, taken.current),
            Body::Compare(compare) => {
                let answer = repair::compare(&compare, &self.replicas, self.current_in());
                self.metrics.digests.inc();
                self.messages.push((from.clone(), answer));
            }
            Body::Entries(entries) => {
                let (limits, bytes) = (&self.options.limits, self.options.repair_bytes);
                let answer = repair::answer(&entries, &self.replicas, limits, bytes);
                self.messages.extend(answer.map(|answer| (from.clone(), answer)));
            }
            Body::Differs(differs) => self.go_on(from, same_view, |session, replicas, _| {
                session.differs(&differs, replicas, now)
            }),
            Body::Repair(repair) => self.go_on(from, same_view, |session, replicas, options| {
                session.repair(&repair, replicas, &options.limits, now)
            }),
            Body::States(states) => {
                let learned = repair::merge(&self.replicas, &states.states, &self.options.limits);
                self.metrics.repaired(learned);
            }
            Body::Read(read) => {
                let current = self.is_current();
                let answer = reads::answer(&read, &self.replicas, current);
                self.messages.push((from.clone(), Body::ReadAnswer(answer)));
            }
            Body::ReadAnswer(answer) => {
                self.reads
                    .answered(from.id, &answer, same_view, &self.replicas, &self.options.limits);
            }
            _ => {}
        }
        self.settle(now);
    }

    pub(crate) fn take_messages(&mut self) -> Vec<(Arc<Node>, Body)> {
        std::mem::take(&mut self.messages)
    }

    fn flush(&mut self, now: Duration) {
        if let Some(body) = self.push.flush(now) {
            self.send_all(&body);
        }
    }

    fn send_all(&mut self, body: &Body) {
        let all = self.present.values().map(|node| (node.clone(), body.clone()));
        self.messages.extend(all);
    }

    /// Merges what another member's functions have changed.
    fn take(&mut self, from: &Arc<Node>, deltas: &wire::Deltas, now: Duration) {
        let mut has_gap = false;
        for entity in &deltas.deltas {
            match Delta::decode(&entity.content, &self.options.limits) {
                Ok(delta) => {
                    let merged = self.replicas.merge_delta(&entities::id(entity), &delta);
                    has_gap |= matches!(merged, Merged::Done { gap: true, .. });
                }
                Err(error) => {
                    tracing::warn!(node = %from.name, entity = ?entities::id(entity), %error, "a delta of a peer cannot be read");
                    has_gap = true;
                }
            }
        }
        self.metrics.deltas.inc_by(deltas.deltas.len() as u64);
        self.replicas.merge_deleted(entities::hashes(&deltas.deleted));
        if has_gap {
            self.sessions.want(from.id, now + GAP_DELAY);
        }
        if deltas.batch != 0 {
            let taken = wire::Taken {
                batch: deltas.batch,
                current: self.is_current(),
            };
            self.messages.push((from.clone(), Body::Taken(taken)));
        }
    }

    /// Goes on with a repair that this node has asked for.
    fn go_on(
        &mut self,
        from: &Arc<Node>,
        same_view: bool,
        step: impl FnOnce(&mut Session, &Replicas, &ReplicationOptions) -> Progress,
    ) {
        let Some(session) = self.sessions.running.get_mut(&from.id) else {
            return;
        };
        match step(session, &self.replicas, &self.options) {
            Progress::Stray => {}
            // Another view: what the other side said of itself is not about this one.
            _ if !same_view => drop(self.sessions.running.remove(&from.id)),
            Progress::Send(bodies) => {
                self.metrics.repairs.inc();
                let bodies = bodies.into_iter().map(|body| (from.clone(), body));
                self.messages.extend(bodies);
            }
            Progress::Failed => drop(self.sessions.running.remove(&from.id)),
            Progress::Complete { current_in, send } => {
                self.metrics.digests.inc();
                self.messages
                    .extend(send.into_iter().map(|body| (from.clone(), body)));
                self.sessions.running.remove(&from.id);
                self.current.compared.insert(from.id, current_in);
                self.check_current();
            }
        }
    }

    fn current_in(&self) -> u64 {
        match (&self.view, self.current.within) {
            (Some(view), Some(within)) if within.formation == view.id.formation => within.number,
            _ => 0,
        }
    }

    fn check_current(&mut self) {
        let Some(view) = &self.view else { return };
        if self.is_current() {
            return;
        }
        let before = view.before();
        let was_current = |current_in: u64| current_in + 1 >= view.id.number;
        let counts = |id: &&NodeId| match **id == self.own {
            true => was_current(self.current_in()),
            false => self
                .current
                .compared
                .get(id)
                .is_some_and(|current_in| was_current(*current_in)),
        };
        let of_before = before.iter().filter(counts).count();
        let all = || {
            view.ids()
                .all(|id| id == self.own || self.current.compared.contains_key(&id))
        };
        if of_before > before.len() / 2 || all() {
            self.current.within = Some(view.id);
        }
    }

    fn compare_with_one(&mut self, now: Duration) {
        let others: Vec<_> = self.present.keys().copied().collect();
        let next = if self.is_current() || self.view.is_none() {
            self.options.digest_interval
        } else {
            CURRENT_RETRY
        };
        self.sessions.next_random = now + next;
        if self.is_current() {
            if !others.is_empty() {
                self.sessions
                    .want(others[self.rng.random_range(0..others.len())], now);
            }
        } else {
            let compared: BTreeSet<_> = self.current.compared.keys().copied().collect();
            let number = self.view.as_ref().map_or(0, |view| view.id.number);
            let is_enough = |id: &NodeId| {
                self.current
                    .compared
                    .get(id)
                    .is_some_and(|within| within + 1 >= number)
            };
            let again = others
                .into_iter()
                .filter(|id| !compared.contains(id) || !is_enough(id));
            let again: Vec<_> = again.collect();
            again.into_iter().for_each(|id| self.sessions.want(id, now));
        }
    }

    fn begin_sessions(&mut self, now: Duration) {
        let due: Vec<_> = self
            .sessions
            .wanted
            .iter()
            .filter(|(_, at)| now >= **at)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(node) = self.present.get(&id).cloned() else {
                self.sessions.wanted.remove(&id);
                continue;
            };
            if self.sessions.running.contains_key(&id) || self.sessions.running.len() >= SESSIONS_MAX {
                self.sessions.wanted.insert(id, now + GAP_DELAY);
                continue;
            }
            self.sessions.wanted.remove(&id);
            self.sessions.number += 1;
            let (session, body) = Session::begin(self.sessions.number, &self.replicas, now);
            self.sessions.running.insert(id, session);
            self.messages.push((node, body));
        }
    }

    fn settle(&mut self, now: Duration) {
        let current = self.is_current();
        let view = self.view.as_deref();
        self.push.settle(view, self.own, current, now);
        self.reads.settle(view, self.own, current, now);
        let waiting = i64::try_from(self.push.waiting()).unwrap_or(i64::MAX);
        self.metrics.waiting.set(waiting);
    }
}
