//! Each type by itself, and the texts of the protocol.

use std::collections::BTreeSet;

use cloudstate_crdt::{Change, Delta, Error, Kind, MapChange, NodeId, Plain, State, VoteTotals, Voters};

use crate::support::*;

fn pair() -> (Replica, Replica) {
    (Replica::new(1), Replica::new(2))
}

fn set(texts: &[&str]) -> BTreeSet<cloudstate_crdt::Any> {
    items(texts).into_iter().collect()
}

#[test]
fn the_first_change_creates_and_neutral_ones_do_too() {
    assert!(State::new().is_empty());
    assert_eq!(plain(&State::new()), None);
    for kind in Kind::ALL {
        let mut replica = Replica::new(1);
        let delta = replica.apply(&neutral(kind));
        assert_eq!(replica.state.kind(), Some(kind));
        let mut expected = Plain::empty(kind);
        if kind == Kind::LWWRegister {
            expected = Plain::LWWRegister(item(""));
        }
        assert_eq!(replica.plain().kind(), expected.kind());
        if kind != Kind::Vote {
            assert_eq!(replica.plain(), expected);
        }
        let mut other = State::new();
        other.merge_delta(&delta);
        assert_eq!(other, replica.state, "{kind}");
    }
}

#[test]
fn counters_add_up_over_nodes() {
    let (mut a, mut b) = pair();
    a.apply(&increment(3));
    b.apply(&increment(4));
    b.apply(&increment(5));
    a.merge(&b);
    assert_eq!(a.plain(), Plain::GCounter(12));
    a.apply(&increment(0));
    assert_eq!(a.plain(), Plain::GCounter(12));

    let (mut a, mut b) = pair();
    a.apply(&count(3));
    b.apply(&count(-10));
    a.merge(&b);
    assert_eq!(a.plain(), Plain::PNCounter(-7));
}

