//! When the function is told what others did (specification 5.1 to 5.3, 6.5, 14.11, 14.16).

use cloudstate_crdt::{Any, Change, Clock, RegisterChange, VoteTotals};

use super::super::*;
use super::harness::*;
use crate::harness::Client;

fn register(value: &str, clock: Clock, custom_clock_value: i64) -> Change {
    Change::LWWRegister(RegisterChange {
        value: Any::new("type.googleapis.com/shop.Text", value.as_bytes()),
        clock,
        custom_clock_value,
    })
}

#[test]
fn init_has_the_whole_value_and_commands_that_waited_follow_in_order() {
    let mut entity = Scenario::unused();
    entity.elsewhere(&count(5));
    assert_eq!(entity.asks("a"), ["open"]);
    assert!(entity.asks("b").is_empty());
    assert_eq!(
        entity.when(Input::Opened),
        ["init +5", "command 1 a", "started 1", "command 2 b", "started 2"]
    );
}

#[test]
fn what_changes_while_the_stream_opens_is_in_init() {
    let mut entity = Scenario::opening();
    assert!(entity.elsewhere(&count(5)).is_empty());
    assert_eq!(
        entity.when(Input::Opened),
        ["init +5", "command 1 a", "started 1"]
    );
    assert_eq!(entity.when(replies(1).into()), ["answer a: ok"]);
}

#[test]
fn a_change_elsewhere_is_told_at_once_if_nothing_is_open() {
    let mut entity = Scenario::counting();
    assert_eq!(entity.elsewhere(&count(3)), ["delta +3"]);
    assert_eq!(entity.elsewhere(&count(-4)), ["delta -4"]);
    assert!(entity.when(Input::Changed).is_empty(), "no difference, no delta");
}

#[test]
fn the_first_delta_of_a_function_without_a_value_is_the_whole_one() {
    let mut entity = Scenario::running();
    entity.when(replies(1).into());
    assert_eq!(entity.elsewhere(&count(0)), ["delta +0"]);
    assert_eq!(entity.elsewhere(&count(2)), ["delta +2"]);
}

#[test]
fn what_happened_elsewhere_during_a_command_is_one_delta_after_its_reply() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    assert!(entity.elsewhere(&count(3)).is_empty());
    assert!(entity.elsewhere(&count(6)).is_empty());
    assert_eq!(
        entity.when(replies(2).change(count(2)).into()),
        ["answer b: ok", "delta +9"]
    );
    assert_eq!(entity.count_here(), 12);
}

#[test]
fn changes_that_cancel_each_other_out_are_not_told() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.elsewhere(&count(3));
    entity.elsewhere(&count(-3));
    assert_eq!(entity.when(replies(2).change(count(2)).into()), ["answer b: ok"]);
}

#[test]
fn only_the_last_of_several_open_commands_lets_the_delta_go() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.asks("c");
    entity.elsewhere(&count(3));
    assert_eq!(entity.when(replies(3).into()), ["answer c: ok"]);
    entity.asks("d");
    assert_eq!(entity.when(replies(2).change(count(1)).into()), ["answer b: ok"]);
    assert_eq!(entity.when(replies(4).into()), ["answer d: ok", "delta +3"]);
}

#[test]
fn the_function_is_never_told_its_own_change() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    assert_eq!(entity.when(replies(2).change(count(7)).into()), ["answer b: ok"]);
    assert!(entity.when(Input::Changed).is_empty());
}

#[test]
fn a_write_that_loses_is_answered_and_then_the_winner_is_told() {
    let mut entity = Scenario::running();
    entity.when(replies(1).change(register("first", Clock::Custom, 10)).into());
    entity.asks("b");
    assert_eq!(
        entity.when(replies(2).change(register("older", Clock::Custom, 5)).into()),
        ["answer b: ok", "delta = first"]
    );
}

#[test]
fn the_totals_of_a_vote_follow_the_members_at_once() {
    let mut entity = Scenario::running();
    let yes = VoteTotals {
        self_vote: true,
        ..VoteTotals::default()
    };
    entity.when(replies(1).change(Change::Vote(yes)).into());
    assert_eq!(entity.grows(), ["delta vote true 1/2"]);
}

#[test]
fn a_value_that_no_delta_leads_to_begins_anew() {
    let mut entity = Scenario::counting();
    // A flag's number is higher than that of a PNCounter, a GCounter's is lower.
    entity.concurrently(&Change::GCounter { increment: 4 });
    assert_eq!(
        entity.hear(),
        [
            "log Restarting entity [e]: other nodes made another CRDT of it",
            "half-close"
        ]
    );
    assert_eq!(entity.closes(), ["stop Passivated", "open"]);
    assert_eq!(entity.when(Input::Opened), ["init +4"]);
    assert!(entity.machine.is_idle());
}

#[test]
fn streams_end_when_the_value_begins_anew() {
    let mut entity = Scenario::streaming();
    entity.concurrently(&Change::GCounter { increment: 4 });
    assert_eq!(
        entity.hear(),
        [
            "log Restarting entity [e]: other nodes made another CRDT of it",
            "element s: EntityFailed(\"Entity terminating\"), last",
            "half-close"
        ]
    );
}

#[test]
fn a_value_beyond_the_wire_fails_the_commands_that_wait_for_it() {
    // Both nodes have added without knowing of each other.
    let mut counting = Scenario::counting();
    counting.concurrently(&count(i64::MAX));
    assert_eq!(
        counting.hear(),
        [
            "report PNCounter 9223372036854775808 is outside of the range of 64 bits - entity [e]",
            "reset",
            "stop Failed"
        ]
    );
    assert_eq!(counting.asks("b"), ["open"]);
    let text = "the state of entity [e] cannot be read: PNCounter 9223372036854775808 is outside of the range of 64 \
                bits";
    assert_eq!(
        counting.when(Input::Opened),
        [
            format!("log {text}"),
            format!("answer b: LoadFailed({text:?})"),
            "reset".to_owned(),
            "stop Failed".to_owned()
        ]
    );
}

#[test]
fn the_callers_metadata_goes_to_the_function_if_it_is_there() {
    let mut entity = Scenario::counting();
    let input = Input::Command(Command {
        caller: Call::Unary(Client::new("b")),
        name: "b".into(),
        payload: crate::harness::any("b"),
        metadata: Some(crate::harness::metadata()),
    });
    assert_eq!(entity.when(input), ["command 2 b with metadata", "started 2"]);
}
