//! Commit before answer, and what follows from each outcome.

use crate::harness::*;
use crate::{CommitOutcome, Input};

for_both_kinds!(
    a_change_is_committed_before_the_answer_and_the_next_command,
    a_declined_command_with_a_change_commits_too,
    time_passivation_and_commands_do_not_disturb_a_commit,
    a_fenced_commit_was_not_executed,
    a_conflict_is_unexpected_behavior,
    an_unknown_outcome_is_told_as_such,
    a_refused_commit_was_not_executed,
    waiting_commands_go_to_the_activation_after_a_failed_commit,
    a_failed_commit_without_waiting_commands_leaves_the_entity_stopped,
    a_function_that_closes_while_committing_still_answers_that_command,
    a_function_that_breaks_the_protocol_while_committing_still_answers_that_command,
    only_the_first_cause_is_told_when_several_come_while_committing,
    a_commit_that_fails_after_the_function_closed_is_told_and_the_stream_dropped,
);

fn a_change_is_committed_before_the_answer_and_the_next_command<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    assert_eq!(entity.when(replies(1, Change::Some)), [K::first_commit()]);
    assert_eq!(
        entity.when(applied(1)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
}

fn a_declined_command_with_a_change_commits_too<K: Subject>() {
    let mut entity = Entity::<K>::running();
    let message = K::reply(1, Some(declines("sold out")), Change::Some);
    assert_eq!(entity.when(Input::Message(message)), [K::first_commit()]);
    let lines = entity.when(applied(1));
    assert_eq!(
        lines.last().map(String::as_str),
        Some("answer a: declined, sold out")
    );
    assert!(entity.machine().is_idle());
}

fn time_passivation_and_commands_do_not_disturb_a_commit<K: Subject>() {
    let mut entity = Entity::<K>::committing();
    for input in [Input::TimedOut, Input::Passivate, Input::Drain, asks("d")] {
        assert!(entity.when(input).is_empty());
    }
    assert_eq!(
        entity.when(applied(1)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
}

/// The commit of `a` comes out like this: `a` hears the error, nobody else anything.
fn comes_out<K: Subject>(outcome: CommitOutcome, error: &str) {
    let mut entity = Entity::<K>::committing();
    let answer = format!("answer a: {error}");
    assert_eq!(
        entity.when(Input::Committed(outcome)),
        [answer.as_str(), "half-close"]
    );
    assert_eq!(entity.machine().queued(), 2, "waiting commands are kept");
}

fn a_fenced_commit_was_not_executed<K: Subject>() {
    comes_out::<K>(
        CommitOutcome::Fenced,
        r#"NotCommitted { reason: "another proxy owns the entity now", overloaded: false }"#,
    );
}

fn a_conflict_is_unexpected_behavior<K: ErrorTable>() {
    comes_out::<K>(CommitOutcome::Conflict, &format!("Violation({:?})", K::BEHAVIOR));
}

fn an_unknown_outcome_is_told_as_such<K: Subject>() {
    comes_out::<K>(CommitOutcome::Unknown, "OutcomeUnknown");
}

fn a_refused_commit_was_not_executed<K: Subject>() {
    for overloaded in [false, true] {
        comes_out::<K>(
            CommitOutcome::NotApplied {
                reason: "disk full".to_owned(),
                overloaded,
            },
            &format!(r#"NotCommitted {{ reason: "disk full", overloaded: {overloaded} }}"#),
        );
    }
}

fn waiting_commands_go_to_the_activation_after_a_failed_commit<K: Subject>() {
    let mut entity = Entity::<K>::committing();
    entity.when(Input::Committed(CommitOutcome::Unknown));
    assert!(entity.when(asks("d")).is_empty());
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed", "open"]);
    let lines = entity.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 b", "turn"]);
    assert_eq!(
        entity.when(replies(1, Change::Some)),
        [K::first_commit()],
        "what is stored now counts, not what the lost activation wanted"
    );
    assert_eq!(
        entity.when(applied(9)),
        ["answer b: ok", "send command 2 c", "turn"]
    );
    assert_eq!(
        entity.when(replies(2, Change::Nothing)),
        ["answer c: ok", "send command 3 d", "turn"]
    );
}

fn a_failed_commit_without_waiting_commands_leaves_the_entity_stopped<K: Subject>() {
    let mut entity = Entity::<K>::running();
    entity.when(replies(1, Change::Some));
    entity.when(Input::Committed(CommitOutcome::Fenced));
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed"]);
    assert!(entity.machine().is_stopped());
}

fn a_function_that_closes_while_committing_still_answers_that_command<K: ErrorTable>() {
    let mut entity = Entity::<K>::committing();
    assert!(entity.when(Input::Closed(Some("killed".to_owned()))).is_empty());
    let log = format!("log {} - killed", K::TERMINATION);
    let queued = format!("FunctionGone({:?})", K::QUEUED);
    assert_eq!(
        entity.when(applied(1)),
        [
            "answer a: ok".to_owned(),
            log,
            format!("answer b: {queued}"),
            format!("answer c: {queued}"),
            "reset".to_owned(),
            "stop Failed".to_owned(),
        ]
    );
}

fn a_function_that_breaks_the_protocol_while_committing_still_answers_that_command<K: ErrorTable>() {
    let second_reply = format!(
        "report {} - entity [e]: a reply to command 1 came while no command was outstanding",
        K::REPLY
    );
    let empty = format!(
        "report {} - entity [e]: the message is empty or unknown",
        K::MESSAGE
    );
    let rows = [
        (replies(1, Change::Some), second_reply),
        (Input::Message(K::empty()), empty),
        (fails(1), format!("log {} - boom", K::FAILURE)),
    ];
    for (input, note) in rows {
        let mut entity = Entity::<K>::committing();
        assert!(entity.when(input).is_empty(), "the commit comes first");
        let queued = format!("FunctionGone({:?})", K::QUEUED);
        assert_eq!(
            entity.when(applied(1)),
            [
                "answer a: ok".to_owned(),
                note,
                format!("answer b: {queued}"),
                format!("answer c: {queued}"),
                "half-close".to_owned(),
            ]
        );
        assert_eq!(entity.when(Input::Closed(None)), ["stop Failed"]);
    }
}

fn only_the_first_cause_is_told_when_several_come_while_committing<K: ErrorTable>() {
    let mut entity = Entity::<K>::running();
    entity.when(replies(1, Change::Some));
    entity.when(fails(1));
    entity.when(Input::Message(K::empty()));
    entity.when(Input::Closed(None));
    assert_eq!(
        entity.when(applied(1)),
        [
            "answer a: ok".to_owned(),
            format!("log {} - boom", K::FAILURE),
            "half-close".to_owned(),
            "stop Failed".to_owned(),
        ]
    );
}

fn a_commit_that_fails_after_the_function_closed_is_told_and_the_stream_dropped<K: Subject>() {
    let mut entity = Entity::<K>::committing();
    entity.when(Input::Closed(None));
    assert_eq!(
        entity.when(Input::Committed(CommitOutcome::Unknown)),
        ["answer a: OutcomeUnknown", "reset", "stop Failed", "open"]
    );
}
