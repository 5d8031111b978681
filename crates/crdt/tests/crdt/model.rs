//! Values against a model that knows the whole history: who had seen what when they changed something.

use std::collections::{BTreeMap, BTreeSet};

use cloudstate_crdt::{Any, Change, Clock, MapChange, Plain, SetChange};
use proptest::prelude::*;

use crate::support::*;

const NODES: usize = 3;

/// A change, where it was made, and the changes that its node had seen.
struct Past<C> {
    at: usize,
    seen: BTreeSet<usize>,
    change: C,
}

#[derive(Debug, Clone)]
enum Step<C> {
    Change(usize, C),
    Merge(usize, usize),
}

fn steps<C: std::fmt::Debug + Clone + 'static>(
    changes: impl Strategy<Value = C> + 'static,
) -> impl Strategy<Value = Vec<Step<C>>> {
    let step = prop_oneof![
        3 => (0..NODES, changes).prop_map(|(at, change)| Step::Change(at, change)),
        1 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Merge(from, to)),
    ];
    prop::collection::vec(step, 1..40)
}

/// Plays the steps, and compares each replica with what the model makes of the part of the history that it has seen.
fn play<C: Clone>(
    steps: Vec<Step<C>>,
    as_change: impl Fn(&C) -> Change,
    model: impl Fn(&[Past<C>], &BTreeSet<usize>) -> Option<Plain>,
) -> Result<(), TestCaseError> {
    let mut replicas: Vec<_> = (0..NODES as u64).map(Replica::new).collect();
    let mut seen = vec![BTreeSet::new(); NODES];
    let mut history = Vec::new();
    for step in steps {
        let touched = match step {
            Step::Change(at, change) => {
                replicas[at].apply(&as_change(&change));
                let past = seen[at].clone();
                seen[at].insert(history.len());
                history.push(Past {
                    at,
                    seen: past,
                    change,
                });
                at
            }
            Step::Merge(from, to) => {
                let (other, others) = (replicas[from].clone(), seen[from].clone());
                replicas[to].merge(&other);
                seen[to].extend(others);
                to
            }
        };
        prop_assert_eq!(plain(&replicas[touched].state), model(&history, &seen[touched]));
    }
    Ok(())
}

/// An addition is undone by the removals that had seen it.
fn set_model(history: &[Past<SetChange>], seen: &BTreeSet<usize>) -> Option<Plain> {
    let removes = |remover: usize, element: &Any, added: usize| {
        let Past { seen, change, .. } = &history[remover];
        seen.contains(&added) && (change.cleared || change.removed.contains(element))
    };
    let mut elements = BTreeSet::new();
    for &added in seen {
        for element in &history[added].change.added {
            if !seen.iter().any(|&remover| removes(remover, element, added)) {
                elements.insert(element.clone());
            }
        }
    }
    (!seen.is_empty()).then_some(Plain::ORSet(elements))
}

/// A step on a map of counters.
#[derive(Debug, Clone)]
enum OnMap {
    Add(Any, i64),
    Remove(Any),
    Clear,
}

impl OnMap {
    fn as_change(&self) -> Change {
        Change::ORMap(match self {
            OnMap::Add(key, change) => MapChange {
                added: vec![cloudstate_crdt::Entry {
                    key: key.clone(),
                    change: Some(count(*change)),
                }],
                ..MapChange::default()
            },
            OnMap::Remove(key) => MapChange {
                removed: vec![key.clone()],
                ..MapChange::default()
            },
            OnMap::Clear => MapChange {
                cleared: true,
                ..MapChange::default()
            },
        })
    }

    fn removes(&self, key: &Any) -> bool {
        match self {
            OnMap::Add(..) => false,
            OnMap::Remove(removed) => removed == key,
            OnMap::Clear => true,
        }
    }
}

