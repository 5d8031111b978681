//! Who is in the cluster, as a pure machine: messages and times in, messages and events out.
//!
//! ```text
//!   SWIM packets ──▶ Swim ── who answers ──▶ Membership ◀── Leaving
//!                                               │ the lowest member that answers proposes who else is in
//!                                               ▼
//!                                           Decision ── a majority of the view before ──▶ View 1, 2, 3 …
//! ```
//!
//! SWIM finds out who answers, within about a second, and may err. A *view* says who is a member, is decided by a majority of
//! the members before, and is never wrong: who is not in it any more has ended. An unreachable member stays a member, and counts
//! for MAJORITY, until the others have decided without it. A newer process with the name of a member takes its place.
//!
//! Absent: sockets, clocks, what is replicated.

mod decision;
mod joining;
mod messages;
mod swim;
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloudstate_crdt::NodeId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::decision::{Ask, Decision, Step, Voters};
use self::joining::Joining;
pub(crate) use self::messages::Message;
pub use self::swim::Detection;
use self::swim::Swim;
use self::view::{View, ViewId};
use crate::node::{Node, next_generation};

/// How often a member looks whether the view has to change.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// A proposal that is not decided by then is made again.
const PROPOSAL_TIMEOUT: Duration = Duration::from_millis(1000);
/// The same view is not sent to the same node more often.
const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// How membership behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How quickly a dead node is noticed.
    pub detection: Detection,
    /// How long a member has not to answer before the others decide to go on without it.
    pub remove_after: Duration,
    /// How long a node that joins looks for a cluster, before it begins one with the others that do the same.
    pub form_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            detection: Detection::default(),
            remove_after: Duration::from_secs(20),
            form_after: Duration::from_secs(3),
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Other nodes answer, or do not any more. [`Membership::alive`] says who.
    Alive,
    /// This view is in force.
    View(Arc<View>),
    /// The others have ended this node while it was away. It goes on under a new identity, and joins again.
    Ended {
        /// The identity that was ended.
        former: NodeId,
        /// The view that says so.
        by: Arc<View>,
    },
    /// This node and others had begun a cluster of their own. It gives up its view and joins theirs.
    Merges,
    /// A newer process has this node's name. This one has to end.
    Replaced,
    /// The others have let this node go, as it wanted.
    Left,
}

/// One node's part in the cluster. Times are since any fixed moment, and do not go back.
pub(crate) struct Membership {
    options: Options,
    own: Arc<Node>,
    swim: Swim,
    view: Option<Arc<View>>,
    /// The last view of a cluster that was given up for another. Going back would be to vote twice.
    given_up: Option<Arc<View>>,
    decision: Decision,
    /// When to give up the proposal under way, or not to make one before.
    proposal_until: Duration,
    /// Members that do not answer, and since when.
    away: BTreeMap<NodeId, Duration>,
    leaving: BTreeSet<NodeId>,
    joining: Joining,
    /// To whom which view was sent last, and when.
    told: BTreeMap<NodeId, (ViewId, Duration)>,
    next_check: Duration,
    rng: StdRng,
    messages: Vec<(Arc<Node>, Message)>,
    events: Vec<Event>,
}

impl Membership {
    /// A node that is in no cluster yet. All its randomness comes from `seed`.
    pub(crate) fn new(own: Node, options: Options, seed: u64) -> Self {
        let own = Arc::new(own);
        Membership {
            options,
            swim: Swim::new(own.clone(), options.detection, seed),
            view: None,
            given_up: None,
            decision: Decision::new(own.id),
            proposal_until: Duration::ZERO,
            away: BTreeMap::new(),
            leaving: BTreeSet::new(),
            joining: Joining::default(),
            told: BTreeMap::new(),
            next_check: Duration::ZERO,
            rng: StdRng::seed_from_u64(!seed),
            messages: Vec::new(),
            events: Vec::new(),
            own,
        }
    }

    /// This node.
    pub(crate) fn own(&self) -> &Arc<Node> {
        &self.own
    }

    /// The view in force; none while this node joins.
    pub(crate) fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    /// The other nodes that answer, members or not, sorted by identity.
    pub(crate) fn alive(&self) -> Vec<Arc<Node>> {
        let mut alive: Vec<_> = self.swim.alive().cloned().collect();
        alive.sort_by_key(|node| node.id);
        alive
    }

