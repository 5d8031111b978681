//! The deltas that the conformance kit of the original expects (specification, CRDT, section 11).

use cloudstate_protocol::Any;
use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{
    FlagDelta, GCounterDelta, GSetDelta, LwwRegisterDelta, OrMapDelta, OrMapEntryDelta, OrSetDelta,
    PnCounterDelta, VoteDelta,
};

use crate::Primitive;
use crate::crdt::replicated::{Replicated, on_the_wire};
use crate::crdt::{
    Clock, Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, OutOfRange, PNCounter, Untyped, Vote, WrongType,
};

type Text = Primitive<String>;

fn any(text: &str) -> Any {
    Any::primitive(&text.to_owned())
}

fn key(text: &str) -> Text {
    text.into()
}

/// What a command changes.
fn command<T: Replicated>(state: &mut T, command: impl FnOnce(&mut T)) -> Option<Delta> {
    command(state);
    let change = state.change();
    state.settle();
    assert_eq!(state.change(), None, "settled");
    change
}

fn set_delta(cleared: bool, removed: &[&str], added: &[&str]) -> Option<Delta> {
    Some(Delta::Orset(OrSetDelta {
        cleared,
        removed: removed.iter().map(|text| any(text)).collect(),
        added: added.iter().map(|text| any(text)).collect(),
    }))
}

#[test]
fn counters_add_up_what_a_command_does() {
    let mut counter = PNCounter::default();
    let change = command(&mut counter, |counter| {
        assert_eq!(counter.add(5), Ok(5));
        assert_eq!(counter.add(-7), Ok(-2));
    });
    assert_eq!(change, Some(Delta::Pncounter(PnCounterDelta { change: -2 })));
    let nothing = command(&mut counter, |counter| {
        assert_eq!(counter.add(5), Ok(3));
        assert_eq!(counter.add(-5), Ok(-2));
    });
    assert_eq!(nothing, None);
    let mut counter = GCounter::default();
    let change = command(&mut counter, |counter| {
        assert_eq!(counter.increment(0), Ok(0));
        assert_eq!(counter.increment(3), Ok(3));
    });
    assert_eq!(change, Some(Delta::Gcounter(GCounterDelta { increment: 3 })));
}

#[test]
fn counters_stay_in_their_range() {
    let mut counter = GCounter::default();
    assert_eq!(counter.increment(1 << 63), Err(OutOfRange));
    assert_eq!(counter.increment((1 << 63) - 1), Ok((1 << 63) - 1));
    assert_eq!(counter.increment(1), Err(OutOfRange));
    let mut counter = PNCounter::default();
    assert_eq!(counter.add(i64::MAX), Ok(i64::MAX));
    assert_eq!(counter.add(1), Err(OutOfRange));
    counter.settle();
    assert_eq!(counter.add(-i64::MAX), Ok(0));
    assert_eq!(
        counter.add(-2),
        Err(OutOfRange),
        "no delta holds the whole change"
    );
    assert_eq!(counter.value(), 0);
}

#[test]
fn grow_only_sets_tell_new_elements_only() {
    let mut set = GSet::<Text>::default();
    let change = command(&mut set, |set| {
        assert!(set.add("a"));
        assert!(!set.add("a"));
    });
    assert_eq!(
        change,
        Some(Delta::Gset(GSetDelta {
            added: vec![any("a")]
        }))
    );
    assert_eq!(command(&mut set, |set| assert!(!set.add("a"))), None);
}

#[test]
fn sets_are_told_in_normal_form() {
    let mut set = ORSet::<Text>::default();
    let change = command(&mut set, |set| {
        set.add("a");
        set.clear();
        set.add("x");
    });
    assert_eq!(change, set_delta(true, &[], &["x"]));
    assert_eq!(
        command(&mut set, |set| assert!(!set.remove(&key("absent")))),
        None
    );
    let change = command(&mut set, |set| {
        set.add("y");
        set.add("z");
        set.remove(&key("z"));
        set.add("x");
    });
    assert_eq!(change, set_delta(false, &[], &["y"]));
    let change = command(&mut set, |set| {
        set.remove(&key("y"));
        set.add("z");
        set.add("y");
        set.remove(&key("x"));
    });
    assert_eq!(change, set_delta(false, &["x"], &["z"]));
    let change = command(&mut set, |set| {
        set.remove(&key("y"));
        set.remove(&key("z"));
    });
    assert_eq!(change, set_delta(true, &[], &[]), "the last one");
    assert_eq!(command(&mut set, ORSet::clear), None, "there is nothing to clear");
    let change = command(&mut set, |set| {
        set.add("a");
        set.remove(&key("a"));
    });
    assert_eq!(change, set_delta(true, &[], &[]));
}

#[test]
fn registers_tell_their_initial_value_and_every_write() {
    let delta = |text: &str, clock, custom_clock_value| {
        Some(Delta::Lwwregister(LwwRegisterDelta {
            value: Some(any(text)),
            clock,
            custom_clock_value,
        }))
    };
    let mut register = LWWRegister::<Text>::default();
    assert_eq!(command(&mut register, |_| {}), delta("", 0, 0));
    assert_eq!(command(&mut register, |it| it.set("")), None, "no other value");
    assert_eq!(command(&mut register, |it| it.set("a")), delta("a", 0, 0));
    for (clock, number, value) in [
        (Clock::Reverse, 1, 0),
        (Clock::Custom(7), 2, 7),
        (Clock::CustomAutoIncrement(8), 3, 8),
    ] {
        let change = command(&mut register, |it| it.set_with("a", clock));
        assert_eq!(change, delta("a", number, value), "the same value with a clock");
    }
    assert_eq!(
        command(&mut register, |it| it.set("b")),
        delta("b", 0, 0),
        "clocks are forgotten"
    );
}

