//! Nodes whose replicas hear of each other through what they publish.

#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cloudstate_crdt::{Any, Change, Difference, Limits, NodeId, Plain, SetChange, Side, VoteTotals};
use cloudstate_replica::{
    Acknowledged, Alone, Consistency, FirstUse, Found, Id, Merged, Publication, Publish, Replica, Replicas,
    SHARDS, ShardDigest, Stats, Updated, Watcher,
};
use proptest::prelude::*;

const A: NodeId = NodeId::new(1, 1);
const B: NodeId = NodeId::new(2, 1);

/// Keeps what was published.
#[derive(Default)]
struct Published(Mutex<Vec<(Id, Publication, Consistency)>>);

impl Publish for Published {
    fn publish(&self, id: &Id, publication: Publication, consistency: Consistency) -> Acknowledged {
        self.0
            .lock()
            .unwrap()
            .push((id.clone(), publication, consistency));
        Acknowledged::Now
    }

    fn first_use(&self, _: &Id) -> Option<FirstUse> {
        None
    }
}

/// Counts what it was told.
#[derive(Default)]
struct Told(AtomicUsize);

impl Watcher for Told {
    fn changed(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Told {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Node {
    replicas: Arc<Replicas>,
    published: Arc<Published>,
}

impl Node {
    fn new(own: NodeId) -> Node {
        let published = Arc::<Published>::default();
        Node {
            replicas: Replicas::new(own, Limits::default(), published.clone()),
            published,
        }
    }

    fn open(&self, name: &str) -> (Replica, Arc<Told>) {
        let told = Arc::<Told>::default();
        (self.replicas.open(id(name), told.clone()), told)
    }

    fn take_published(&self) -> Vec<(Id, Publication, Consistency)> {
        std::mem::take(&mut self.published.0.lock().unwrap())
    }

    /// Merges what another node has published.
    fn hear(&self, publications: &[(Id, Publication, Consistency)]) {
        for (id, publication, _) in publications {
            match publication {
                Publication::Delta(delta) => drop(self.replicas.merge_delta(id, delta)),
                Publication::Deleted => drop(self.replicas.merge_deleted([id.hash()])),
            }
        }
    }

    fn digests(&self) -> Vec<ShardDigest> {
        (0..SHARDS)
            .map(|shard| self.replicas.shard_digest(u8::try_from(shard).unwrap()))
            .collect()
    }
}

fn id(name: &str) -> Id {
    Id::new("things", name)
}

fn count(change: i64) -> Change {
    Change::PNCounter { change }
}

fn made(updated: &Updated) {
    assert!(matches!(updated, Updated::Made(Acknowledged::Now)), "{updated:?}");
}

fn add(replica: &Replica, change: i64) {
    made(&replica.update(&count(change), Consistency::Local, 0).unwrap());
}

fn difference(replica: &Replica, known: Option<i64>) -> Found {
    let known = known.map(Plain::PNCounter);
    replica.difference(known.as_ref()).unwrap()
}

fn changed(change: Change) -> Found {
    Found::Difference(Difference::Change(change))
}

#[test]
fn changes_are_here_at_once_and_elsewhere_when_their_deltas_are_merged() {
    let (a, b) = (Node::new(A), Node::new(B));
    let ((at_a, _), (at_b, told)) = (a.open("x"), b.open("x"));
    assert_eq!(difference(&at_b, None), Found::Difference(Difference::None));
    made(&at_a.update(&count(3), Consistency::Majority, 0).unwrap());
    assert_eq!(difference(&at_a, None), changed(count(3)));
    let published = a.take_published();
    assert_eq!(published[0].2, Consistency::Majority);
    b.hear(&published);
    assert_eq!(told.times(), 1);
    assert_eq!(difference(&at_b, Some(1)), changed(count(2)));
    assert_eq!(a.digests(), b.digests());
}

#[test]
fn a_watcher_is_told_once_until_it_looks_and_never_of_its_own_changes() {
    let a = Node::new(A);
    let ((first, told_first), (second, told_second)) = (a.open("x"), a.open("x"));
    add(&first, 1);
    add(&first, 1);
    assert_eq!((told_first.times(), told_second.times()), (0, 1));
    assert_eq!(difference(&second, None), changed(count(2)));
    add(&first, 1);
    assert_eq!((told_first.times(), told_second.times()), (0, 2));
    drop(second);
    add(&first, 1);
    assert_eq!(told_second.times(), 2);
}

#[test]
fn a_change_that_does_not_fit_changes_nothing_and_is_not_published() {
    let a = Node::new(A);
    let (replica, _) = a.open("x");
    add(&replica, 1);
    a.take_published();
    let error = replica
        .update(&Change::Flag { value: true }, Consistency::Local, 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "FlagDelta is incompatible with CRDT PNCounter(1)"
    );
    assert!(a.take_published().is_empty());
    assert_eq!(difference(&replica, Some(1)), Found::Difference(Difference::None));
}

#[test]
fn a_deletion_is_final_and_beats_updates_and_merges() {
    let (a, b) = (Node::new(A), Node::new(B));
    let ((at_a, _), (at_b, told)) = (a.open("x"), b.open("x"));
    add(&at_a, 1);
    let before = a.take_published();
    b.hear(&before);
    assert_eq!(difference(&at_b, None), changed(count(1)));
    assert!(matches!(at_a.delete(Consistency::All), Acknowledged::Now));
    b.hear(&a.take_published());
    assert_eq!(told.times(), 2);
    assert_eq!(difference(&at_b, Some(1)), Found::Deleted);
    assert!(matches!(
        at_b.update(&count(1), Consistency::Local, 0).unwrap(),
        Updated::Deleted
    ));
    let Publication::Delta(delta) = &before[0].1 else {
        unreachable!("the first was a change")
    };
    assert_eq!(b.replicas.merge_delta(&id("x"), delta), Merged::Deleted);
    assert_eq!(b.replicas.state(&id("x")), None);
    assert_eq!(a.digests(), b.digests());
    assert!(b.replicas.merge_deleted([id("x").hash()]).is_empty(), "known");
    let deleted = Stats {
        entities: 0,
        deleted: 1,
    };
    assert_eq!(b.replicas.stats(), deleted);
}

#[test]
fn what_nobody_has_written_leaves_nothing_behind() {
    let a = Node::new(A);
    let (replica, _) = a.open("x");
    assert_eq!(a.replicas.stats(), Stats::default());
    assert!(a.replicas.ids(id("x").shard()).is_empty());
    drop(replica);
    let (replica, _) = a.open("x");
    add(&replica, 0);
    drop(replica);
    assert_eq!(a.replicas.ids(id("x").shard()), [id("x")]);
    assert_eq!(a.replicas.stats().entities, 1);
}

#[test]
fn who_watches_a_vote_is_told_when_the_voters_change() {
    let a = Node::new(A);
    let ((vote, told_vote), (counter, told_counter)) = (a.open("vote"), a.open("counter"));
    let yes = VoteTotals {
        self_vote: true,
        ..VoteTotals::default()
    };
    made(&vote.update(&Change::Vote(yes), Consistency::Local, 0).unwrap());
    add(&counter, 1);
    assert!(a.replicas.set_members(A, &[A, B]));
    assert_eq!((told_vote.times(), told_counter.times()), (1, 0));
    let known = Plain::from_change(&Change::Vote(yes), Side::Function).unwrap();
    let totals = VoteTotals {
        self_vote: true,
        votes_for: 1,
        total_voters: 2,
    };
    assert_eq!(
        vote.difference(Some(&known)).unwrap(),
        changed(Change::Vote(totals))
    );
    assert!(!a.replicas.set_members(A, &[B, A]), "the same members");
    assert_eq!(told_vote.times(), 1);
}

#[test]
fn a_lost_delta_is_seen_as_a_gap_which_a_state_closes() {
    let (a, b) = (Node::new(A), Node::new(B));
    let (at_a, _) = a.open("x");
    let grow = |element: &str| Change::GSet {
        added: vec![Any::new("u", element.as_bytes())],
    };
    made(&at_a.update(&grow("lost"), Consistency::Local, 0).unwrap());
    a.take_published();
    made(&at_a.update(&grow("later"), Consistency::Local, 0).unwrap());
    let Publication::Delta(later) = &a.take_published()[0].1 else {
        unreachable!("a change was published")
    };
    let merged = |learned, gap| Merged::Done { learned, gap };
    assert_eq!(b.replicas.merge_delta(&id("x"), later), merged(true, true));
    let state = a.replicas.state(&id("x")).unwrap();
    assert_eq!(b.replicas.merge_state(&id("x"), &state), merged(true, false));
    assert_eq!(b.replicas.merge_state(&id("x"), &state), merged(false, false));
    assert_eq!(a.digests(), b.digests());
}

#[test]
fn alone_every_consistency_is_met_at_once() {
    let replicas = Replicas::new(A, Limits::default(), Arc::new(Alone));
    let replica = replicas.open(id("x"), Arc::new(Told::default()));
    assert!(replica.first_use().is_none());
    made(&replica.update(&count(1), Consistency::All, 0).unwrap());
}

/// Something that happens to one of a few entities at one of two nodes.
#[derive(Debug, Clone)]
enum Step {
    Count(usize, u8, i8),
    Set(usize, u8, bool),
    Delete(usize, u8),
    /// The other node hears of what this one published, or of its last publication only, and then twice.
    Hear(usize, bool),
    /// Somebody asks for the digests in between.
    Digest(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, entity) = (0..2_usize, 0..4_u8);
    prop_oneof![
        4 => (node.clone(), entity.clone(), any::<i8>()).prop_map(|(n, e, by)| Step::Count(n, e, by)),
        4 => (node.clone(), entity.clone(), any::<bool>()).prop_map(|(n, e, add)| Step::Set(n, e, add)),
        1 => (node.clone(), entity).prop_map(|(n, e)| Step::Delete(n, e)),
        3 => (node.clone(), any::<bool>()).prop_map(|(n, all)| Step::Hear(n, all)),
        2 => node.prop_map(Step::Digest),
    ]
}

/// Repairs `to` from `from` as digests say: only what differs.
fn repair(from: &Node, to: &Node) {
    for shard in 0..=u8::MAX {
        if from.replicas.shard_digest(shard) == to.replicas.shard_digest(shard) {
            continue;
        }
        to.replicas
            .merge_deleted(from.replicas.deleted(shard).iter().collect::<Vec<_>>());
        let known: BTreeSet<_> = to.replicas.digests(shard).into_iter().collect();
        for (hash, digest) in from.replicas.digests(shard) {
            if !known.contains(&(hash, digest)) {
                let (id, state) = from.replicas.state_of(hash).unwrap();
                to.replicas.merge_state(&id, &state);
            }
        }
    }
}

proptest! {
    /// Whatever is lost or comes twice, digests find what differs, and only that is needed to make both nodes equal. A
    /// watcher that follows what it is told always has the value of its replica.
    #[test]
    fn digests_repair_what_deltas_missed(steps in prop::collection::vec(step(), 0..60)) {
        let nodes = [Node::new(A), Node::new(B)];
        let open = |node: &Node| (0..4).map(|name| node.open(&name.to_string())).collect::<Vec<_>>();
        let opened: Vec<_> = nodes.iter().map(open).collect();
        let element = Any::new("u", b"e".as_slice());
        for step in steps {
            match step {
                Step::Count(n, e, by) => {
                    let (replica, _) = &opened[n][usize::from(e / 2)];
                    prop_assert!(replica.update(&count(by.into()), Consistency::Local, 0).is_ok());
                }
                Step::Set(n, e, add) => {
                    let (replica, _) = &opened[n][usize::from(2 + e / 2)];
                    let element = vec![element.clone()];
                    let (added, removed) = if add { (element, Vec::new()) } else { (Vec::new(), element) };
                    let change = Change::ORSet(SetChange { added, removed, cleared: false });
                    prop_assert!(replica.update(&change, Consistency::Local, 0).is_ok());
                }
                Step::Delete(n, e) => drop(opened[n][usize::from(e)].0.delete(Consistency::Local)),
                Step::Hear(n, all) => {
                    let published = nodes[n].take_published();
                    let last = published.last().cloned();
                    let heard = if all { published } else { last.iter().chain(&last).cloned().collect() };
                    nodes[1 - n].hear(&heard);
                }
                Step::Digest(n) => drop(nodes[n].digests()),
            }
        }
        repair(&nodes[0], &nodes[1]);
        repair(&nodes[1], &nodes[0]);
        prop_assert_eq!(nodes[0].digests(), nodes[1].digests());
        prop_assert_eq!(nodes[0].replicas.stats(), nodes[1].replicas.stats());
        for (at_a, at_b) in opened[0].iter().zip(&opened[1]) {
            prop_assert_eq!(at_a.0.difference(None), at_b.0.difference(None));
        }
        for shard in 0..=u8::MAX {
            for (hash, _) in nodes[0].replicas.digests(shard) {
                prop_assert_eq!(nodes[0].replicas.state_of(hash), nodes[1].replicas.state_of(hash));
            }
        }
    }
}
