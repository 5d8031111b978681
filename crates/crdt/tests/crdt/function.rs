//! What the user function is told, and that it ends up with the replica's value.

use cloudstate_crdt::{
    Any, Change, Difference, Entry, Kind, MapChange, Plain, SetChange, Side, State, VoteTotals,
};
use proptest::prelude::*;

use crate::support::*;

fn told(state: &State, known: &Plain) -> Difference {
    state.diff(Some(known), &voters(1, &[node(1)])).unwrap()
}

fn change(difference: Difference) -> Change {
    match difference {
        Difference::Change(change) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn from_nothing_the_whole_value_even_a_neutral_one() {
    for kind in Kind::ALL {
        let mut a = Replica::new(1);
        a.apply(&neutral(kind));
        assert_eq!(whole(&a.state).kind(), kind);
    }
    let difference = State::new().diff(None, &voters(1, &[])).unwrap();
    assert_eq!(difference, Difference::None);
}

#[test]
fn only_votes_depend_on_who_votes_at_any_depth() {
    let in_a_map = |kind, depth: usize| {
        (0..depth).fold(neutral(kind), |change, _| {
            let added = vec![Entry {
                key: item("k"),
                change: Some(change),
            }];
            Change::ORMap(MapChange {
                added,
                ..MapChange::default()
            })
        })
    };
    for (kind, depth) in Kind::ALL
        .into_iter()
        .flat_map(|kind| [0, 1, 2].map(|depth| (kind, depth)))
    {
        let mut a = Replica::new(1);
        assert!(!a.state.has_votes());
        a.apply(&in_a_map(kind, depth));
        assert_eq!(a.state.has_votes(), kind == Kind::Vote, "{kind} {depth}");
    }
}

#[test]
fn counters_tell_the_difference() {
    let mut a = Replica::new(1);
    a.apply(&increment(5));
    assert_eq!(change(told(&a.state, &Plain::GCounter(2))), increment(3));
    assert_eq!(told(&a.state, &Plain::GCounter(5)), Difference::None);
    assert_eq!(told(&a.state, &Plain::GCounter(6)), Difference::Incompatible);
    let mut a = Replica::new(1);
    a.apply(&count(5));
    assert_eq!(change(told(&a.state, &Plain::PNCounter(9))), count(-4));
    assert_eq!(
        told(&a.state, &Plain::PNCounter(i64::MIN)),
        Difference::Incompatible
    );
}

#[test]
fn sets_tell_removals_and_additions_or_begin_anew() {
    let known = |texts: &[&str]| Plain::ORSet(items(texts).into_iter().collect());
    let mut a = Replica::new(1);
    a.apply(&add(&["a", "b", "c"]));
    let small = SetChange {
        removed: items(&["x"]),
        added: items(&["c"]),
        ..SetChange::default()
    };
    assert_eq!(
        change(told(&a.state, &known(&["a", "b", "x"]))),
        Change::ORSet(small)
    );
    let anew = SetChange {
        cleared: true,
        added: items(&["a", "b", "c"]),
        ..SetChange::default()
    };
    assert_eq!(
        change(told(&a.state, &known(&["a", "x", "y"]))),
        Change::ORSet(anew)
    );
    assert_eq!(change(told(&a.state, &known(&[]))), add(&["a", "b", "c"]));
    a.apply(&clear());
    assert_eq!(change(told(&a.state, &known(&["a"]))), clear());
    assert_eq!(told(&a.state, &known(&[])), Difference::None);

    let mut a = Replica::new(1);
    a.apply(&grow(&["a", "b"]));
    let known = |texts: &[&str]| Plain::GSet(items(texts).into_iter().collect());
    assert_eq!(change(told(&a.state, &known(&["a"]))), grow(&["b"]));
    assert_eq!(told(&a.state, &known(&["x"])), Difference::Incompatible);
}

#[test]
fn maps_tell_entry_by_entry() {
    let mut a = Replica::new(1);
    a.apply(&put("same", count(1)));
    a.apply(&put("more", count(5)));
    a.apply(&put("new", flag(false)));
    a.apply(&put("less", increment(1)));
    a.apply(&put("other", write("x")));
    let entries = [
        ("same", Plain::PNCounter(1)),
        ("more", Plain::PNCounter(2)),
        ("less", Plain::GCounter(9)),
        ("other", Plain::Flag(true)),
        ("gone", Plain::Flag(true)),
    ];
    let known = Plain::ORMap(entries.map(|(key, plain)| (item(key), plain)).into());
    let expected = MapChange {
        cleared: false,
        removed: items(&["gone", "less", "other"]),
        updated: vec![entry("more", count(3))],
        added: vec![
            entry("less", increment(1)),
            entry("new", flag(false)),
            entry("other", write("x")),
        ],
    };
    assert_eq!(change(told(&a.state, &known)), Change::ORMap(expected));
    for key in ["same", "more", "new", "less", "other"] {
        a.apply(&drop_keys(&[key]));
    }
    let cleared = MapChange {
        cleared: true,
        ..MapChange::default()
    };
    assert_eq!(change(told(&a.state, &known)), Change::ORMap(cleared));
}

#[test]
fn votes_tell_all_three_numbers_and_follow_membership() {
    let mut a = Replica::new(1);
    a.apply(&vote(true));
    let mut known = Plain::from_change(&vote(true), Side::Function).unwrap();
    let own = [node(1)];
    assert_eq!(
        told(&a.state, &known),
        Difference::None,
        "the function has counted itself"
    );
    let members = [node(1), node(2), node(3)];
    let difference = a.state.diff(Some(&known), &voters(1, &members)).unwrap();
    let totals = VoteTotals {
        self_vote: true,
        votes_for: 1,
        total_voters: 3,
    };
    assert_eq!(difference, Difference::Change(Change::Vote(totals)));
    known.apply(&Change::Vote(totals), Side::Proxy).unwrap();
    assert_eq!(
        a.state.diff(Some(&known), &voters(1, &members)).unwrap(),
        Difference::None
    );
    assert_ne!(
        a.state.diff(Some(&known), &voters(1, &own)).unwrap(),
        Difference::None
    );
}

#[test]
fn the_functions_value_follows_its_own_changes() {
    let mut known = Plain::empty(Kind::ORMap);
    known.apply(&put("k", count(2)), Side::Function).unwrap();
    known.apply(&update("k", count(3)), Side::Function).unwrap();
    known.apply(&update("missing", count(3)), Side::Function).unwrap();
    known.apply(&put("v", vote(true)), Side::Function).unwrap();
    let totals = VoteTotals {
        self_vote: true,
        votes_for: 1,
        total_voters: 1,
    };
    let expected = [(item("k"), Plain::PNCounter(5)), (item("v"), Plain::Vote(totals))];
    assert_eq!(known, Plain::ORMap(expected.into()));
    let error = known.apply(&count(1), Side::Function).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PNCounterDelta is incompatible with CRDT ORMap"
    );
}

/// Whether a function could have made the change: one derives it from its value, so that it never names what is not there.
fn is_from_a_function(change: &Change, known: &Plain) -> bool {
    let entry_is = |entries: &std::collections::BTreeMap<Any, Plain>, entry: &Entry, there: bool| {
        let Some(change) = &entry.change else { return false };
        let nested = match entries.get(&entry.key).filter(|_| there) {
            Some(plain) => plain.kind() == change.kind() && is_from_a_function(change, plain),
            None => is_from_a_function(change, &Plain::empty(change.kind())),
        };
        entries.contains_key(&entry.key) == there && nested
    };
    match (change, known) {
        (Change::ORMap(change), Plain::ORMap(entries)) => {
            let mut keys: Vec<_> = change
                .updated
                .iter()
                .chain(&change.added)
                .map(|entry| &entry.key)
                .collect();
            keys.extend(&change.removed);
            keys.sort();
            let distinct = keys.windows(2).all(|pair| pair[0] != pair[1]);
            distinct
                && !change.cleared
                && change.updated.iter().all(|entry| entry_is(entries, entry, true))
                && change.added.iter().all(|entry| entry_is(entries, entry, false))
        }
        _ => change.kind() == known.kind(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_difference_leads_to_the_value(
        (_, steps) in mixed_changes(2).prop_flat_map(|(kind, changes)| {
            (Just(kind), prop::collection::vec((0u64..3, changes), 1..20))
        }),
        members in 1u64..4,
    ) {
        let members: Vec<_> = (0..members).map(node).collect();
        let voters = voters(0, &members);
        let mut replicas: Vec<_> = (0..3).map(Replica::new).collect();
        let mut known = None;
        for (at, change) in steps {
            let is_fresh = known == replicas[0].state.plain(&voters).unwrap();
            let made = replicas[at as usize].try_apply(&change).is_ok();
            if at == 0 && made && is_fresh {
                let before = known.clone().unwrap_or_else(|| Plain::empty(change.kind()));
                if is_from_a_function(&change, &before) {
                    // The function's own change is not sent back, as long as it has not lost.
                    let mut own = before;
                    own.apply(&change, Side::Function).unwrap();
                    let may_differ = matches!(change, Change::LWWRegister(_) | Change::Vote(_) | Change::ORMap(_));
                    if !may_differ {
                        prop_assert_eq!(replicas[0].state.diff(Some(&own), &voters).unwrap(), Difference::None);
                    }
                    known = Some(own);
                }
            }
            if at > 0 {
                let other = replicas[at as usize].clone();
                replicas[0].merge(&other);
            }
            let state = &replicas[0].state;
            match state.diff(known.as_ref(), &voters).unwrap() {
                Difference::None => {}
                Difference::Change(change) => match &mut known {
                    Some(known) => known.apply(&change, Side::Proxy).unwrap(),
                    None => known = Some(Plain::from_change(&change, Side::Proxy).unwrap()),
                },
                Difference::Incompatible => known = state.plain(&voters).unwrap(),
            }
            prop_assert_eq!(&known, &state.plain(&voters).unwrap());
            prop_assert_eq!(state.diff(known.as_ref(), &voters).unwrap(), Difference::None);
        }
    }
}
