//! A node that was ended while it was away comes back: nothing of its own is lost, nothing doubled.

use cloudstate_crdt::{Change, Clock, Delta, Kind, NodeId, Plain, Returning, State};
use proptest::prelude::*;

use crate::support::*;
use crate::types::plain_entry;

/// A new start of the same node.
fn renewed(number: u64) -> NodeId {
    NodeId::new(node(number).address, 2)
}

fn is(number: u64) -> impl Fn(NodeId) -> bool + Copy {
    move |other| other == node(number)
}

fn come_back(member: &mut Replica, away: &Replica, frozen: &State) -> Delta {
    let returning = Returning {
        former: node(away.number),
        renewed: renewed(away.number),
        replica: &away.state,
        frozen,
    };
    member.state.rejoin(returning, |_| false).unwrap()
}

/// Node 9 does the first changes where node 1 hears it, the second while it is away. Node 1 ends it, and does the third.
/// Then node 9 comes back.
fn story(heard: &[Change], unheard: &[Change], meanwhile: &[Change]) -> Replica {
    let (mut member, mut away) = (Replica::new(1), Replica::new(9));
    heard.iter().for_each(|change| {
        away.apply(change);
    });
    member.merge(&away);
    unheard.iter().for_each(|change| {
        away.apply(change);
    });
    let frozen = member.state.frozen(is(9));
    member.state.fold(is(9));
    meanwhile.iter().for_each(|change| {
        member.apply(change);
    });

    let mut other = member.clone();
    let delta = come_back(&mut member, &away, &frozen);
    // The others learn it by the delta and the repair that follows.
    other.state.merge_delta(&delta);
    other.merge(&member);
    assert_eq!(other.state, member.state);
    member.state.forget(is(9));
    member
}

#[test]
fn counts_are_brought_home_once() {
    let member = story(&[count(5)], &[count(10), count(-3)], &[count(100)]);
    assert_eq!(member.plain(), Plain::PNCounter(112));
    let member = story(&[increment(5)], &[], &[increment(100)]);
    assert_eq!(member.plain(), Plain::GCounter(105));
    let member = story(&[], &[increment(5)], &[]);
    assert_eq!(
        member.plain(),
        Plain::GCounter(5),
        "nobody had heard of the counter"
    );
    let member = story(&[put("k", increment(5))], &[update("k", increment(1))], &[]);
    assert_eq!(plain_entry(&member, "k"), Some(Plain::GCounter(6)));
}

#[test]
fn elements_are_brought_home_and_removals_too() {
    let member = story(
        &[add(&["a", "b"])],
        &[remove(&["a"]), add(&["c"])],
        &[add(&["d"])],
    );
    assert_eq!(
        member.plain(),
        Plain::ORSet(items(&["b", "c", "d"]).into_iter().collect())
    );
    let member = story(&[add(&["a", "b"])], &[], &[remove(&["a"])]);
    assert_eq!(
        member.plain(),
        Plain::ORSet(items(&["b"]).into_iter().collect()),
        "removed by a member"
    );
    let member = story(&[put("k", grow(&["a"]))], &[update("k", grow(&["b"]))], &[]);
    assert_eq!(
        plain_entry(&member, "k"),
        Some(Plain::GSet(items(&["a", "b"]).into_iter().collect()))
    );
}

#[test]
fn registers_keep_their_timestamps() {
    let early = |text| write_at(text, Clock::Custom, 1);
    let late = |text| write_at(text, Clock::Custom, 2);
    let member = story(&[early("heard")], &[late("unheard")], &[]);
    assert_eq!(member.plain(), Plain::LWWRegister(item("unheard")));
    let member = story(&[], &[early("unheard")], &[late("meanwhile")]);
    assert_eq!(member.plain(), Plain::LWWRegister(item("meanwhile")));
}

#[test]
fn flags_and_empty_values_are_brought_home() {
    let member = story(&[flag(false)], &[flag(true)], &[]);
    assert_eq!(member.plain(), Plain::Flag(true));
    for kind in Kind::ALL {
        let member = story(&[], &[put("k", neutral(kind))], &[]);
        assert_eq!(plain_entry(&member, "k").map(|plain| plain.kind()), Some(kind));
    }
}