/// Of each node the last addition to an entry counts, unless a removal had seen it. It stands for all that the node had added,
/// back to where it saw its own last addition removed.
fn map_model(history: &[Past<OnMap>], seen: &BTreeSet<usize>) -> Option<Plain> {
    let removed = |key: &Any, added: usize, seen: &BTreeSet<usize>| {
        let mut removers = seen.iter().map(|&remover| &history[remover]);
        removers.any(|remover| remover.change.removes(key) && remover.seen.contains(&added))
    };
    let mut sums: BTreeMap<(usize, &Any), (usize, i64)> = BTreeMap::new();
    for &past in seen {
        let Past { at, seen, change } = &history[past];
        if let OnMap::Add(key, change) = change {
            let before = sums.get(&(*at, key));
            let before = before.filter(|(last, _)| !removed(key, *last, seen));
            let sum = before.map_or(0, |(_, sum)| *sum) + change;
            sums.insert((*at, key), (past, sum));
        }
    }
    let mut entries: BTreeMap<Any, Plain> = BTreeMap::new();
    for ((_, key), (last, sum)) in sums {
        if removed(key, last, seen) {
            continue;
        }
        let entry = entries.entry(key.clone()).or_insert(Plain::PNCounter(0));
        entry.apply(&count(sum), cloudstate_crdt::Side::Proxy).unwrap();
    }
    (!seen.is_empty()).then_some(Plain::ORMap(entries))
}

/// Timestamps by the rules of the clocks; then the latest write wins, and of equal ones that of the lowest node.
fn register_model(history: &[Past<(Clock, i64, Any)>], seen: &BTreeSet<usize>) -> Option<Plain> {
    const NOW: i64 = 1_000;
    let mut timestamps: Vec<i64> = Vec::new();
    let rank = |timestamps: &[i64], past: usize| {
        let node = node(history[past].at as u64);
        (timestamps[past], std::cmp::Reverse(node), past)
    };
    for Past { seen, change, .. } in history {
        let (clock, custom, _) = change;
        let previous = seen.iter().map(|&past| rank(&timestamps, past)).max();
        let previous = previous.map(|(timestamp, ..)| timestamp);
        timestamps.push(match (clock, previous) {
            (Clock::Custom, _) | (Clock::CustomAutoIncrement, None) => *custom,
            (Clock::CustomAutoIncrement, Some(previous)) => (previous + 1).max(*custom),
            (Clock::Default, previous) => previous.map_or(NOW, |previous| NOW.max(previous + 1)),
            (Clock::Reverse, previous) => previous.map_or(-NOW, |previous| (-NOW).min(previous - 1)),
        });
    }
    let winner = seen.iter().max_by_key(|&&past| rank(&timestamps, past))?;
    Some(Plain::LWWRegister(history[*winner].change.2.clone()))
}

fn set_changes() -> impl Strategy<Value = SetChange> {
    changes_of(cloudstate_crdt::Kind::ORSet, 0).prop_map(|change| match change {
        Change::ORSet(change) => change,
        other => panic!("{other:?}"),
    })
}

fn map_steps() -> impl Strategy<Value = OnMap> {
    let key = || prop::sample::select(items(&["a", "b"]));
    prop_oneof![
        6 => (key(), -9i64..10).prop_map(|(key, change)| OnMap::Add(key, change)),
        2 => key().prop_map(OnMap::Remove),
        1 => Just(OnMap::Clear),
    ]
}

fn writes() -> impl Strategy<Value = (Clock, i64, Any)> {
    let clock = prop::sample::select((0..4).map(Clock::from_number).collect::<Vec<_>>());
    let value = prop::sample::select(items(&["a", "b", "c", "d", "e"]));
    (clock, 995i64..1_010, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_set_keeps_what_no_removal_has_seen(steps in steps(set_changes())) {
        play(steps, |change| Change::ORSet(change.clone()), set_model)?;
    }

    #[test]
    fn an_entry_keeps_what_no_removal_has_seen(steps in steps(map_steps())) {
        play(steps, OnMap::as_change, map_model)?;
    }

    #[test]
    fn the_last_write_wins(steps in steps(writes())) {
        let change = |(clock, custom, value): &(Clock, i64, Any)| {
            Change::LWWRegister(cloudstate_crdt::RegisterChange {
                value: value.clone(),
                clock: *clock,
                custom_clock_value: *custom,
            })
        };
        play(steps, change, register_model)?;
    }

    #[test]
    fn a_counter_is_the_sum(steps in steps(-9i64..10)) {
        play(steps, |change| count(*change), |history, seen| {
            let sum = seen.iter().map(|&past| history[past].change).sum();
            (!seen.is_empty()).then_some(Plain::PNCounter(sum))
        })?;
    }
}
