//! Streamed commands (specification 5.6, 14.3 to 14.6).

use super::super::*;
use super::harness::*;

#[test]
fn a_streamed_reply_keeps_the_stream_open_and_messages_follow() {
    let mut entity = Scenario::counting();
    assert_eq!(entity.listens("s"), ["streamed command 2 s", "started 2"]);
    assert_eq!(
        entity.when(replies(2).streamed().silently().change_at(count(2), 1).into()),
        ["element s: no message, later"]
    );
    assert_eq!(entity.count_here(), 3);
    assert_eq!(entity.when(streams(2).into()), ["element s: ok"]);
    assert_eq!(
        entity.when(streams(2).silently().effect("x").into()),
        ["element s: no message + x"]
    );
    assert!(entity.when(streams(2).silently().into()).is_empty());
    assert!(!entity.machine.is_idle());
}

#[test]
fn deltas_go_to_the_function_while_streams_are_open() {
    let mut entity = Scenario::streaming();
    assert_eq!(entity.elsewhere(&count(3)), ["delta +3"]);
    assert_eq!(entity.when(streams(2).into()), ["element s: ok"]);
}

#[test]
fn deltas_wait_for_the_first_reply() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert!(entity.elsewhere(&count(3)).is_empty());
    assert_eq!(
        entity.when(replies(2).streamed().into()),
        ["element s: ok", "delta +3"]
    );
}

#[test]
fn a_reply_that_is_not_streamed_ends_the_stream_with_and_without_a_change() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert_eq!(entity.when(replies(2).into()), ["element s: ok, last"]);
    entity.listens("t");
    assert_eq!(
        entity.when(replies(3).change(count(1)).into()),
        ["element t: ok, last"]
    );
    entity.listens("u");
    assert_eq!(
        entity.when(replies(4).silently().into()),
        ["element u: no message, last"]
    );
    assert!(entity.machine.is_idle());
}

#[test]
fn the_function_ends_a_stream_with_or_without_a_message_and_hears_no_more_of_it() {
    let mut entity = Scenario::streaming();
    assert_eq!(entity.when(streams(2).ends().into()), ["element s: ok, last"]);
    assert!(entity.leaves("s").is_empty());
    let mut entity = Scenario::streaming();
    assert_eq!(
        entity.when(streams(2).silently().ends().into()),
        ["element s: no message, last"]
    );
    assert!(entity.machine.is_idle());
    assert_eq!(
        entity.when(streams(2).into()),
        ["report Received streamed message for unknown command id: 2"]
    );
}

#[test]
fn messages_of_unknown_streams_are_reported_and_harm_nobody() {
    let mut entity = Scenario::streaming();
    entity.listens("t");
    for id in [0, 1, 3, 9] {
        assert_eq!(
            entity.when(streams(id).into()),
            [format!(
                "report Received streamed message for unknown command id: {id}"
            )]
        );
    }
    assert_eq!(entity.when(streams(2).into()), ["element s: ok"]);
}

#[test]
fn when_the_client_goes_the_function_is_told_and_deltas_wait_for_its_response() {
    let mut entity = Scenario::streaming();
    entity.listens("t");
    entity.when(replies(3).streamed().into());
    assert_eq!(entity.leaves("s"), ["cancelled 2", "started 2"]);
    assert!(entity.elsewhere(&count(3)).is_empty());
    assert_eq!(
        entity.when(responds(2).change_at(count(1), 1).effect("x").into()),
        ["settle s: x, later", "delta +3"]
    );
    assert_eq!(entity.count_here(), 5);
    assert_eq!(entity.when(streams(3).into()), ["element t: ok"]);
    assert!(!entity.machine.is_idle());
    entity.leaves("t");
    assert!(entity.when(responds(3).into()).is_empty());
    assert!(entity.machine.is_idle());
}

#[test]
fn a_client_who_goes_before_the_first_reply_is_reported_once_after_it() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert!(entity.leaves("s").is_empty());
    assert_eq!(
        entity.when(replies(2).streamed().effect("x").into()),
        ["settle s: x", "cancelled 2", "started 2"]
    );
    entity.elsewhere(&count(3));
    assert_eq!(entity.when(responds(2).into()), ["delta +3"]);
}

#[test]
fn a_client_who_goes_before_a_reply_that_is_not_streamed_is_not_reported() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    entity.leaves("s");
    entity.elsewhere(&count(3));
    assert_eq!(entity.when(replies(2).change(count(1)).into()), ["delta +3"]);
    assert!(entity.machine.is_idle());
}

