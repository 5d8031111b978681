//! The rows of the error table: what the current and the waiting callers hear, what the function and the log are told.

use crate::Input;
use crate::harness::*;

for_both_kinds!(
    a_reply_with_a_wrong_id,
    a_reply_without_an_outstanding_command,
    a_reply_before_the_first_command,
    a_failure_of_the_stream_that_names_the_command,
    a_failure_of_the_stream_with_another_id,
    a_failure_of_the_stream_without_an_outstanding_command,
    an_empty_message,
    an_empty_message_without_an_outstanding_command,
    bytes_that_are_no_message,
    the_function_closes_the_stream,
    the_function_closes_the_stream_without_an_outstanding_command,
    the_function_closes_the_stream_while_loading,
    the_stream_fails,
    the_function_cannot_be_reached,
    the_stored_state_cannot_be_read,
    the_next_command_after_a_crash_activates_the_entity_afresh,
    commands_that_come_while_a_crashed_activation_closes_start_the_next_one,
);

/// A crash while `a` is with the function and `b` and `c` wait. The stream is half-closed.
fn crash<K: ErrorTable>(input: Input<K, Client>, note: &str, current: &str) {
    let mut entity = Entity::<K>::busy();
    let queued = format!("FunctionGone({:?})", K::QUEUED);
    assert_eq!(
        entity.when(input),
        [
            note.to_owned(),
            format!("answer a: {current}"),
            format!("answer b: {queued}"),
            format!("answer c: {queued}"),
            "half-close".to_owned(),
        ]
    );
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed"]);
    assert!(entity.machine().is_stopped());
}

/// A crash with nobody to answer.
fn crash_of_idle<K: ErrorTable>(input: Input<K, Client>, note: &str) {
    let mut entity = Entity::<K>::idle();
    assert_eq!(entity.when(input), [note, "half-close"]);
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed"]);
}

fn violation(text: &str) -> String {
    format!("Violation({text:?})")
}

fn a_reply_with_a_wrong_id<K: ErrorTable>() {
    for id in [0, 2, -1] {
        let note = format!(
            "report {} - entity [e]: expected a reply to command 1 but got one to command {id}",
            K::REPLY
        );
        crash::<K>(replies(id, Change::Some), &note, &violation(K::REPLY));
    }
}

fn a_reply_without_an_outstanding_command<K: ErrorTable>() {
    let note = format!(
        "report {} - entity [e]: a reply to command 1 came while no command was outstanding",
        K::REPLY
    );
    crash_of_idle::<K>(replies(1, Change::Some), &note);
}

fn a_reply_before_the_first_command<K: ErrorTable>() {
    let mut entity = Entity::<K>::loading();
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        [
            format!(
                "report {} - entity [e]: a reply to command 1 came while no command was outstanding",
                K::REPLY
            ),
            format!("answer a: FunctionGone({:?})", K::QUEUED),
            "half-close".to_owned(),
        ]
    );
}

fn a_failure_of_the_stream_that_names_the_command<K: ErrorTable>() {
    let note = format!("log {} - boom", K::FAILURE);
    crash::<K>(fails(1), &note, &format!("EntityFailed({:?})", K::FAILURE));
}

fn a_failure_of_the_stream_with_another_id<K: ErrorTable>() {
    for id in [0, 2] {
        let note = format!("log {} - boom", K::FAILURE);
        crash::<K>(fails(id), &note, &violation(K::FAILURE));
    }
}

fn a_failure_of_the_stream_without_an_outstanding_command<K: ErrorTable>() {
    crash_of_idle::<K>(fails(0), &format!("log {} - boom", K::FAILURE));
}

fn an_empty_message<K: ErrorTable>() {
    let note = format!(
        "report {} - entity [e]: the message is empty or unknown",
        K::MESSAGE
    );
    crash::<K>(Input::Message(K::empty()), &note, &violation(K::MESSAGE));
}

fn an_empty_message_without_an_outstanding_command<K: ErrorTable>() {
    let note = format!(
        "report {} - entity [e]: the message is empty or unknown",
        K::MESSAGE
    );
    crash_of_idle::<K>(Input::Message(K::empty()), &note);
}

