//! Merging is a join: associative, commutative, idempotent; and a delta says what the state says.

use cloudstate_crdt::{Change, Delta, State};
use proptest::prelude::*;

use crate::support::*;

const NODES: u64 = 3;

/// What happens to a few replicas.
#[derive(Debug, Clone)]
enum Step {
    Change(u64, Change),
    /// The second merges the state of the first.
    Merge(u64, u64),
    /// The second merges the n-th delta so far.
    Delta(prop::sample::Index, u64),
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    mixed_changes(2).prop_flat_map(move |(_, changes)| {
        let step = prop_oneof![
            5 => (0..NODES, changes).prop_map(|(at, change)| Step::Change(at, change)),
            1 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Merge(from, to)),
            3 => (any::<prop::sample::Index>(), 0..NODES).prop_map(|(nth, to)| Step::Delta(nth, to)),
        ];
        prop::collection::vec(step, 1..most)
    })
}

/// A change as it was seen where it was made.
struct Made {
    before: State,
    delta: Delta,
    after: State,
}

fn run(steps: Vec<Step>) -> (Vec<Replica>, Vec<Made>) {
    let mut replicas: Vec<_> = (0..NODES).map(Replica::new).collect();
    let mut made: Vec<Made> = Vec::new();
    for step in steps {
        match step {
            Step::Change(at, change) => {
                let replica = &mut replicas[at as usize];
                let before = replica.state.clone();
                if let Ok(delta) = replica.try_apply(&change) {
                    let after = replica.state.clone();
                    made.push(Made { before, delta, after });
                } else {
                    assert_eq!(replica.state, before, "a refused change has changed something");
                }
            }
            Step::Merge(from, to) => {
                let from = replicas[from as usize].clone();
                replicas[to as usize].merge(&from);
            }
            Step::Delta(nth, to) if !made.is_empty() => {
                let delta = &made[nth.index(made.len())].delta;
                replicas[to as usize].state.merge_delta(delta);
            }
            Step::Delta(..) => {}
        }
    }
    (replicas, made)
}

fn merged(a: &State, b: &State) -> State {
    let mut merged = a.clone();
    let learned = merged.merge(b);
    assert_eq!(
        learned,
        merged != *a,
        "merge says wrongly whether it learned anything"
    );
    merged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn merging_is_a_join(steps in steps(24)) {
        let (replicas, made) = run(steps);
        let mut states: Vec<_> = replicas.into_iter().map(|replica| replica.state).collect();
        states.extend(made.into_iter().rev().take(2).map(|made| made.before));
        for a in &states {
            prop_assert_eq!(&merged(a, a), a, "not idempotent");
            prop_assert_eq!(&merged(a, &State::new()), a);
            prop_assert_eq!(&merged(&State::new(), a), a);
            for b in &states {
                let ab = merged(a, b);
                prop_assert_eq!(&ab, &merged(b, a), "not commutative");
                prop_assert_eq!(&merged(&ab, b), &ab, "not idempotent");
                for c in &states {
                    prop_assert_eq!(merged(&ab, c), merged(a, &merged(b, c)), "not associative");
                }
            }
        }
    }

    #[test]
    fn a_delta_says_what_the_state_says(steps in steps(24)) {
        let (replicas, made) = run(steps);
        for Made { before, delta, after } in &made {
            let mut state = before.clone();
            let learned = state.merge_delta(delta);
            prop_assert!(learned);
            prop_assert_eq!(&state, after);
            prop_assert!(!state.merge_delta(delta), "not idempotent");
            for replica in &replicas {
                let mut by_delta = merged(&replica.state, before);
                by_delta.merge_delta(delta);
                prop_assert_eq!(by_delta, merged(&replica.state, after));
            }
        }
    }

    #[test]
    fn deltas_may_come_in_any_order_and_batch(
        (made, order, cuts) in steps(20).prop_flat_map(|steps| {
            let made: Vec<_> = run(steps).1.into_iter().map(|made| made.delta).collect();
            let twice: Vec<_> = (0..made.len()).chain(0..made.len()).collect();
            let cuts = prop::collection::vec(any::<bool>(), twice.len());
            (Just(made), Just(twice).prop_shuffle(), cuts)
        })
    ) {
        let mut in_order = State::new();
        made.iter().for_each(|delta| { in_order.merge_delta(delta); });

        let (mut batched, mut batch) = (State::new(), Delta::default());
        for (nth, cut) in order.into_iter().zip(cuts) {
            batch.merge(&made[nth]);
            if cut {
                let batch = std::mem::take(&mut batch);
                batched.merge_delta(&batch);
            }
        }
        batched.merge_delta(&batch);
        prop_assert_eq!(batched, in_order);
    }
}
