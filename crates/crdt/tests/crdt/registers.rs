//! Clocks and ties of registers, as users see them.

use cloudstate_crdt::{Any, Author, Clock, Difference, Limits, Plain, RegisterChange, Side};

use crate::support::*;

fn two() -> (Replica, Replica) {
    (Replica::new(1), Replica::new(2))
}

fn value(replica: &Replica) -> Any {
    match replica.plain() {
        Plain::LWWRegister(value) => value,
        other => panic!("{other:?}"),
    }
}

fn settle(mut a: Replica, b: &Replica) -> Any {
    let mut other = b.clone();
    other.merge(&a);
    a.merge(b);
    assert_eq!(a.state, other.state);
    value(&a)
}

fn write_when(replica: &mut Replica, change: &cloudstate_crdt::Change, now_ms: i64) {
    let author = Author {
        node: node(replica.number),
        now_ms,
    };
    replica.state.apply(change, author, &Limits::default()).unwrap();
}

#[test]
fn by_default_the_last_write_wins_even_if_clocks_go_back() {
    let (mut a, mut b) = two();
    write_when(&mut a, &write("early"), 100);
    write_when(&mut b, &write("late"), 200);
    assert_eq!(settle(a.clone(), &b), item("late"));
    a.merge(&b);
    write_when(&mut a, &write("seen all"), 50);
    assert_eq!(settle(a, &b), item("seen all"));
}

#[test]
fn with_a_reverse_clock_the_first_write_wins() {
    let (mut a, mut b) = two();
    write_when(&mut a, &write_at("early", Clock::Reverse, 0), 100);
    write_when(&mut b, &write_at("late", Clock::Reverse, 0), 200);
    write_when(&mut a, &write_at("too late", Clock::Reverse, 0), 300);
    assert_eq!(value(&a), item("early"));
    assert_eq!(settle(a, &b), item("early"));
}

#[test]
fn equal_clocks_go_to_the_lowest_node() {
    let (mut a, mut b) = two();
    a.apply(&write_at("a", Clock::Custom, 7));
    b.apply(&write_at("b", Clock::Custom, 7));
    let expected = if node(1) < node(2) { "a" } else { "b" };
    assert_eq!(settle(a.clone(), &b), item(expected));
    // Also when the other has been seen.
    let (lower, mut higher) = if node(1) < node(2) { (a, b) } else { (b, a) };
    higher.merge(&lower);
    higher.apply(&write_at("again", Clock::Custom, 7));
    assert_eq!(value(&higher), value(&lower));
}

#[test]
fn the_same_node_may_write_again_at_the_same_time() {
    let mut a = Replica::new(1);
    a.apply(&write_at("one", Clock::Custom, 7));
    a.apply(&write_at("two", Clock::Custom, 7));
    assert_eq!(value(&a), item("two"));
}

#[test]
fn a_write_with_an_old_clock_is_taken_and_the_winner_told() {
    let mut a = Replica::new(1);
    a.apply(&write_at("winner", Clock::Custom, 7));
    let mut known = a.plain();
    let change = write_at("loser", Clock::Custom, 6);
    a.apply(&change);
    known.apply(&change, Side::Function).unwrap();
    assert_eq!(known, Plain::LWWRegister(item("loser")));
    let told = RegisterChange {
        value: item("winner"),
        ..RegisterChange::default()
    };
    let difference = a.state.diff(Some(&known), &voters(1, &[])).unwrap();
    assert_eq!(
        difference,
        Difference::Change(cloudstate_crdt::Change::LWWRegister(told))
    );
}

#[test]
fn an_auto_increment_always_wins_over_what_was_seen() {
    let (mut a, mut b) = two();
    a.apply(&write_at("a", Clock::CustomAutoIncrement, 5));
    b.merge(&a);
    b.apply(&write_at("b", Clock::CustomAutoIncrement, 5));
    assert_eq!(value(&b), item("b"));
    a.apply(&write_at("concurrent", Clock::Custom, 6));
    let expected = if node(1) < node(2) { "concurrent" } else { "b" };
    assert_eq!(settle(a, &b), item(expected), "both are at 6");
}

#[test]
fn an_absent_value_is_the_empty_one() {
    let mut a = Replica::new(1);
    a.apply(&cloudstate_crdt::Change::LWWRegister(RegisterChange::default()));
    assert_eq!(value(&a), Any::default());
}
