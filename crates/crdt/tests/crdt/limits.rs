//! Numbers at their ends and maps in maps in maps.

use cloudstate_crdt::{Clock, DecodeReason, Delta, Error, Kind, Limits, NodeId, Plain, State};

use crate::support::*;

const MAX: u64 = i64::MAX as u64;

#[test]
fn a_counter_beyond_64_bits_is_an_error_and_no_wrap() {
    let mut a = Replica::new(1);
    a.apply(&increment(MAX));
    let before = a.state.clone();
    let error = a.try_apply(&increment(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "GCounter 9223372036854775808 is outside of the range of 64 bits"
    );
    assert_eq!(a.state, before);

    for (start, more) in [(i64::MAX, 1), (i64::MIN, -1)] {
        let mut a = Replica::new(1);
        a.apply(&count(start));
        let total = i128::from(start) + i128::from(more);
        let kind = Kind::PNCounter;
        assert_eq!(
            a.try_apply(&count(more)),
            Err(Error::CounterRange { kind, total })
        );
        a.apply(&count(-more));
    }
}

#[test]
fn nodes_may_exceed_it_together_and_get_back() {
    let (mut a, mut b) = (Replica::new(1), Replica::new(2));
    a.apply(&count(i64::MAX));
    b.apply(&count(i64::MAX));
    a.merge(&b);
    let error = a.state.diff(None, &voters(1, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PNCounter 18446744073709551614 is outside of the range of 64 bits"
    );
    a.try_apply(&count(-1)).unwrap_err();
    a.apply(&count(-i64::MAX));
    assert_eq!(a.plain(), Plain::PNCounter(i64::MAX));
}

#[test]
fn one_node_may_add_what_another_takes_away_for_ever() {
    let (mut a, mut b) = (Replica::new(1), Replica::new(2));
    for _ in 0..5 {
        a.merge(&b).apply(&count(i64::MAX));
        b.merge(&a).apply(&count(-i64::MAX));
    }
    assert_eq!(b.plain(), Plain::PNCounter(0));
}

#[test]
fn an_update_of_an_entry_beyond_64_bits_is_not_left_out_silently() {
    let mut a = Replica::new(1);
    a.apply(&put("k", increment(MAX)));
    let error = a.try_apply(&update("k", increment(1))).unwrap_err();
    assert!(matches!(error, Error::CounterRange { .. }), "{error}");
}

#[test]
fn a_clock_at_its_end_is_an_error() {
    let mut a = Replica::new(1);
    a.apply(&write_at("x", Clock::Custom, i64::MAX));
    let error = a.try_apply(&write("y")).unwrap_err();
    let text = "no write can follow the timestamp 9223372036854775807 of the LWWRegister";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_last_sequence_number_is_an_error_and_no_wrap() {
    // A flag that node (0, 1) has switched on with its last number: only that number is known.
    let mut bytes = vec![1, b's', 1];
    bytes.extend([0; 8]);
    bytes.extend([1, 0, 1]);
    let mut number = |mut number: u64| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    number(u64::MAX - 2);
    number(0);
    bytes.extend([2, Kind::Flag.number(), 1, 0]);
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    let mut state = State::decode(&bytes, &Limits::default()).unwrap();
    assert_eq!(plain(&state), Some(Plain::Flag(true)));
    let author = cloudstate_crdt::Author {
        node: NodeId::new(0, 1),
        now_ms: 0,
    };
    let error = state.apply(&flag(true), author, &Limits::default()).unwrap_err();
    assert_eq!(error, Error::SequenceLimit);
}

#[test]
fn maps_nest_as_deep_as_the_limit_says() {
    let nested = |depth: usize| (1..depth).fold(put("k", count(1)), |inner, _| put("k", inner));
    let limits = Limits {
        depth: 3,
        ..Limits::default()
    };
    let mut state = State::new();
    let delta = state.apply(&nested(3), author(1), &limits).unwrap();
    let error = State::new().apply(&nested(4), author(1), &limits).unwrap_err();
    assert_eq!(error.to_string(), "the delta is nested more than 3 levels deep");

    assert_eq!(State::decode(&state.encode(), &limits).as_ref(), Ok(&state));
    assert_eq!(Delta::decode(&delta.encode(), &limits).as_ref(), Ok(&delta));
    let less = Limits { depth: 2, ..limits };
    for reason in [
        State::decode(&state.encode(), &less).unwrap_err().reason,
        Delta::decode(&delta.encode(), &less).unwrap_err().reason,
    ] {
        assert_eq!(reason, DecodeReason::TooDeep { limit: 2 });
    }
}

#[test]
fn the_default_depth_fits_a_small_stack() {
    let deepest = || {
        let depth = Limits::default().depth;
        let change = (1..depth).fold(put("k", count(1)), |inner, _| put("k", inner));
        let mut a = Replica::new(1);
        let delta = a.apply(&change);
        let mut b = Replica::new(2);
        b.state.merge_delta(&delta);
        b.merge(&a);
        b.apply(&change);
        let decoded = State::decode(&b.state.encode(), &Limits::default()).unwrap();
        assert_eq!(decoded, b.state);
        b.state.fold(|node| node == self::node(1)).unwrap();
        whole(&b.state)
    };
    // 4 KiB for each of 32 levels, and as much again for what is around.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(deepest).unwrap().join().unwrap();
}

#[test]
fn bytes_beyond_the_limit_are_not_looked_at() {
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let error = State::decode(&[0; 11], &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a CRDT encoding: more than 10 bytes at byte 0"
    );
}