    /// The members that answer, and this node if it is one, sorted.
    pub(crate) fn present(&self) -> Vec<NodeId> {
        let Some(view) = &self.view else {
            return Vec::new();
        };
        let alive: BTreeSet<_> = self
            .swim
            .alive()
            .map(|node| node.id)
            .chain([self.own.id])
            .collect();
        view.ids().filter(|id| alive.contains(id)).collect()
    }

    /// The highest generation of this name that was heard of, for a process that starts anew.
    pub(crate) fn generation_seen(&self, name: &str) -> Option<u64> {
        self.swim.generation_seen(Node::address_of(name))
    }

    /// Begins a cluster that others may join. Does nothing if this node is in one.
    pub(crate) fn begin(&mut self) {
        if self.view.is_none() {
            self.adopt(Arc::new(View::first(self.own.clone())));
        }
    }

    /// Takes another identity before this node is in a cluster: another process of its name had a later generation.
    pub(crate) fn restart(&mut self, generation: u64, now: Duration) {
        let id = NodeId {
            generation,
            ..self.own.id
        };
        self.rename(id, now);
    }

    /// A node was reached, and has said whether it is in a cluster: asks to be let in, if that is not so yet. That may be this node
    /// itself, under an address where others look for a cluster.
    pub(crate) fn met(&mut self, node: &Arc<Node>, in_cluster: bool, now: Duration) {
        self.swim.saw(node.id);
        if self.view.is_none() {
            self.joining.met(node.id, in_cluster, now);
        }
        let is_known = self.swim.alive().any(|alive| alive.id == node.id);
        if !is_known && !self.has_ended(node.id) && node.id.address != self.own.id.address {
            self.swim.announce(node, now);
            self.collect();
        }
    }

    /// Asks the others to go on without this node. [`Event::Left`] follows, unless no majority answers.
    pub(crate) fn leave(&mut self, now: Duration) {
        self.leaving.insert(self.own.id);
        let alone = self.view.as_ref().is_none_or(|view| view.members().len() == 1);
        if alone {
            self.left(now);
        } else {
            self.next_check = Duration::ZERO;
        }
    }

    /// Whether this identity has ended.
    pub(crate) fn has_ended(&self, id: NodeId) -> bool {
        self.view.as_ref().is_some_and(|view| view.has_ended(id))
    }

    /// When to call [`Membership::tick`] at the latest.
    pub(crate) fn deadline(&self) -> Duration {
        self.swim
            .deadline()
            .map_or(self.next_check, |due| due.min(self.next_check))
    }

    /// Does what is due. `wall_ms` is the wall clock in milliseconds since 1970.
    pub(crate) fn tick(&mut self, now: Duration, wall_ms: u64) {
        self.swim.tick(now);
        self.collect();
        if now >= self.next_check {
            self.next_check = now + CHECK_INTERVAL;
            if self.view.is_none() && self.joining.may_begin(self.own.id, self.options.form_after, now) {
                self.begin();
            }
            self.check(now, wall_ms);
        }
    }

    /// Takes what a node has sent, and the view that it is in.
    pub(crate) fn receive(
        &mut self,
        from: &Arc<Node>,
        view: Option<ViewId>,
        message: Message,
        now: Duration,
        wall_ms: u64,
    ) {
        self.swim.saw(from.id);
        self.tell(from, view, now);
        match message {
            Message::Swim(packet) => self.swim.receive(&packet, now),
            Message::Leaving => drop(self.leaving.insert(from.id)),
            Message::Decided(view) => self.decided(&view, now, wall_ms),
            Message::Ask(ask) if view == self.view.as_ref().map(|view| view.id) => {
                self.ask(from.id, ask, now, wall_ms);
            }
            // About another view; both sides tell each other which one is in force.
            Message::Ask(_) => {}
        }
        self.collect();
    }

    /// A message about something else came from a node in this view.
    pub(crate) fn noticed(&mut self, from: &Arc<Node>, view: Option<ViewId>, now: Duration) {
        self.tell(from, view, now);
    }

    /// What is to be sent, and to whom.
    pub(crate) fn take_messages(&mut self) -> Vec<(Arc<Node>, Message)> {
        std::mem::take(&mut self.messages)
    }

