//! Nodes that end: their counts stay, their votes go, their names are forgotten.

use cloudstate_crdt::{Change, Kind, NodeId, Plain, State};
use proptest::prelude::*;

use crate::support::*;
use crate::types::plain_entry;

fn is(number: u64) -> impl Fn(NodeId) -> bool + Copy {
    move |other| other == node(number)
}

/// Folds as members do: all merge until they agree about the ended nodes, one folds, its delta spreads.
fn fold_together(members: &mut [Replica], ended: impl Fn(NodeId) -> bool + Copy) {
    converge(members);
    let agreed = members[0].state.frozen(ended).encode();
    assert!(
        members
            .iter()
            .all(|member| member.state.frozen(ended).encode() == agreed)
    );
    if let Some(delta) = members[0].state.fold(ended) {
        members.iter_mut().for_each(|member| {
            member.state.merge_delta(&delta);
        });
    }
}

#[test]
fn counts_of_ended_nodes_stay_and_cost_one_sum() {
    let mut survivor = Replica::new(0);
    survivor.apply(&put("k", increment(1)));
    let mut size = 0;
    for number in 1..50 {
        let mut short_lived = Replica::new(number);
        short_lived.merge(&survivor).apply(&put("k", increment(10)));
        short_lived.apply(&put("p", count(-1)));
        survivor.merge(&short_lived);
        fold_together(std::slice::from_mut(&mut survivor), is(number));
        survivor.state.forget(|node| node != self::node(0));
        assert_eq!(
            plain_entry(&survivor, "k"),
            Some(Plain::GCounter(1 + 10 * number))
        );
        assert_eq!(
            plain_entry(&survivor, "p"),
            Some(Plain::PNCounter(-(number as i64)))
        );
        assert!(
            survivor.state.nodes().count() <= 3,
            "itself, and who holds the two sums"
        );
        if number == 5 {
            size = survivor.state.encode().len();
        }
    }
    assert!(survivor.state.encode().len() <= size + 12);
}

#[test]
fn folding_again_changes_nothing() {
    let mut a = Replica::new(1);
    let mut b = Replica::new(2);
    b.apply(&count(3));
    a.merge(&b);
    assert!(a.state.fold(is(2)).is_some());
    let folded = a.state.clone();
    assert_eq!(a.state.fold(is(2)), None);
    a.merge(&b);
    assert_eq!(a.state, folded, "an old replica brings nothing back");
    assert_eq!(a.state.fold(is(9)), None, "nobody has heard of it");
    assert_eq!(State::new().fold(|_| true), None);
}

#[test]
fn several_may_fold_at_the_same_time() {
    let mut members: Vec<_> = (0..3).map(Replica::new).collect();
    for number in 3..6 {
        let mut ended = Replica::new(number);
        ended.apply(&count(number as i64));
        members[0].merge(&ended);
    }
    converge(&mut members);
    let ended = |other: NodeId| (3..6).any(|number| other == node(number));
    for member in &mut members {
        member.state.fold(ended);
        member.apply(&count(100));
    }
    converge(&mut members);
    assert_eq!(members[0].plain(), Plain::PNCounter(312));
}

#[test]
fn a_removal_during_the_fold_removes_what_is_folded() {
    let mut ended = Replica::new(9);
    ended.apply(&put("k", count(5)));
    let (mut a, mut b) = (Replica::new(1), Replica::new(2));
    a.merge(&ended).apply(&update("k", count(1)));
    b.merge(&a);
    let fold = a.state.fold(is(9)).unwrap();
    let removal = b.apply(&drop_keys(&["k"]));
    a.state.merge_delta(&removal);
    b.state.merge_delta(&fold);
    assert_eq!(a.state, b.state);
    assert_eq!(a.plain(), Plain::empty(Kind::ORMap));
}

#[test]
fn elements_and_values_of_ended_nodes_stay() {
    let mut ended = Replica::new(9);
    for kind in Kind::ALL {
        ended.apply(&put(&kind.to_string(), telling(kind)));
    }
    let mut a = Replica::new(1);
    a.merge(&ended);
    let before = a.plain();
    a.state.fold(is(9)).unwrap();
    assert_eq!(
        a.plain(),
        before,
        "the vote of another member is not shown by this view"
    );
    assert!(!a.state.forget(is(9)), "its elements are still there");
    for kind in Kind::ALL {
        a.apply(&drop_keys(&[&kind.to_string()]));
    }
    assert!(a.state.forget(is(9)));
    assert_eq!(a.state.nodes().collect::<Vec<_>>(), [node(1)]);
    assert!(!a.state.forget(is(9)));
}

