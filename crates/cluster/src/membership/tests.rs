//! Whole clusters of membership machines, with messages that cross the wire format, delays, loss and partitions, all seeded.

mod faults;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::wire::message::Body;

/// A node of this name and generation.
pub(crate) fn node(name: &str, generation: u64) -> Arc<Node> {
    Arc::new(Node {
        id: NodeId::new(Node::address_of(name), generation),
        name: name.to_owned(),
        endpoint: format!("{name}:2552"),
        version: "1.0.0".to_owned(),
        zone: String::new(),
    })
}

pub(crate) struct Sent {
    to: NodeId,
    from: Arc<Node>,
    view: Option<ViewId>,
    body: Body,
}

/// Some nodes, what is under way between them, and what has happened.
pub(crate) struct Cluster {
    pub(crate) now: Duration,
    pub(crate) nodes: BTreeMap<String, Membership>,
    pub(crate) events: BTreeMap<String, Vec<Event>>,
    under_way: BTreeMap<(Duration, u64), Sent>,
    sent: u64,
    rng: StdRng,
    /// Pairs of names between which nothing passes, in this direction.
    pub(crate) cut: BTreeSet<(String, String)>,
    pub(crate) loss: f64,
    /// Each view number of each formation, to see that it is decided once.
    pub(crate) views: BTreeMap<(NodeId, u64), Arc<View>>,
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Self {
        Cluster {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            rng: StdRng::seed_from_u64(seed),
            cut: BTreeSet::new(),
            loss: 0.0,
            views: BTreeMap::new(),
        }
    }

    /// Starts a process. The first one begins the cluster; the others ask all that run.
    pub(crate) fn start(&mut self, name: &str, generation: u64) {
        let options = Options {
            remove_after: Duration::from_secs(5),
            ..Options::default()
        };
        let own = Node::clone(&node(name, generation));
        let mut membership = Membership::new(own, options, self.rng.random());
        if self.nodes.is_empty() {
            membership.begin();
        }
        self.nodes.insert(name.to_owned(), membership);
        self.collect(name);
    }

    /// Every node dials all, itself included, as the link does with the addresses that it was given.
    fn dial(&mut self) {
        let names: Vec<_> = self.nodes.keys().cloned().collect();
        for from in &names {
            for to in &names {
                if self.cut.contains(&(from.clone(), to.clone()))
                    || self.cut.contains(&(to.clone(), from.clone()))
                {
                    continue;
                }
                let met = self.nodes[to].own().clone();
                let in_cluster = self.nodes[to].view().is_some();
                let now = self.now;
                if let Some(node) = self.nodes.get_mut(from) {
                    node.met(&met, in_cluster, now);
                }
                self.collect(from);
            }
        }
    }

