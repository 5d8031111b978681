//! Unary commands, failures and broken protocol (specification 5.4, 5.5, 14.1, 14.2).

use cloudstate_crdt::{Any, Change, Entry, MapChange};
use cloudstate_protocol::crdt::{CrdtDelta, CrdtStreamOut, crdt_state_action};

use super::super::*;
use super::harness::*;
use crate::harness::Client;

/// What a crash looks like with command 2 of `b` and the stream 3 of `s` beside what the text is about.
fn crash(text: &str) -> [String; 5] {
    [
        format!("report {text} - entity [e]"),
        "answer b: Violation(\"Entity terminating\")".to_owned(),
        "element s: Violation(\"Entity terminating\"), last".to_owned(),
        "reset".to_owned(),
        "stop Failed".to_owned(),
    ]
}

/// A PNCounter of 1, the command 2 of `b` open, the stream 3 of `s` accepted.
fn busy() -> Scenario {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.listens("s");
    entity.when(replies(3).streamed().into());
    entity
}

/// As `busy`, but of a function whose value is this.
fn busy_with(change: Change) -> Scenario {
    let mut entity = Scenario::running();
    entity.when(replies(1).change(change).into());
    entity.asks("b");
    entity.listens("s");
    entity.when(replies(3).streamed().into());
    entity
}

#[test]
fn replies_come_in_any_order_and_go_to_whom_they_answer() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.asks("c");
    assert_eq!(entity.when(replies(3).into()), ["answer c: ok"]);
    assert_eq!(entity.when(replies(2).effect("x").into()), ["answer b: ok + x"]);
}

#[test]
fn the_change_counts_whatever_the_client_is_told() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    assert_eq!(
        entity.when(replies(2).declining("no").change(count(4)).into()),
        ["answer b: declined, no"]
    );
    entity.asks("c");
    assert_eq!(
        entity.when(replies(3).silently().change(count(4)).into()),
        ["answer c: no message"]
    );
    assert_eq!(entity.count_here(), 9);
}

#[test]
fn the_answer_waits_for_the_consistency_that_the_change_asks_for() {
    let mut entity = Scenario::counting();
    for (id, consistency, how) in [(2, 0, ""), (3, 1, ", later"), (4, 2, ", later"), (5, 7, "")] {
        entity.asks("b");
        assert_eq!(
            entity.when(replies(id).change_at(count(1), consistency).into()),
            [format!("answer b: ok{how}")]
        );
    }
    assert_eq!(entity.count_here(), 5, "all of them are made here at once");
}

#[test]
fn a_state_action_without_an_action_changes_nothing() {
    let mut entity = Scenario::running();
    assert_eq!(entity.when(replies(1).state(None, 1).into()), ["answer a: ok"]);
    entity.asks("b");
    assert_eq!(entity.count_here(), 0);
}

#[test]
fn a_failure_that_names_a_command_fails_it_with_its_text_and_nothing_else() {
    let mut entity = busy();
    entity.elsewhere(&count(3));
    assert_eq!(
        entity.when(fails(2, "out of stock")),
        ["answer b: declined, out of stock", "delta +3"]
    );
    entity.asks("c");
    assert_eq!(entity.when(replies(4).into()), ["answer c: ok"]);
}

#[test]
fn a_failure_that_names_none_fails_the_entity() {
    assert_eq!(
        busy().when(fails(0, "out of memory")),
        crash("The user function failed the stream: out of memory")
    );
    assert_eq!(
        busy().when(fails(9, "what?")),
        crash("Received failure for unknown command id: 9")
    );
}

#[test]
fn a_reply_to_an_unknown_command_crashes() {
    for id in [0, 1, 3, 4, -1] {
        assert_eq!(
            busy().when(replies(id).into()),
            crash(&format!(
                "Received reply for entity id e for unknown command {id}"
            ))
        );
    }
}

#[test]
fn a_streamed_reply_to_a_unary_command_crashes() {
    assert_eq!(
        busy().when(replies(2).streamed().into()),
        crash("Streamed reply to non streamed command 2")
    );
}

#[test]
fn a_message_without_content_crashes() {
    let empty = CrdtStreamOut { message: None };
    assert_eq!(
        busy().when(Input::Message(empty)),
        crash("Received an empty or unknown message")
    );
}

#[test]
fn a_message_that_cannot_be_read_crashes_or_ends_what_closes_anyway() {
    let unreadable = || Input::Unreadable("too long".to_owned());
    assert_eq!(
        busy().when(unreadable()),
        crash("Received an unreadable message: too long")
    );
    let mut closing = Scenario::counting();
    closing.when(Input::Passivate);
    assert_eq!(closing.when(unreadable()), ["stop Passivated"]);
}

