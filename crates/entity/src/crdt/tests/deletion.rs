//! Deletion, here and elsewhere (specification 8, 14.7, 14.8).

use super::super::*;
use super::harness::*;

const DELETED: &str = "EntityFailed(\"Entity deleted\")";

#[test]
fn a_deletion_here_is_answered_at_its_consistency_and_ends_the_functions_stream() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    assert_eq!(
        entity.when(replies(2).deleting_at(1).into()),
        ["answer b: ok, later", "half-close"]
    );
    assert!(entity.machine.is_closing());
    assert_eq!(entity.closes(), ["reset"]);
    assert!(entity.machine.is_idle());
}

#[test]
fn commands_of_a_deleted_entity_fail_until_it_is_passivated_and_afterwards() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.when(replies(2).deleting().into());
    assert_eq!(entity.asks("c"), [format!("answer c: {DELETED}")]);
    assert_eq!(entity.listens("s"), [format!("element s: {DELETED}, last")]);
    entity.closes();
    assert_eq!(entity.asks("d"), [format!("answer d: {DELETED}")]);
    assert_eq!(entity.when(Input::Passivate), ["stop Passivated"]);
    assert_eq!(entity.asks("e"), [format!("answer e: {DELETED}")]);
    assert_eq!(entity.when(Input::Passivate), ["stop Passivated"]);
}

#[test]
fn a_deletion_elsewhere_is_told_and_ends_the_functions_stream() {
    let mut entity = Scenario::counting();
    assert_eq!(entity.deleted_elsewhere(), ["delete", "half-close"]);
    assert_eq!(entity.closes(), ["reset"]);
    assert_eq!(entity.asks("b"), [format!("answer b: {DELETED}")]);
}

#[test]
fn a_deletion_elsewhere_waits_for_open_commands_and_makes_their_changes_vain_successes() {
    let mut entity = Scenario::counting();
    entity.asks("b");
    entity.asks("c");
    assert!(entity.deleted_elsewhere().is_empty());
    assert_eq!(
        entity.when(replies(2).change_at(count(1), 1).into()),
        ["answer b: ok"]
    );
    assert_eq!(
        entity.when(replies(3).into()),
        ["answer c: ok", "delete", "half-close"]
    );
}

#[test]
fn an_entity_that_was_deleted_before_is_known_without_the_function() {
    let mut entity = Scenario::unused();
    assert!(entity.deleted_elsewhere().is_empty());
    assert_eq!(entity.asks("a"), [format!("answer a: {DELETED}")]);
    assert!(entity.machine.is_idle());
    assert_eq!(entity.listens("s"), [format!("element s: {DELETED}, last")]);
}

#[test]
fn an_entity_that_is_deleted_while_it_starts_answers_all_that_wait_and_tells_the_function_nothing() {
    let mut entity = Scenario::opening();
    entity.listens("s");
    entity.deleted_elsewhere();
    assert_eq!(
        entity.when(Input::Opened),
        [
            "reset".to_owned(),
            format!("answer a: {DELETED}"),
            format!("element s: {DELETED}, last")
        ]
    );
    assert!(entity.machine.is_idle());
}

#[test]
fn late_replies_are_delivered_without_their_changes_and_end_their_streams() {
    let mut entity = Scenario::streaming();
    entity.asks("b");
    entity.asks("c");
    entity.listens("t");
    entity.asks("d");
    assert_eq!(
        entity.when(replies(6).deleting().into()),
        ["answer d: ok", "half-close"]
    );
    assert_eq!(entity.when(replies(3).change(count(9)).into()), ["answer b: ok"]);
    assert_eq!(entity.when(replies(5).streamed().into()), ["element t: ok, last"]);
    assert_eq!(entity.when(streams(2).into()), ["element s: ok, last"]);
    assert_eq!(
        entity.closes(),
        [format!("answer c: {DELETED}"), "reset".to_owned()]
    );
}

#[test]
fn streams_of_a_deleted_entity_end_when_the_function_has_said_all() {
    let mut entity = Scenario::streaming();
    entity.listens("t");
    assert_eq!(entity.deleted_elsewhere(), Vec::<String>::new());
    assert_eq!(
        entity.when(replies(3).streamed().into()),
        ["element t: ok", "delete", "half-close"]
    );
    assert_eq!(
        entity.when(Input::TimedOut),
        [
            "element s: no message, last",
            "element t: no message, last",
            "reset"
        ]
    );
    assert!(entity.machine.is_idle());
}

#[test]
fn a_client_who_leaves_a_deleted_entity_is_not_reported() {
    let mut entity = Scenario::streaming();
    entity.deleted_elsewhere();
    assert!(entity.leaves("s").is_empty());
    assert_eq!(entity.closes(), ["reset"]);
}

#[test]
fn a_cancellation_response_may_delete() {
    let mut entity = Scenario::streaming();
    entity.leaves("s");
    assert_eq!(
        entity.when(responds(2).deleting_at(2).into()),
        ["settle s: , later", "half-close"]
    );
}

#[test]
fn a_response_for_a_stream_that_is_not_closing_crashes_a_deleted_entity_too() {
    let mut entity = Scenario::streaming();
    entity.deleted_elsewhere();
    assert_eq!(
        entity.when(responds(2).into()),
        [
            "report Received response to a stream cancellation for unknown command 2 - entity [e]",
            "element s: Violation(\"Entity terminating\"), last",
            "reset",
            "stop Failed"
        ]
    );
}