#[test]
fn flags_and_votes_tell_changes_only() {
    let mut flag = Flag::default();
    assert_eq!(command(&mut flag, |_| {}), None);
    assert_eq!(
        command(&mut flag, Flag::enable),
        Some(Delta::Flag(FlagDelta { value: true }))
    );
    assert_eq!(command(&mut flag, Flag::enable), None);

    let mut vote = Vote::default();
    assert_eq!((vote.own(), vote.votes_for(), vote.voters()), (false, 0, 1));
    let own = |self_vote| {
        Some(Delta::Vote(VoteDelta {
            self_vote,
            ..VoteDelta::default()
        }))
    };
    assert_eq!(command(&mut vote, |vote| vote.vote(false)), None);
    assert_eq!(command(&mut vote, |vote| vote.vote(true)), own(true));
    assert_eq!((vote.own(), vote.votes_for(), vote.voters()), (true, 1, 1));
    let there_and_back = command(&mut vote, |vote| {
        vote.vote(false);
        vote.vote(true);
    });
    assert_eq!(there_and_back, None);
    let totals = VoteDelta {
        self_vote: true,
        votes_for: 2,
        total_voters: 3,
    };
    assert!(vote.apply(Delta::Vote(totals)).is_ok());
    assert!(vote.is_at_least_one() && vote.is_majority() && !vote.is_unanimous());
    assert_eq!(command(&mut vote, |vote| vote.vote(false)), own(false));
    assert_eq!((vote.votes_for(), vote.is_majority()), (1, false));
}

fn map_delta(
    cleared: bool,
    removed: &[&str],
    updated: &[(&str, i64)],
    added: &[(&str, i64)],
) -> Option<Delta> {
    let entries = |entries: &[(&str, i64)]| {
        let entry = |(key, change): &(&str, i64)| OrMapEntryDelta {
            key: Some(any(key)),
            delta: Some(on_the_wire(Delta::Pncounter(PnCounterDelta { change: *change }))),
        };
        entries.iter().map(entry).collect()
    };
    Some(Delta::Ormap(OrMapDelta {
        cleared,
        removed: removed.iter().map(|text| any(text)).collect(),
        updated: entries(updated),
        added: entries(added),
    }))
}

#[test]
fn maps_are_told_in_normal_form() {
    let mut map = ORMap::<Text, PNCounter>::default();
    let add = |map: &mut ORMap<Text, PNCounter>, key: &str, by| {
        assert!(map.get_or_create(key).add(by).is_ok());
    };
    let change = command(&mut map, |map| {
        map.get_or_create("zero");
        add(map, "p", 3);
    });
    assert_eq!(
        change,
        map_delta(false, &[], &[], &[("p", 3), ("zero", 0)]),
        "also a neutral one"
    );
    let change = command(&mut map, |map| {
        add(map, "p", 1);
        map.get_or_create("zero");
        add(map, "gone", 1);
        map.remove(&key("gone"));
    });
    assert_eq!(change, map_delta(false, &[], &[("p", 1)], &[]));
    let change = command(&mut map, |map| {
        map.remove(&key("p"));
        add(map, "p", 2);
    });
    assert_eq!(change, map_delta(false, &["p"], &[], &[("p", 2)]));
    let change = command(&mut map, |map| {
        map.remove(&key("p"));
        map.remove(&key("zero"));
    });
    assert_eq!(
        change,
        map_delta(false, &["p", "zero"], &[], &[]),
        "not cleared, though empty"
    );
    let change = command(&mut map, |map| {
        add(map, "p2", 1);
        map.clear();
        add(map, "g1", 5);
    });
    assert_eq!(change, map_delta(true, &[], &[], &[("g1", 5)]));
}

#[test]
fn a_state_without_a_type_becomes_what_is_first_asked_for_or_made_elsewhere() {
    let mut state = Untyped::default();
    assert_eq!(state.type_name(), None);
    assert_eq!(command(&mut state, |_| {}), None);
    let change = command(&mut state, |state| {
        assert!(state.pncounter().expect("there was nothing").add(3).is_ok());
    });
    assert_eq!(change, Some(Delta::Pncounter(PnCounterDelta { change: 3 })));
    let wrong = WrongType {
        actual: "PNCounter",
        asked: "GSet",
    };
    assert_eq!(state.gset().err(), Some(wrong));
    assert_eq!(wrong.to_string(), "the type is PNCounter, not GSet");
    assert!(state.apply(Delta::Flag(FlagDelta { value: true })).is_err());

    let mut unknown = Untyped::default();
    assert!(unknown.gcounter().is_ok(), "read, which nobody else knows of");
    assert!(unknown.apply(Delta::Flag(FlagDelta { value: true })).is_ok());
    assert!(unknown.flag().is_ok_and(|flag| flag.is_on()));

    let mut failed = Untyped::default();
    assert!(
        failed
            .gcounter()
            .is_ok_and(|counter| counter.increment(1).is_ok())
    );
    failed.roll_back();
    assert_eq!(failed.type_name(), None);
}

#[test]
fn an_entry_without_a_type_is_told_when_it_has_one() {
    let mut map = ORMap::<Text, Untyped>::default();
    assert_eq!(
        command(&mut map, |map| assert_eq!(
            map.get_or_create("k").type_name(),
            None
        )),
        None
    );
    let change = command(&mut map, |map| {
        assert!(
            map.get_or_create("k")
                .pncounter()
                .is_ok_and(|counter| counter.add(3).is_ok())
        );
    });
    assert_eq!(change, map_delta(false, &[], &[], &[("k", 3)]));
}
