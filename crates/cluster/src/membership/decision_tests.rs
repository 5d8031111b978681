//! Several proposers, messages in any order, lost and repeated: one view is decided.

use proptest::prelude::*;

use super::*;
use crate::membership::tests::node;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

struct Cluster {
    view: View,
    nodes: Vec<Decision>,
    /// Sender, receiver, message.
    sent: Vec<(usize, usize, Ask)>,
    decided: Vec<Arc<View>>,
    replaced: BTreeSet<NodeId>,
}

impl Cluster {
    fn new(count: usize) -> Self {
        let members: Vec<_> = NAMES[..count].iter().map(|name| node(name, 1)).collect();
        let view = View::first(members[0].clone()).next(members);
        let nodes = view.ids().map(Decision::new).collect();
        Cluster {
            view,
            nodes,
            sent: Vec::new(),
            decided: Vec::new(),
            replaced: BTreeSet::new(),
        }
    }

    fn propose(&mut self, by: usize, without: usize) {
        let mut members = self.view.members().to_vec();
        members.remove(without);
        let ask = self.nodes[by].propose(Arc::new(self.view.next(members)));
        self.ask_all(by, &ask);
    }

    fn ask_all(&mut self, from: usize, ask: &Ask) {
        (0..self.nodes.len()).for_each(|to| self.sent.push((from, to, ask.clone())));
    }

    fn deliver(&mut self, at: usize, keep: bool) {
        let (from, to, ask) = match keep {
            true => self.sent[at].clone(),
            false => self.sent.remove(at),
        };
        let voters = Voters {
            view: &self.view,
            replaced: &self.replaced,
        };
        match self.nodes[to].receive(self.view.members()[from].id, ask, &voters) {
            Step::Nothing => {}
            Step::Answer(answer) => self.sent.push((to, from, answer)),
            Step::AskAll(ask) => self.ask_all(to, &ask),
            Step::Decided(view) => self.decided.push(view),
        }
    }
}

proptest! {
    #[test]
    fn at_most_one_view_is_decided(
        count in 1..=5usize,
        steps in prop::collection::vec((0..10u8, any::<prop::sample::Index>(), 0..5usize, 0..5usize), 1..200),
    ) {
        let mut cluster = Cluster::new(count);
        for (kind, at, by, without) in steps {
            match kind {
                0 => cluster.propose(by % count, without % count),
                1 if !cluster.sent.is_empty() => drop(cluster.sent.remove(at.index(cluster.sent.len()))),
                _ if !cluster.sent.is_empty() => cluster.deliver(at.index(cluster.sent.len()), kind == 2),
                _ => {}
            }
        }
        let decided: BTreeSet<Vec<NodeId>> = cluster.decided.iter().map(|view| view.ids().collect()).collect();
        prop_assert!(decided.len() <= 1, "{decided:?}");
    }

    #[test]
    fn a_proposal_that_nobody_disturbs_is_decided(count in 1..=5usize, by in 0..5usize, lost in 0..5usize) {
        let mut cluster = Cluster::new(count);
        let by = by % count;
        // A minority is out of reach, never the proposer.
        let lost: BTreeSet<usize> = (0..count).filter(|at| *at != by).take(lost % count.div_ceil(2)).collect();
        cluster.propose(by, 0);
        while !cluster.sent.is_empty() {
            if lost.contains(&cluster.sent[0].1) {
                cluster.sent.remove(0);
            } else {
                cluster.deliver(0, false);
            }
        }
        prop_assert_eq!(cluster.decided.len(), 1);
    }
}

fn run(cluster: &mut Cluster, reach: &[usize]) {
    while !cluster.sent.is_empty() {
        if reach.contains(&cluster.sent[0].1) {
            cluster.deliver(0, false);
        } else {
            cluster.sent.remove(0);
        }
    }
}

#[test]
fn half_is_no_majority_unless_the_other_half_was_started_anew() {
    let mut cluster = Cluster::new(2);
    cluster.propose(0, 1);
    run(&mut cluster, &[0]);
    assert!(cluster.decided.is_empty());
    cluster.replaced.insert(cluster.view.members()[1].id);
    cluster.propose(0, 1);
    run(&mut cluster, &[0]);
    assert_eq!(cluster.decided.len(), 1);
}

#[test]
fn what_a_dead_proposer_had_decided_is_found_by_the_next_one() {
    let mut cluster = Cluster::new(3);
    cluster.propose(0, 2);
    run(&mut cluster, &[0, 1]);
    assert_eq!(cluster.decided.len(), 1);
    // Nobody was told. The second wants something else, and gets what the first had decided.
    cluster.propose(1, 0);
    run(&mut cluster, &[1, 2]);
    assert_eq!(cluster.decided.len(), 2);
    assert_eq!(cluster.decided[0], cluster.decided[1]);
}