/// Nothing can be read after them: the stream has ended as well.
fn bytes_that_are_no_message<K: ErrorTable>() {
    let mut entity = Entity::<K>::busy();
    let queued = format!("FunctionGone({:?})", K::QUEUED);
    let ended = entity.when(Input::Unreadable("too long".to_owned()));
    assert_eq!(
        ended[..4],
        [
            format!("report {} - entity [e]: too long", K::MESSAGE),
            format!("answer a: {}", violation(K::MESSAGE)),
            format!("answer b: {queued}"),
            format!("answer c: {queued}"),
        ]
    );
    assert_eq!(ended.last().map(String::as_str), Some("stop Failed"));
}

/// The function's side of the stream has ended: nothing to wait for.
fn terminates<K: ErrorTable>(error: Option<&str>, cause: &str) {
    let mut entity = Entity::<K>::busy();
    let queued = format!("FunctionGone({:?})", K::QUEUED);
    assert_eq!(
        entity.when(Input::Closed(error.map(str::to_owned))),
        [
            format!("log {} - {cause}", K::TERMINATION),
            format!("answer a: FunctionGone({:?})", K::TERMINATION),
            format!("answer b: {queued}"),
            format!("answer c: {queued}"),
            "reset".to_owned(),
            "stop Failed".to_owned(),
        ]
    );
}

fn the_function_closes_the_stream<K: ErrorTable>() {
    terminates::<K>(None, "the user function closed the stream");
}

fn the_stream_fails<K: ErrorTable>() {
    terminates::<K>(Some("INTERNAL: oops"), "INTERNAL: oops");
}

fn the_function_closes_the_stream_without_an_outstanding_command<K: ErrorTable>() {
    let mut entity = Entity::<K>::idle();
    assert_eq!(
        entity.when(Input::Closed(Some("killed".to_owned()))),
        [
            format!("log {} - killed", K::TERMINATION).as_str(),
            "reset",
            "stop Failed"
        ]
    );
}

fn the_function_closes_the_stream_while_loading<K: ErrorTable>() {
    let mut entity = Entity::<K>::loading();
    assert_eq!(
        entity.when(Input::Closed(Some("killed".to_owned()))),
        [
            format!("log {} - killed", K::TERMINATION),
            format!("answer a: FunctionGone({:?})", K::QUEUED),
            "reset".to_owned(),
            "stop Failed".to_owned(),
        ]
    );
}

fn the_function_cannot_be_reached<K: Subject>() {
    let mut entity = Entity::<K>::opening();
    entity.when(asks("b"));
    assert_eq!(
        entity.when(Input::OpenFailed("connection refused".to_owned())),
        [
            r#"answer a: FunctionGone("connection refused")"#,
            r#"answer b: FunctionGone("connection refused")"#,
            "stop Failed",
        ]
    );
    assert_eq!(entity.when(asks("c")), ["open"]);
}

fn the_stored_state_cannot_be_read<K: Subject>() {
    let mut entity = Entity::<K>::loading();
    entity.when(asks("b"));
    assert_eq!(
        entity.when(Input::LoadFailed("page is torn".to_owned())),
        [
            r#"answer a: LoadFailed("page is torn")"#,
            r#"answer b: LoadFailed("page is torn")"#,
            "half-close",
        ]
    );
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed"]);
}

fn the_next_command_after_a_crash_activates_the_entity_afresh<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    entity.when(fails(1));
    entity.when(Input::Closed(None));
    assert_eq!(entity.when(asks("d")), ["open"]);
    let mut expected = K::first_lines();
    expected.extend(["send command 1 d", "turn"]);
    assert_eq!(entity.activates(), expected);
}

fn commands_that_come_while_a_crashed_activation_closes_start_the_next_one<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    entity.when(fails(1));
    assert!(entity.when(asks("d")).is_empty());
    assert!(
        entity.when(replies(1, Change::Some)).is_empty(),
        "late messages do not count"
    );
    assert_eq!(entity.when(Input::Closed(None)), ["stop Failed", "open"]);
    let lines = entity.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 d", "turn"]);
}