    pub(crate) fn kill(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    pub(crate) fn partition(&mut self, one: &[&str], other: &[&str]) {
        for a in one {
            for b in other {
                self.cut.insert(((*a).to_owned(), (*b).to_owned()));
                self.cut.insert(((*b).to_owned(), (*a).to_owned()));
            }
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut next_dial = self.now;
        while self.now < end {
            if self.now >= next_dial {
                self.dial();
                next_dial = self.now + Duration::from_secs(1);
            }
            let deadlines = self.nodes.values().map(Membership::deadline);
            let arrivals = self.under_way.keys().next().map(|(at, _)| *at);
            let next = deadlines
                .chain(arrivals)
                .chain([next_dial, end])
                .min()
                .unwrap_or(end);
            self.now = self.now.max(next);
            self.arrive();
            let names: Vec<_> = self.nodes.keys().cloned().collect();
            for name in names {
                let now = self.now;
                if let Some(node) = self.nodes.get_mut(&name).filter(|node| node.deadline() <= now) {
                    node.tick(now, wall(now));
                    self.collect(&name);
                }
            }
        }
    }

    fn arrive(&mut self) {
        while let Some(entry) = self.under_way.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let Sent { to, from, view, body } = entry.remove();
            let now = self.now;
            let found = self.nodes.iter_mut().find(|(_, node)| node.own().id == to);
            if let Some((name, node)) = found {
                let name = name.clone();
                let message = Message::read(&body).unwrap().unwrap();
                node.receive(&from, view, message, now, wall(now));
                self.collect(&name);
            }
        }
    }

    fn collect(&mut self, name: &str) {
        let Some(node) = self.nodes.get_mut(name) else {
            return;
        };
        let view = node.view().map(|view| view.id);
        let from = node.own().clone();
        for (to, message) in node.take_messages() {
            let is_cut = self.cut.contains(&(name.to_owned(), to.name.clone()));
            if is_cut || self.rng.random_bool(self.loss) {
                continue;
            }
            self.sent += 1;
            let at = self.now + Duration::from_micros(self.rng.random_range(200..10_000));
            let sent = Sent {
                to: to.id,
                from: from.clone(),
                view,
                body: Body::from(&message),
            };
            self.under_way.insert((at, self.sent), sent);
        }
        for event in node.take_events() {
            if let Event::View(view) = &event {
                let key = (view.id.formation, view.id.number);
                let first = self.views.entry(key).or_insert_with(|| view.clone());
                assert_eq!(first, view, "one view for each number");
            }
            self.events.entry(name.to_owned()).or_default().push(event);
        }
    }

    /// The names in each node's view; empty if it has none.
    pub(crate) fn members(&self) -> BTreeMap<&str, Vec<&str>> {
        let names = |node: &'_ Membership| -> Vec<String> {
            let view = node.view();
            view.map_or(Vec::new(), |view| {
                view.members().iter().map(|node| node.name.clone()).collect()
            })
        };
        self.nodes
            .iter()
            .map(|(name, node)| {
                let mut known: Vec<&str> = Vec::new();
                for member in names(node) {
                    known.push(
                        self.events
                            .keys()
                            .find(|key| **key == member)
                            .map_or("?", |key| key.as_str()),
                    );
                }
                known.sort_unstable();
                (name.as_str(), known)
            })
            .collect()
    }

    /// All nodes that run have the same view, of exactly these.
    #[track_caller]
    pub(crate) fn assert_members(&self, expected: &[&str]) {
        for (name, members) in self.members() {
            assert_eq!(members, expected, "in the view of {name} at {:?}", self.now);
        }
        let views: BTreeSet<_> = self
            .nodes
            .values()
            .filter_map(Membership::view)
            .map(|view| view.id.number)
            .collect();
        assert_eq!(views.len(), 1, "{views:?}");
    }
}

