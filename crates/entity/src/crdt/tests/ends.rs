//! Opening, passivation and shutdown (specification 4, 5.7, 14.9, 14.10).

use super::super::*;
use super::harness::*;

#[test]
fn an_idle_entity_is_passivated_and_waits_for_the_function_to_close() {
    let mut entity = Scenario::counting();
    assert!(entity.machine.is_idle());
    assert_eq!(entity.when(Input::Passivate), ["half-close"]);
    assert!(entity.when(replies(1).into()).is_empty(), "too late to matter");
    assert_eq!(entity.closes(), ["stop Passivated"]);
    assert!(entity.machine.is_stopped());
}

#[test]
fn open_commands_and_streams_keep_an_entity_active() {
    let mut entity = Scenario::running();
    assert!(entity.when(Input::Passivate).is_empty());
    let mut entity = Scenario::streaming();
    assert!(entity.when(Input::Passivate).is_empty());
    entity.leaves("s");
    assert!(entity.when(Input::Passivate).is_empty());
}

#[test]
fn commands_that_come_while_it_closes_go_to_the_next_activation_in_order() {
    let mut entity = Scenario::counting();
    entity.when(Input::Passivate);
    assert!(entity.asks("b").is_empty());
    assert!(entity.listens("s").is_empty());
    entity.elsewhere(&count(3));
    assert_eq!(entity.closes(), ["stop Passivated", "open"]);
    assert_eq!(
        entity.when(Input::Opened),
        [
            "init +4",
            "command 1 b",
            "started 1",
            "streamed command 2 s",
            "started 2"
        ]
    );
}

#[test]
fn a_function_that_does_not_close_loses_the_stream() {
    let mut entity = Scenario::counting();
    entity.when(Input::Passivate);
    assert_eq!(entity.when(Input::TimedOut), ["reset", "stop Passivated"]);
}

#[test]
fn without_a_stream_to_be_had_all_that_wait_fail_as_not_executed() {
    let mut entity = Scenario::opening();
    entity.listens("s");
    assert_eq!(
        entity.when(Input::OpenFailed("refused".to_owned())),
        [
            "answer a: FunctionGone(\"refused\")",
            "element s: FunctionGone(\"refused\"), last",
            "stop Failed"
        ]
    );
}

#[test]
fn an_opening_that_takes_too_long_fails_one_command_and_is_tried_again_for_the_next() {
    let mut entity = Scenario::opening();
    entity.asks("b");
    assert_eq!(
        entity.when(Input::TimedOut),
        [
            "answer a: TimedOut { command: \"a\" }",
            "reset",
            "stop Failed",
            "open"
        ]
    );
    assert_eq!(entity.when(Input::Opened), ["init", "command 1 b", "started 1"]);
}

#[test]
fn a_shutdown_ends_streams_lets_the_function_respond_and_then_passivates() {
    let mut entity = Scenario::streaming();
    entity.asks("b");
    assert_eq!(
        entity.when(Input::Drain),
        [
            "element s: FunctionGone(\"the proxy is shutting down\"), last",
            "cancelled 2",
            "started 2"
        ]
    );
    assert_eq!(entity.when(replies(3).into()), ["answer b: ok"]);
    assert_eq!(entity.when(responds(2).change(count(-1)).into()), ["half-close"]);
    assert_eq!(entity.count_here(), 0);
    assert_eq!(entity.closes(), ["stop Passivated"]);
}

#[test]
fn during_a_shutdown_commands_are_served_and_streams_refused() {
    let mut entity = Scenario::counting();
    entity.listens("s");
    assert!(entity.when(Input::Drain).is_empty());
    assert_eq!(
        entity.listens("t"),
        ["element t: FunctionGone(\"the proxy is shutting down\"), last"]
    );
    assert_eq!(
        entity.when(replies(2).streamed().into()),
        [
            "element s: ok",
            "element s: FunctionGone(\"the proxy is shutting down\"), last",
            "cancelled 2",
            "started 2"
        ]
    );
    entity.asks("b");
    entity.when(responds(2).into());
    assert_eq!(entity.when(replies(3).into()), ["answer b: ok", "half-close"]);
    entity.asks("c");
    assert_eq!(entity.closes(), ["stop Passivated", "open"]);
    entity.when(Input::Opened);
    assert_eq!(entity.when(replies(1).into()), ["answer c: ok", "half-close"]);
}

#[test]
fn an_idle_and_a_deleted_entity_end_at_once_in_a_shutdown() {
    assert_eq!(Scenario::counting().when(Input::Drain), ["half-close"]);
    let mut entity = Scenario::unused();
    entity.deleted_elsewhere();
    entity.asks("a");
    assert_eq!(entity.when(Input::Drain), ["stop Passivated"]);
}

#[test]
fn what_comes_out_of_time_is_ignored() {
    let inputs = || {
        [
            Input::Changed,
            Input::Opened,
            Input::OpenFailed("x".to_owned()),
            Input::Closed(None),
            Input::TimedOut,
            Input::Cancelled(77),
            replies(1).into(),
        ]
    };
    let mut stopped = Scenario::unused();
    for input in inputs() {
        assert_eq!(stopped.when(input), Vec::<String>::new());
    }
    let mut deleted = Scenario::unused();
    deleted.deleted_elsewhere();
    deleted.asks("a");
    for input in inputs() {
        assert_eq!(deleted.when(input), Vec::<String>::new());
    }
}