#[test]
fn a_client_who_goes_before_the_command_was_sent_is_forgotten() {
    let mut entity = Scenario::opening();
    assert!(entity.listens("s").is_empty());
    assert!(entity.leaves("s").is_empty());
    assert_eq!(entity.when(Input::Opened), ["init", "command 1 a", "started 1"]);
}

#[test]
fn a_message_that_crosses_the_news_of_the_client_is_dropped_but_for_its_effects() {
    let mut entity = Scenario::streaming();
    entity.leaves("s");
    assert!(entity.when(streams(2).into()).is_empty());
    assert_eq!(entity.when(streams(2).ends().effect("x").into()), ["settle s: x"]);
    assert!(entity.when(responds(2).into()).is_empty());
    assert!(entity.machine.is_idle());
}

#[test]
fn a_function_that_does_not_respond_holds_deltas_back_for_a_time_only() {
    let mut entity = Scenario::streaming();
    let mut actions = Vec::new();
    entity.machine.handle(Input::Cancelled(0), 0, &mut actions);
    let cancellation = operation(&actions);
    assert!(cancellation.is_cancellation());
    assert!(entity.elsewhere(&count(3)).is_empty());
    assert_eq!(
        entity.when(Input::Unanswered(cancellation)),
        [
            "report Received no response to the stream cancellation for command 2 of entity id e in time: every \
             stream_cancelled needs one, also an empty one",
            "delta +3"
        ]
    );
    assert!(entity.machine.is_idle());
    assert!(entity.when(responds(2).into()).is_empty(), "late, and empty");
    let crash = "report Received response to a stream cancellation for unknown command 2 - entity [e]";
    assert_eq!(entity.when(responds(2).into())[0], crash, "twice");
}

#[test]
fn a_late_response_with_a_change_crashes_since_the_function_was_told_of_others_meanwhile() {
    let mut entity = Scenario::streaming();
    let mut actions = Vec::new();
    entity.machine.handle(Input::Cancelled(0), 0, &mut actions);
    entity.when(Input::Unanswered(operation(&actions)));
    assert_eq!(
        entity.when(responds(2).change(count(1)).into()),
        [
            "report Received response to a stream cancellation for unknown command 2 - entity [e]",
            "reset",
            "stop Failed"
        ]
    );
}

#[test]
fn a_response_for_a_stream_that_was_not_cancelled_crashes() {
    let mut entity = Scenario::streaming();
    assert_eq!(
        entity.when(responds(2).into())[0],
        "report Received response to a stream cancellation for unknown command 2 - entity [e]"
    );
    assert!(entity.machine.is_stopped());
}

#[test]
fn a_failure_in_the_reply_or_a_message_ends_the_stream_and_is_a_cancellation_for_the_function() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert_eq!(
        entity.when(replies(2).streamed().declining("no").into()),
        ["element s: declined, no", "cancelled 2", "started 2"]
    );
    entity.when(responds(2).into());
    assert!(entity.machine.is_idle());
    let mut entity = Scenario::streaming();
    assert_eq!(
        entity.when(streams(2).declining("no").into()),
        ["element s: declined, no", "cancelled 2", "started 2"]
    );
    let mut entity = Scenario::streaming();
    assert_eq!(
        entity.when(streams(2).declining("no").ends().into()),
        ["element s: declined, no, last"],
        "the function has ended it itself"
    );
}

#[test]
fn a_failure_that_names_a_streamed_command_ends_its_stream() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert_eq!(entity.when(fails(2, "no")), ["element s: declined, no, last"]);
    let mut entity = Scenario::streaming();
    assert_eq!(entity.when(fails(2, "no")), ["element s: declined, no, last"]);
    assert!(entity.machine.is_idle());
    let mut entity = Scenario::streaming();
    entity.leaves("s");
    entity.elsewhere(&count(3));
    assert_eq!(entity.when(fails(2, "no")), ["delta +3"]);
}

#[test]
fn a_cancellation_response_with_a_change_that_does_not_fit_crashes() {
    let mut entity = Scenario::streaming();
    entity.leaves("s");
    let flag = cloudstate_crdt::Change::Flag { value: true };
    assert_eq!(
        entity.when(responds(2).change(flag).into()),
        [
            "report FlagDelta is incompatible with CRDT PNCounter(1) - entity [e]",
            "reset",
            "stop Failed"
        ]
    );
}