#[test]
fn votes_of_ended_nodes_go_but_not_the_entry() {
    let mut ended = Replica::new(9);
    ended.apply(&put("v", vote(true)));
    let mut a = Replica::new(1);
    a.merge(&ended);
    let votes = |a: &Replica| {
        let members = [node(1), node(9)];
        match a.state.plain(&voters(1, &members)).unwrap() {
            Some(Plain::ORMap(entries)) => entries.get(&item("v")).cloned(),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(votes(&a), Some(Plain::Vote(totals)) if totals.votes_for == 1));
    a.state.fold(is(9)).unwrap();
    assert!(matches!(votes(&a), Some(Plain::Vote(totals)) if totals.votes_for == 0));
}

#[test]
fn members_that_do_not_agree_can_tell() {
    let (mut a, mut b) = (Replica::new(1), Replica::new(2));
    let mut ended = Replica::new(9);
    let first = ended.apply(&count(1));
    let second = ended.apply(&count(2));
    a.state.merge_delta(&first);
    b.state.merge_delta(&second);
    let frozen = |replica: &Replica| replica.state.frozen(is(9));
    assert_ne!(frozen(&a), frozen(&b));
    a.merge(&b);
    b.apply(&count(7));
    assert_eq!(frozen(&a), frozen(&b), "what members write does not matter");
}

#[derive(Debug, Clone)]
enum Step {
    Change(u64, Change),
    Merge(u64, u64),
    /// A node ends, if enough are left, and the others fold it.
    End(u64),
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = -20i64..20;
    let change = prop_oneof![value.clone().prop_map(count), value.prop_map(count),];
    let step = prop_oneof![
        8 => (0u64..6, change).prop_map(|(at, change)| Step::Change(at, change)),
        4 => (0u64..6, 0u64..6).prop_map(|(from, to)| Step::Merge(from, to)),
        1 => (0u64..6).prop_map(Step::End),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_count_is_lost_or_doubled_by_folding(steps in steps()) {
        let mut members: Vec<_> = (0..6).map(Replica::new).collect();
        let (mut gone, mut sum) = (Vec::new(), 0);
        for step in steps {
            let at = |number: u64| number as usize % members.len();
            match step {
                Step::Change(number, change) => {
                    let at = at(number);
                    members[at].apply(&change);
                    if let Change::PNCounter { change } = change { sum += change; }
                }
                Step::Merge(from, to) => {
                    let (from, to) = (at(from), at(to));
                    let from = members[from].clone();
                    members[to].merge(&from);
                }
                Step::End(number) if members.len() > 2 => {
                    let at = at(number);
                    let ended = members.remove(at);
                    // It leaves gracefully: somebody has its last state.
                    members[0].merge(&ended);
                    gone.push(node(ended.number));
                    fold_together(&mut members, |node| node == *gone.last().unwrap());
                }
                Step::End(_) => {}
                Step::Forget => members.iter_mut().for_each(|member| { member.state.forget(|node| gone.contains(&node)); }),
            }
        }
        let all = converge(&mut members);
        if !all.is_empty() {
            prop_assert_eq!(plain(&all), Some(Plain::PNCounter(sum)));
        }
        let mut forgotten = all;
        forgotten.forget(|node| gone.contains(&node));
        prop_assert!(forgotten.nodes().count() <= members.len() + 1, "the members, and one for all that ended");
    }

    /// The same history twice: in one of them members fold while the others go on. Nobody sees a difference.
    #[test]
    fn folding_is_not_seen_by_those_who_go_on(
        (before, after) in mixed_changes(2).prop_flat_map(|(_, changes)| {
            let before = prop::collection::vec((0u64..4, changes.clone(), any::<bool>()), 1..16);
            let after = prop::collection::vec((0u64..2, prop::option::weighted(0.6, changes), any::<bool>()), 0..16);
            (before, after)
        })
    ) {
        let mut replicas: Vec<_> = (0..4).map(Replica::new).collect();
        for (at, change, merges) in before {
            let _ = replicas[at as usize].try_apply(&change);
            if merges {
                let other = replicas[at as usize].clone();
                replicas[((at + 1) % 4) as usize].merge(&other);
            }
        }
        converge(&mut replicas);
        replicas.truncate(2);
        let mut folding = replicas.clone();
        for (at, change, folds) in after {
            let at = at as usize;
            for universe in [&mut replicas, &mut folding] {
                match &change {
                    Some(change) => drop(universe[at].try_apply(change)),
                    None => {
                        let other = universe[1 - at].clone();
                        universe[at].merge(&other);
                    }
                }
            }
            if folds {
                folding[at].state.fold(|other| other == node(2) || other == node(3));
            }
            for (replica, folding) in replicas.iter().zip(&folding) {
                prop_assert_eq!(plain(&folding.state), plain(&replica.state));
            }
        }
        prop_assert_eq!(plain(&converge(&mut folding)), plain(&converge(&mut replicas)));
    }

    /// Any type: what is visible stays as it is, and all folding members are equal.
    #[test]
    fn folding_changes_no_value(
        (kind, steps) in mixed_changes(2).prop_flat_map(|(kind, changes)| {
            (Just(kind), prop::collection::vec((0u64..4, changes, any::<bool>()), 1..24))
        })
    ) {
        let mut replicas: Vec<_> = (0..4).map(Replica::new).collect();
        for (at, change, merges) in steps {
            let _ = replicas[at as usize].try_apply(&change);
            if merges {
                let other = replicas[at as usize].clone();
                replicas[((at + 1) % 4) as usize].merge(&other);
            }
        }
        let before = converge(&mut replicas);
        let mut folded = before.clone();
        let delta = folded.fold(|other| other == node(2) || other == node(3));
        // Votes are read as node 0 alone sees them: those that go were not counted.
        prop_assert_eq!(plain(&folded), plain(&before), "{}", kind);
        prop_assert_eq!(folded.kind(), before.kind());
        let mut merged = folded.clone();
        merged.merge(&before);
        prop_assert_eq!(&merged, &folded);
        let mut by_delta = before.clone();
        if let Some(delta) = delta { by_delta.merge_delta(&delta); }
        prop_assert_eq!(by_delta, folded);
    }
}