#[test]
fn votes_go_on_under_the_new_identity() {
    let votes = |member: &Replica| {
        let members = [node(1), renewed(9)];
        match member.state.plain(&voters(1, &members)).unwrap() {
            Some(Plain::Vote(totals)) => totals.votes_for,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(votes(&story(&[vote(true)], &[], &[])), 1);
    assert_eq!(votes(&story(&[vote(true)], &[vote(false)], &[])), 0);
    assert_eq!(votes(&story(&[], &[vote(true)], &[vote(true)])), 2);
}

#[test]
fn a_removal_meanwhile_holds_against_what_it_had_seen() {
    let member = story(&[put("k", count(5))], &[], &[drop_keys(&["k"])]);
    assert_eq!(plain_entry(&member, "k"), None);
    let member = story(
        &[put("k", add(&["a"]))],
        &[update("k", add(&["b"]))],
        &[drop_keys(&["k"])],
    );
    let expected = Plain::ORSet(items(&["b"]).into_iter().collect());
    assert_eq!(plain_entry(&member, "k"), Some(expected), "an update wins");
}

#[test]
fn what_it_knows_of_others_that_ended_is_theirs_to_bring() {
    // 8 and 9 are away together. 9 knows what 8 did meanwhile; both come back.
    let (mut member, mut eight, mut nine) = (Replica::new(1), Replica::new(8), Replica::new(9));
    eight.apply(&count(1));
    nine.apply(&count(10));
    member.merge(&eight).merge(&nine);
    eight.apply(&count(2));
    nine.merge(&eight).apply(&count(20));
    eight.merge(&nine);

    let ended = |other: NodeId| other == node(8) || other == node(9);
    let frozen = [8, 9].map(|number| member.state.frozen(is(number)));
    member.state.fold(ended);
    for (away, frozen) in [&nine, &eight].into_iter().zip([&frozen[1], &frozen[0]]) {
        let returning = Returning {
            former: node(away.number),
            renewed: renewed(away.number),
            replica: &away.state,
            frozen,
        };
        member.state.rejoin(returning, ended).unwrap();
    }
    assert_eq!(member.plain(), Plain::PNCounter(33));
}

#[test]
fn what_it_knows_of_members_comes_along() {
    let (mut member, mut away) = (Replica::new(1), Replica::new(9));
    let mut other = Replica::new(2);
    other.apply(&add(&["from two"]));
    away.merge(&other);
    let frozen = member.state.frozen(is(9));
    come_back(&mut member, &away, &frozen);
    assert_eq!(
        member.plain(),
        Plain::ORSet(items(&["from two"]).into_iter().collect())
    );
}

/// A partition of two and three nodes; the three end the two and fold them, the two come back, and it happens again.
#[derive(Debug, Clone)]
struct Round {
    away: [u64; 2],
    before: Vec<(u64, i64)>,
    /// Changes by all, and merges inside each side.
    during: Vec<(u64, Option<i64>)>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let before = prop::collection::vec((0u64..5, -20i64..20), 0..6);
    let during = prop::collection::vec((0u64..5, prop::option::weighted(0.7, -20i64..20)), 0..14);
    let round = (0u64..5, 1u64..5, before, during).prop_map(|(first, offset, before, during)| Round {
        away: [first, (first + offset) % 5],
        before,
        during,
    });
    prop::collection::vec(round, 1..4)
}

fn nested(is_nested: bool, change: i64) -> Change {
    if is_nested {
        put("k", count(change))
    } else {
        count(change)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_count_is_lost_or_doubled_by_partitions_and_returns(rounds in rounds(), is_nested in any::<bool>()) {
        struct Node { id: NodeId, state: State }
        let mut nodes: Vec<_> = (0..5).map(|number| Node { id: node(number), state: State::new() }).collect();
        let mut sum = 0;
        let apply = |node: &mut Node, change: i64| {
            let author = cloudstate_crdt::Author { node: node.id, now_ms: 0 };
            node.state.apply(&nested(is_nested, change), author, &cloudstate_crdt::Limits::default()).unwrap()
        };
        let mut ended = Vec::new();
        for (generation, round) in rounds.into_iter().enumerate() {
            for (at, change) in round.before {
                let delta = apply(&mut nodes[at as usize], change);
                sum += change;
                // Half of the deltas are lost.
                nodes[(at as usize + 1) % 5].state.merge_delta(&delta);
            }
            let is_away = |at: usize| round.away.contains(&(at as u64));
            for (at, change) in round.during {
                let at = at as usize;
                if let Some(change) = change {
                    apply(&mut nodes[at], change);
                    sum += change;
                } else {
                    let state = nodes[at].state.clone();
                    let side = (0..5).filter(|other| is_away(*other) == is_away(at));
                    side.for_each(|other| { nodes[other].state.merge(&state); });
                }
            }
            // The three agree, and end the two.
            let mut members = State::new();
            (0..5).filter(|at| !is_away(*at)).for_each(|at| { members.merge(&nodes[at].state); });
            let frozen = round.away.map(|away| {
                let id = nodes[away as usize].id;
                ended.push(id);
                members.frozen(|node| node == id)
            });
            members.fold(|node| ended.contains(&node));
            // The two come back one after the other.
            for (away, frozen) in round.away.iter().zip(&frozen) {
                let node = &mut nodes[*away as usize];
                let renewed = NodeId::new(node.id.address, generation as u64 + 2);
                let returning = Returning { former: node.id, renewed, replica: &node.state, frozen };
                members.rejoin(returning, |node| ended.contains(&node)).unwrap();
                node.id = renewed;
            }
            nodes.iter_mut().for_each(|node| node.state = members.clone());
        }
        let value = match plain(&nodes[0].state) {
            Some(Plain::ORMap(entries)) => entries.into_values().next(),
            other => other,
        };
        prop_assert_eq!(value.unwrap_or(Plain::PNCounter(0)), Plain::PNCounter(sum));
    }
}