fn wall(now: Duration) -> u64 {
    1_000 + u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A cluster of these nodes that has come to rest.
pub(crate) fn formed(names: &[&str], seed: u64) -> Cluster {
    let mut cluster = Cluster::new(seed);
    names.iter().for_each(|name| cluster.start(name, 1_000));
    cluster.run(SECOND * 4);
    cluster.assert_members(names);
    cluster
}

#[test]
fn nodes_that_meet_become_one_cluster_within_seconds() {
    for seed in 0..20 {
        formed(&["a", "b", "c", "d", "e"], seed);
    }
}

#[test]
fn who_dies_is_noticed_within_the_detection_time_and_removed_by_a_majority_later() {
    let mut cluster = formed(&["a", "b", "c"], 1);
    cluster.kill("b");
    cluster.run(SECOND * 2);
    for node in cluster.nodes.values() {
        assert_eq!(node.present().len(), 2);
        assert_eq!(
            node.view().unwrap().members().len(),
            3,
            "unreachable ones still count"
        );
    }
    cluster.run(SECOND * 7);
    cluster.assert_members(&["a", "c"]);
}

#[test]
fn half_of_the_members_removes_nobody() {
    let mut cluster = formed(&["a", "b"], 1);
    cluster.kill("b");
    cluster.run(SECOND * 30);
    cluster.assert_members(&["a", "b"]);
    // Started anew it takes its own place, without anybody's word.
    cluster.start("b", 2_000);
    cluster.run(SECOND * 5);
    cluster.assert_members(&["a", "b"]);
    assert!(cluster.nodes["a"].has_ended(node("b", 1_000).id));
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut cluster = formed(&["a", "b", "c"], 1);
    for leaves in ["a", "c"] {
        let now = cluster.now;
        cluster.nodes.get_mut(leaves).unwrap().leave(now);
        cluster.run(SECOND);
        assert_eq!(
            cluster.events[leaves]
                .last()
                .filter(|event| **event != Event::Alive),
            Some(&Event::Left)
        );
        cluster.kill(leaves);
    }
    cluster.assert_members(&["b"]);
}

#[test]
fn the_smaller_side_of_a_partition_is_ended_and_comes_back_under_new_identities() {
    let mut cluster = formed(&["a", "b", "c", "d", "e"], 3);
    let before: BTreeMap<_, _> = cluster
        .nodes
        .iter()
        .map(|(name, node)| (name.clone(), node.own().id))
        .collect();
    cluster.partition(&["a", "b"], &["c", "d", "e"]);
    cluster.run(SECOND * 10);
    assert_eq!(cluster.members()["c"], ["c", "d", "e"]);
    assert_eq!(
        cluster.members()["a"],
        ["a", "b", "c", "d", "e"],
        "the smaller side decides nothing"
    );
    cluster.cut.clear();
    cluster.run(SECOND * 10);
    cluster.assert_members(&["a", "b", "c", "d", "e"]);
    for (name, node) in &cluster.nodes {
        let is_same = node.own().id == before[name];
        assert_eq!(is_same, ["c", "d", "e"].contains(&name.as_str()), "{name}");
        assert!(is_same || node.has_ended(before[name]));
        let ended = cluster.events[name]
            .iter()
            .any(|event| matches!(event, Event::Ended { .. }));
        assert_eq!(ended, !is_same, "{name}");
    }
}

#[test]
fn a_short_partition_changes_no_identity() {
    let mut cluster = formed(&["a", "b", "c"], 5);
    let before: Vec<_> = cluster.nodes.values().map(|node| node.own().id).collect();
    cluster.partition(&["a"], &["b", "c"]);
    cluster.run(SECOND * 3);
    assert_eq!(cluster.nodes["a"].present().len(), 1);
    cluster.cut.clear();
    cluster.run(SECOND * 5);
    let after: Vec<_> = cluster.nodes.values().map(|node| node.own().id).collect();
    assert_eq!(before, after);
    assert!(cluster.nodes.values().all(|node| node.present().len() == 3));
}

#[test]
fn two_clusters_that_meet_become_the_older_one() {
    let mut cluster = formed(&["a", "b", "c"], 7);
    cluster.start("d", 9_000);
    cluster.partition(&["d"], &["a", "b", "c"]);
    cluster.nodes.get_mut("d").unwrap().begin();
    cluster.run(SECOND);
    assert_eq!(cluster.members()["d"], ["d"]);
    cluster.cut.clear();
    cluster.run(SECOND * 6);
    cluster.assert_members(&["a", "b", "c", "d"]);
    let formation = cluster.nodes["d"].view().unwrap().id.formation;
    assert_eq!(formation.generation, 1_000, "the older one stays");
    assert_eq!(cluster.nodes["d"].own().id.generation, 9_000, "nobody ended it");
}

#[test]
fn a_newer_process_of_the_same_name_ends_the_older_one() {
    let mut cluster = formed(&["a", "b", "c"], 9);
    let old = cluster.nodes.remove("c").unwrap();
    cluster.start("c", 5_000);
    cluster.run(SECOND * 5);
    cluster.assert_members(&["a", "b", "c"]);
    // The old one was only asleep.
    cluster.nodes.insert("c-old".to_owned(), old);
    cluster.kill("c");
    cluster.run(SECOND * 3);
    assert!(
        cluster.events["c-old"].contains(&Event::Replaced),
        "{:?}",
        cluster.events["c-old"]
    );
}