    /// What has happened, in order.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn collect(&mut self) {
        for (to, packet) in self.swim.take_packets() {
            self.messages.push((to, Message::Swim(packet)));
        }
        if self.swim.take_changed() {
            self.events.push(Event::Alive);
        }
    }

    /// Sends the view in force to a node that seems not to know it.
    fn tell(&mut self, to: &Arc<Node>, their: Option<ViewId>, now: Duration) {
        let Some(view) = self.view.clone() else { return };
        let is_news = match their {
            Some(their) => their.formation != view.id.formation || their.number < view.id.number,
            None => view.contains(to.id) || view.has_ended(to.id),
        };
        let told = self.told.get(&to.id);
        let is_again = told.is_some_and(|(id, at)| *id == view.id && now < *at + TELL_INTERVAL);
        if is_news && !is_again {
            self.told.retain(|_, (_, at)| now < *at + TELL_INTERVAL);
            self.told.insert(to.id, (view.id, now));
            self.messages.push((to.clone(), Message::Decided(view)));
        }
    }

    /// Takes a view that was decided, of this cluster or of another that it meets.
    fn decided(&mut self, view: &Arc<View>, now: Duration, wall_ms: u64) {
        let own = self.own.id;
        match self.view.clone() {
            Some(mine) if mine.id.formation == view.id.formation && view.id.number <= mine.id.number => {}
            Some(mine) if mine.id.formation == view.id.formation && !view.contains(own) => {
                self.ended(view.clone(), now, wall_ms);
            }
            Some(mine) if mine.id.formation != view.id.formation && mine.outweighs(view) => {}
            None if self.gave_up(view) => {}
            _ if view.contains(own) => self.adopt(view.clone()),
            _ if view.has_ended(own) => self.ended(view.clone(), now, wall_ms),
            Some(mine) => {
                self.given_up = Some(mine);
                self.view = None;
                self.reset();
                self.events.push(Event::Merges);
            }
            None => {}
        }
    }

    fn gave_up(&self, view: &View) -> bool {
        let given_up = self.given_up.as_ref();
        given_up.is_some_and(|mine| mine.id.formation == view.id.formation || mine.outweighs(view))
    }

    fn adopt(&mut self, view: Arc<View>) {
        self.leaving.retain(|id| *id == self.own.id || view.contains(*id));
        self.away.retain(|id, _| view.contains(*id));
        self.view = Some(view.clone());
        self.reset();
        self.events.push(Event::View(view));
    }

    /// Forgets what belonged to the view before.
    fn reset(&mut self) {
        self.joining = Joining::default();
        self.decision = Decision::new(self.own.id);
        self.proposal_until = Duration::ZERO;
    }

    fn ended(&mut self, by: Arc<View>, now: Duration, wall_ms: u64) {
        let former = self.own.id;
        if self.leaving.contains(&former) {
            return self.left(now);
        }
        let is_newer = |node: &Arc<Node>| node.id.address == former.address && node.id > former;
        if by.members().iter().any(is_newer) {
            self.events.push(Event::Replaced);
            return;
        }
        let seen = self
            .swim
            .generation_seen(former.address)
            .max(Some(former.generation));
        let generation = next_generation(wall_ms, None, seen);
        self.events.push(Event::Ended { former, by });
        let renewed = NodeId { generation, ..former };
        self.rename(renewed, now);
    }

    fn rename(&mut self, id: NodeId, now: Duration) {
        self.own = Arc::new(Node {
            id,
            ..Node::clone(&self.own)
        });
        self.view = None;
        self.reset();
        self.swim.renew(self.own.clone(), now);
        self.collect();
    }

    fn left(&mut self, now: Duration) {
        self.view = None;
        self.swim.leave(now);
        self.collect();
        self.events.push(Event::Left);
    }

    /// Looks whether the view has to change, and proposes it if this node is the one to do so.
    fn check(&mut self, now: Duration, wall_ms: u64) {
        let Some(view) = self.view.clone() else { return };
        let alive = self.alive();
        let own = self.own.id;
        let is_alive = |id: NodeId| id == own || alive.binary_search_by_key(&id, |node| node.id).is_ok();
        self.away.retain(|id, _| !is_alive(*id) && view.contains(*id));
        for id in view.ids().filter(|id| !is_alive(*id)) {
            self.away.entry(id).or_insert(now);
        }
        if self.leaving.contains(&own) {
            let others = view.members().iter().filter(|node| node.id != own);
            let notes = others.map(|node| (node.clone(), Message::Leaving));
            self.messages.extend(notes);
        }
        let first = view.ids().find(|id| is_alive(*id) && !self.leaving.contains(id));
        if first != Some(own) || now < self.proposal_until {
            return;
        }
        self.decision.abandon();
        if let Some(members) = self.wanted(&view, &alive, now) {
            // Two that propose at once must not do so for ever.
            let jitter = self.rng.random_range(0..500);
            self.proposal_until = now + PROPOSAL_TIMEOUT + Duration::from_millis(jitter);
            let ask = self.decision.propose(Arc::new(view.next(members)));
            self.ask_all(&view, &ask, now, wall_ms);
        }
    }

    /// The members that there should be, if they are not those that there are.
    fn wanted(&self, view: &View, alive: &[Arc<Node>], now: Duration) -> Option<Vec<Arc<Node>>> {
        let replaced = replaced(view, alive);
        let is_away = |id: &NodeId| {
            let since = self.away.get(id);
            since.is_some_and(|since| now >= *since + self.options.remove_after)
        };
        let stays = |node: &&Arc<Node>| {
            !self.leaving.contains(&node.id) && !replaced.contains(&node.id) && !is_away(&node.id)
        };
        let joins = |node: &&Arc<Node>| {
            let is_former = |member: &Arc<Node>| member.id.address == node.id.address && member.id > node.id;
            !view.contains(node.id)
                && !view.has_ended(node.id)
                && !self.leaving.contains(&node.id)
                && !view.members().iter().any(is_former)
        };
        let staying: Vec<_> = view.members().iter().filter(stays).cloned().collect();
        let joining: Vec<_> = alive.iter().filter(joins).cloned().collect();
        let changes = staying.len() < view.members().len() || !joining.is_empty();
        changes.then(|| staying.into_iter().chain(joining).collect())
    }

    fn ask(&mut self, from: NodeId, ask: Ask, now: Duration, wall_ms: u64) {
        let Some(view) = self.view.clone() else { return };
        let replaced = replaced(&view, &self.alive());
        let voters = Voters {
            view: &view,
            replaced: &replaced,
        };
        match self.decision.receive(from, ask, &voters) {
            Step::Nothing => {}
            Step::Answer(answer) if from == self.own.id => self.ask(from, answer, now, wall_ms),
            Step::Answer(answer) => {
                let to = view.members().iter().find(|node| node.id == from);
                let answer = to.map(|to| (to.clone(), Message::Ask(answer)));
                self.messages.extend(answer);
            }
            Step::AskAll(ask) => self.ask_all(&view, &ask, now, wall_ms),
            Step::Decided(next) => {
                let concerned: BTreeMap<_, _> = view
                    .members()
                    .iter()
                    .chain(next.members())
                    .map(|node| (node.id, node))
                    .collect();
                let others = concerned.into_values().filter(|node| node.id != self.own.id);
                let news = others.map(|node| (node.clone(), Message::Decided(next.clone())));
                self.messages.extend(news);
                self.decided(&next, now, wall_ms);
            }
        }
    }

    fn ask_all(&mut self, view: &View, ask: &Ask, now: Duration, wall_ms: u64) {
        let others = view.members().iter().filter(|node| node.id != self.own.id);
        let asked = others.map(|node| (node.clone(), Message::Ask(ask.clone())));
        self.messages.extend(asked);
        // Last: its own answer may decide already.
        self.ask(self.own.id, ask.clone(), now, wall_ms);
    }
}

/// Members in whose place a newer process of the same name runs.
fn replaced(view: &View, alive: &[Arc<Node>]) -> BTreeSet<NodeId> {
    let is_replaced = |id: &NodeId| {
        alive
            .iter()
            .any(|node| node.id.address == id.address && node.id.generation > id.generation)
    };
    view.ids().filter(is_replaced).collect()
}

#[cfg(test)]
pub(crate) mod tests;