#[test]
fn changes_that_break_the_protocol_crash_and_change_nothing() {
    let empty = crdt_state_action::Action::Update(CrdtDelta { delta: None });
    assert_eq!(
        busy().when(replies(2).state(Some(empty), 0).into()),
        crash("Empty delta")
    );
    let mut entity = busy();
    assert_eq!(
        entity.when(replies(2).change(Change::Flag { value: true }).into()),
        crash("FlagDelta is incompatible with CRDT PNCounter(1)")
    );
    assert_eq!(entity.count_here(), 1);
    let minus_one = Change::GCounter { increment: u64::MAX };
    assert_eq!(
        busy_with(Change::GCounter { increment: 5 }).when(replies(2).change(minus_one.clone()).into()),
        crash("Cannot decrement a GCounter, requested amount was -1")
    );
    let mut first = Scenario::running();
    assert_eq!(
        first.when(replies(1).change(minus_one).into()),
        [
            "report Cannot decrement a GCounter, requested amount was -1 - entity [e]",
            "answer a: Violation(\"Entity terminating\")",
            "reset",
            "stop Failed"
        ]
    );
    assert_eq!(
        busy_with(Change::Flag { value: true }).when(replies(2).change(Change::Flag { value: false }).into()),
        crash("Cannot switch off already enabled flag")
    );
}

#[test]
fn a_change_that_no_longer_fits_the_replica_crashes() {
    let mut entity = busy();
    entity.concurrently(&Change::GCounter { increment: 4 });
    entity.hear();
    assert_eq!(
        entity.when(replies(2).change(count(1)).into()),
        crash("PNCounterDelta is incompatible with CRDT GCounter(4)")
    );
}

#[test]
fn updates_of_entries_that_are_gone_or_others_are_left_out() {
    let entry = |key: &str, change| Entry {
        key: Any::new("k", key.as_bytes()),
        change,
    };
    let minus_one = Change::GCounter { increment: u64::MAX };
    let added = vec![entry("g", Some(Change::GCounter { increment: 2 }))];
    let mut entity = busy_with(Change::ORMap(MapChange {
        added,
        ..MapChange::default()
    }));
    let updated = vec![
        entry("gone", Some(count(1))),
        entry("g", Some(count(1))),
        entry("g", Some(minus_one)),
        entry("g", None),
    ];
    let change = Change::ORMap(MapChange {
        updated,
        ..MapChange::default()
    });
    assert_eq!(entity.when(replies(2).change(change).into()), ["answer b: ok"]);
}

#[test]
fn the_function_going_away_fails_what_is_open_as_not_executed() {
    for (error, text) in [
        (None, "Unexpected entity termination due to stream closure"),
        (Some("broken pipe".to_owned()), "Entity crashed: broken pipe"),
    ] {
        assert_eq!(
            busy().when(Input::Closed(error)),
            [
                format!("log {text} - entity [e]"),
                "answer b: FunctionGone(\"Entity terminating\")".to_owned(),
                "element s: EntityFailed(\"Entity terminating\"), last".to_owned(),
                "reset".to_owned(),
                "stop Failed".to_owned()
            ]
        );
    }
}

#[test]
fn after_a_crash_the_next_command_starts_from_the_replica_with_new_ids() {
    let mut entity = busy();
    entity.when(fails(0, "boom"));
    assert!(entity.machine.is_stopped());
    assert_eq!(entity.asks("c"), ["open"]);
    assert_eq!(
        entity.when(Input::Opened),
        ["init +1", "command 1 c", "started 1"]
    );
}

#[test]
fn a_command_that_is_not_answered_in_time_crashes() {
    let mut entity = busy();
    let mut actions = Vec::new();
    let asked = command(Call::Unary(Client::new("c")), "c");
    entity.machine.handle(asked, 0, &mut actions);
    let operation = operation(&actions);
    assert!(entity.machine.is_open(operation));
    let mut expected = crash("the user function did not answer [c] in time").to_vec();
    expected.insert(0, "answer c: TimedOut { command: \"c\" }".to_owned());
    assert_eq!(entity.when(Input::Unanswered(operation)), expected);
    assert!(!entity.machine.is_open(operation));
}

#[test]
fn a_command_that_was_answered_is_not_too_late() {
    let mut entity = Scenario::counting();
    let mut actions = Vec::new();
    let asked = command(Call::Unary(Client::new("b")), "b");
    entity.machine.handle(asked, 0, &mut actions);
    let operation = operation(&actions);
    entity.when(replies(2).into());
    assert!(!entity.machine.is_open(operation));
    assert!(entity.when(Input::Unanswered(operation)).is_empty());
}

#[test]
fn a_caller_who_has_gone_is_not_asked_for() {
    let mut entity = Scenario::counting();
    let client = Client::new("b");
    client.leaves();
    assert!(entity.when(command(Call::Unary(client), "b")).is_empty());
    let mut entity = Scenario::unused();
    let client = Client::new("b");
    entity.when(command(Call::Unary(client.clone()), "b"));
    entity.asks("c");
    client.leaves();
    assert_eq!(entity.when(Input::Opened), ["init", "command 1 c", "started 1"]);
}

#[test]
fn what_waits_for_the_stream_is_bounded() {
    let mut entity = Scenario::with_limits(2, 3);
    assert_eq!(entity.asks("a"), ["open"]);
    assert!(entity.asks("b").is_empty());
    assert_eq!(
        entity.asks("c"),
        ["answer c: QueueFull(\"2 commands already wait for entity [e], the limit of its queue\")"]
    );
    let mut entity = Scenario::with_limits(2, 3);
    entity.asks("a");
    assert_eq!(
        entity.listens("long"),
        [
            "element long: QueueFull(\"commands of more than 3 bytes wait for entity [e], the limit of its queue\"), \
          last"
        ]
    );
}