#[test]
fn a_gcounter_is_never_decremented() {
    let mut a = Replica::new(1);
    a.apply(&increment(3));
    for (amount, text) in [(u64::MAX, "-1"), (1 << 63, "-9223372036854775808")] {
        let error = a.try_apply(&increment(amount)).unwrap_err();
        let text = format!("Cannot decrement a GCounter, requested amount was {text}");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(a.plain(), Plain::GCounter(3));
}

#[test]
fn an_addition_wins_over_a_concurrent_removal() {
    let (mut a, mut b) = pair();
    a.apply(&add(&["x", "y"]));
    b.merge(&a);
    b.apply(&add(&["x"]));
    a.apply(&remove(&["x", "y"]));
    converge(&mut [a.clone(), b.clone()]);
    a.merge(&b);
    assert_eq!(a.plain(), Plain::ORSet(set(&["x"])));
}

#[test]
fn clearing_removes_what_was_seen() {
    let (mut a, mut b) = pair();
    a.apply(&add(&["x", "y"]));
    b.merge(&a);
    b.apply(&add(&["z"]));
    let cleared = a.apply(&clear());
    assert_eq!(a.plain(), Plain::ORSet(set(&[])));
    b.state.merge_delta(&cleared);
    assert_eq!(b.plain(), Plain::ORSet(set(&["z"])));
}

#[test]
fn clear_and_remove_come_before_add() {
    let mut a = Replica::new(1);
    a.apply(&add(&["x", "y"]));
    a.apply(&Change::ORSet(cloudstate_crdt::SetChange {
        cleared: true,
        removed: items(&["z"]),
        added: items(&["z", "z"]),
    }));
    assert_eq!(a.plain(), Plain::ORSet(set(&["z"])));
}

#[test]
fn a_flag_stays_on() {
    let (mut a, mut b) = pair();
    a.apply(&flag(false));
    assert_eq!(a.plain(), Plain::Flag(false));
    b.apply(&flag(true));
    a.merge(&b);
    assert_eq!(a.plain(), Plain::Flag(true));
    a.apply(&flag(true));
    let error = a.try_apply(&flag(false)).unwrap_err();
    assert_eq!(error.to_string(), "Cannot switch off already enabled flag");
}

#[test]
fn votes_are_counted_over_the_members() {
    let (mut a, mut b) = pair();
    let mut c = Replica::new(3);
    a.apply(&vote(true));
    b.apply(&vote(true));
    c.apply(&vote(false));
    let state = converge(&mut [a, b, c]);
    let count = |own, members: &[u64]| {
        let members: Vec<NodeId> = members.iter().map(|number| node(*number)).collect();
        let voters = Voters {
            own: node(own),
            members: &members,
        };
        match state.plain(&voters).unwrap().unwrap() {
            Plain::Vote(totals) => (totals.self_vote, totals.votes_for, totals.total_voters),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(count(1, &[1, 2, 3]), (true, 2, 3));
    assert_eq!(count(3, &[1, 2, 3]), (false, 2, 3));
    assert_eq!(count(3, &[1, 3]), (false, 1, 2), "only members count");
    assert_eq!(
        count(4, &[1, 2, 3, 4]),
        (false, 2, 4),
        "who has not voted says no"
    );
}

#[test]
fn a_vote_can_be_taken_back_and_given_again() {
    let mut a = Replica::new(1);
    let voters = [node(1)];
    let read = |a: &Replica| match a.state.plain(&support_voters(&voters)).unwrap().unwrap() {
        Plain::Vote(VoteTotals { votes_for, .. }) => votes_for,
        other => panic!("{other:?}"),
    };
    let mut counts = Vec::new();
    for yes in [false, true, true, false, true] {
        a.apply(&vote(yes));
        counts.push(read(&a));
    }
    assert_eq!(counts, [0, 1, 1, 0, 1]);
}

fn support_voters(members: &[NodeId]) -> Voters<'_> {
    voters(1, members)
}

#[test]
fn another_type_is_refused_with_the_text_of_the_protocol() {
    let texts = [
        (
            telling(Kind::GCounter),
            count(1),
            "PNCounterDelta is incompatible with CRDT GCounter(3)",
        ),
        (
            telling(Kind::PNCounter),
            increment(1),
            "GCounterDelta is incompatible with CRDT PNCounter(-3)",
        ),
        (
            telling(Kind::GSet),
            add(&["x"]),
            "ORSetDelta is incompatible with CRDT GSet",
        ),
        (
            telling(Kind::ORSet),
            grow(&["x"]),
            "GSetDelta is incompatible with CRDT ORSet",
        ),
        (
            telling(Kind::LWWRegister),
            flag(true),
            "FlagDelta is incompatible with CRDT LWWRegister",
        ),
        (
            telling(Kind::Flag),
            vote(true),
            "VoteDelta is incompatible with CRDT Flag(true)",
        ),
        (
            telling(Kind::ORMap),
            write("x"),
            "LWWRegisterDelta is incompatible with CRDT ORMap",
        ),
        (
            telling(Kind::Vote),
            put("x", count(1)),
            "ORMapDelta is incompatible with CRDT Vote",
        ),
    ];
    for (first, second, text) in texts {
        let mut a = Replica::new(1);
        a.apply(&first);
        let before = a.state.clone();
        assert_eq!(a.try_apply(&second).unwrap_err().to_string(), text);
        assert_eq!(a.state, before);
    }
}

#[test]
fn an_entry_without_a_type_is_an_error_where_it_would_be_created() {
    let empty = || {
        let (key, change) = (item("k"), None);
        vec![cloudstate_crdt::Entry { key, change }]
    };
    let mut a = Replica::new(1);
    let added = Change::ORMap(MapChange {
        added: empty(),
        ..MapChange::default()
    });
    assert_eq!(a.try_apply(&added).unwrap_err().to_string(), "Empty delta");
    assert!(a.state.is_empty());
    let updated = Change::ORMap(MapChange {
        updated: empty(),
        ..MapChange::default()
    });
    a.apply(&updated);
    assert_eq!(a.plain(), Plain::empty(Kind::ORMap));
}

#[test]
fn an_update_of_what_is_gone_or_another_is_left_out() {
    let mut a = Replica::new(1);
    a.apply(&put("counter", increment(1)));
    a.apply(&put("flag", flag(true)));
    let before = a.plain();
    for change in [
        update("missing", count(1)),
        update("counter", count(1)),
        update("counter", increment(u64::MAX)),
        update("flag", flag(false)),
    ] {
        a.apply(&change);
        assert_eq!(a.plain(), before, "{change:?}");
    }
    // The others of the same change take effect, and leave no gap in what the node has written.
    let delta = a.apply(&Change::ORMap(MapChange {
        updated: vec![entry("flag", count(1)), entry("counter", increment(2))],
        ..MapChange::default()
    }));
    assert_eq!(a.plain(), {
        let mut expected = before;
        expected
            .apply(&update("counter", increment(2)), cloudstate_crdt::Side::Proxy)
            .unwrap();
        expected
    });
    let mut b = State::new();
    b.merge(&a.state);
    assert!(!b.merge_delta(&delta));
}

#[test]
fn what_is_left_out_leaves_no_trace_in_the_delta() {
    let mut a = Replica::new(1);
    let first = a.apply(&put("map", put("x", count(1))));
    // It fails at its end, after it has removed "x" and added "y".
    let nested = Change::ORMap(MapChange {
        removed: items(&["x"]),
        added: vec![entry("y", count(1)), entry("y", flag(true))],
        ..MapChange::default()
    });
    let second = a.apply(&update("map", nested));
    let mut b = State::new();
    b.merge_delta(&second);
    b.merge_delta(&first);
    assert_eq!(b, a.state);
    assert_eq!(whole(&b), put("map", put("x", count(1))));
}

#[test]
fn adding_what_is_there_changes_it_or_is_refused() {
    let (mut a, mut b) = pair();
    a.apply(&put("k", increment(1)));
    b.apply(&put("k", increment(2)));
    a.merge(&b);
    a.apply(&put("k", increment(4)));
    assert_eq!(plain_entry(&a, "k"), Some(Plain::GCounter(7)));
    let error = a.try_apply(&put("k", count(1))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PNCounterDelta is incompatible with CRDT GCounter(7)"
    );
}

#[test]
fn removing_and_adding_in_one_change_begins_anew() {
    let mut a = Replica::new(1);
    a.apply(&put("k", increment(5)));
    let mut b = a.clone();
    let delta = a.apply(&Change::ORMap(MapChange {
        removed: items(&["k"]),
        added: vec![entry("k", count(2)), entry("k", count(-3))],
        ..MapChange::default()
    }));
    assert_eq!(plain_entry(&a, "k"), Some(Plain::PNCounter(-1)));
    b.state.merge_delta(&delta);
    assert_eq!(a.state, b.state);
}

#[test]
fn an_update_wins_over_a_concurrent_removal_of_the_entry() {
    for kind in Kind::ALL {
        let (mut a, mut b) = pair();
        a.apply(&put("k", telling(kind)));
        b.merge(&a);
        a.apply(&drop_keys(&["k"]));
        assert_eq!(plain_entry(&a, "k"), None, "{kind}");
        b.apply(&update("k", neutral(kind)));
        converge(&mut [a.clone(), b.clone()]);
        a.merge(&b);
        // A flag's neutral change is refused, since the flag is on: there is no update.
        assert_eq!(plain_entry(&a, "k").is_some(), kind != Kind::Flag, "{kind}");
    }
}

#[test]
fn an_entry_that_is_emptied_stays() {
    let mut a = Replica::new(1);
    a.apply(&put("k", add(&["x"])));
    a.apply(&update("k", remove(&["x"])));
    assert_eq!(plain_entry(&a, "k"), Some(Plain::empty(Kind::ORSet)));
    a.apply(&drop_keys(&["k"]));
    assert_eq!(plain_entry(&a, "k"), None);
    assert_eq!(a.plain(), Plain::empty(Kind::ORMap));
}

#[test]
fn what_was_removed_does_not_come_back_with_the_key() {
    let (mut a, mut b) = pair();
    a.apply(&put("k", increment(5)));
    b.merge(&a);
    b.apply(&update("k", increment(2)));
    a.merge(&b);
    a.apply(&drop_keys(&["k"]));
    a.apply(&put("k", increment(1)));
    a.merge(&b);
    b.merge(&a);
    assert_eq!(plain_entry(&a, "k"), Some(Plain::GCounter(1)));
    assert_eq!(a.state, b.state);
}

#[test]
fn an_empty_delta_says_nothing() {
    let delta = Delta::default();
    assert!(delta.is_empty());
    let mut state = State::new();
    assert!(!state.merge_delta(&delta));
    assert_eq!(Error::EmptyDelta.to_string(), "Empty delta");
}

pub(crate) fn plain_entry(replica: &Replica, key: &str) -> Option<Plain> {
    match replica.plain() {
        Plain::ORMap(mut entries) => entries.remove(&item(key)),
        other => panic!("{other:?}"),
    }
}
