//! What clients see when a function breaks the rules, and that nothing else is harmed.

use crate::harness::{CELL, JOB, LOG, add, ask, read, run, start};

/// What a client shall see of a command that goes wrong.
struct Row {
    what: &'static str,
    /// gRPC status and text for event sourced entities.
    log: (u32, &'static str),
    /// The same for value entities.
    cell: (u32, &'static str),
}

const OK: u32 = 0;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const NOT_FOUND: u32 = 5;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

fn rows() -> Vec<Row> {
    let row = |what, log, cell| Row { what, log, cell };
    vec![
        row(
            "answer another command",
            (INTERNAL, "Unexpected entity reply"),
            (INTERNAL, "Unexpected Value entity reply"),
        ),
        row(
            "say nothing",
            (INTERNAL, "Unexpected entity message"),
            (INTERNAL, "Unexpected Value entity failure"),
        ),
        row(
            "fail the stream",
            (UNKNOWN, "Unexpected entity failure"),
            (UNKNOWN, "Unexpected Value entity failure"),
        ),
        row(
            "fail with another id",
            (INTERNAL, "Unexpected entity failure"),
            (INTERNAL, "Unexpected Value entity failure"),
        ),
        row(
            "fail without id",
            (INTERNAL, "Unexpected entity failure"),
            (INTERNAL, "Unexpected Value entity failure"),
        ),
        row(
            "end the stream",
            (UNAVAILABLE, "Unexpected entity termination"),
            (UNAVAILABLE, "Unexpected Value entity termination"),
        ),
        row(
            "end with a status",
            (UNAVAILABLE, "Unexpected entity termination"),
            (UNAVAILABLE, "Unexpected Value entity termination"),
        ),
        row(
            "reset the stream",
            (UNAVAILABLE, "Unexpected entity termination"),
            (UNAVAILABLE, "Unexpected Value entity termination"),
        ),
        row(
            "change without content",
            (INTERNAL, "Unexpected entity reply: snapshot without events"),
            (INTERNAL, "Unexpected Value entity reply: update without a value"),
        ),
    ]
}

/// The HTTP status of a gRPC one, and what stands in the body.
fn http(code: u32, text: &str) -> (u16, String) {
    match code {
        UNKNOWN => (500, text.to_owned()),
        INTERNAL => (500, format!("\"message\":\"{text}\"")),
        UNAVAILABLE => (503, format!("\"message\":\"{text}\"")),
        other => panic!("{other} is not expected"),
    }
}

#[test]
fn every_violation_has_its_status_stores_nothing_and_harms_nobody_else() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        let http_client = proxy.http().await;
        for (path, kind) in [(LOG, "log"), (CELL, "cell")] {
            let other = format!("{kind} other");
            for Row { what, log, cell } in rows() {
                let expected = if path == LOG { log } else { cell };
                let expected = (expected.0, expected.1.to_owned());
                let id = format!("{kind} {what}");
                client.text(path, add(&id, "kept")).await;
                client.text(path, add(&other, "x")).await;

                let answer = client.call(path, &ask(&id, what, "")).await;
                assert_eq!(answer.status(), expected, "{id}");
                let (status, body) = http_client.act(path, &ask(&id, what, "")).await;
                let (http_status, part) = http(expected.0, &expected.1);
                assert_eq!(status, http_status, "{id}: {body}");
                assert!(body.contains(&part), "{id}: {body}");

                assert_eq!(client.text(path, read(&id)).await, "kept", "{id}");
            }
            let expected = vec!["x"; rows().len()].join(",");
            assert_eq!(client.text(path, read(&other)).await, expected);
            let inits = format!("{other}: init ");
            let inits = function.log().iter().filter(|line| **line == inits).count();
            assert_eq!(inits, 1, "the other entity was disturbed");
        }
    });
}

#[test]
fn commands_that_wait_behind_a_violation_are_unavailable_and_not_executed() {
    run(async {
        let (_proxy, function, client) = start(&[("runtime.threads", "1")]).await;
        for (path, kind, text) in [
            (LOG, "log", "Entity terminated"),
            (CELL, "cell", "Value entity terminated"),
        ] {
            for what in [
                "answer another command",
                "fail the stream",
                "end the stream",
                "say nothing",
            ] {
                let id = format!("{kind} {what}");
                let held = format!("hold, {what}");
                let first = client.begin(path, &ask(&id, &held, "")).await;
                function.saw(&format!("{id}: command 1 {held} ")).await;
                let second = client.begin(path, &add(&id, "second")).await;
                let third = client.begin(path, &add(&id, "third")).await;
                // One core takes calls in order: once this is answered, the others wait for their entity.
                client.text(path, read("probe")).await;
                function.release();

                assert_ne!(first.answer().await.status().0, OK, "{id}");
                let expected = (UNAVAILABLE, text.to_owned());
                assert_eq!(second.answer().await.status(), expected, "{id}");
                assert_eq!(third.answer().await.status(), expected, "{id}");
                assert_eq!(client.text(path, read(&id)).await, "", "{id}");
            }
        }
    });
}

#[test]
fn a_second_reply_ends_the_activation_but_the_first_one_counts() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        for path in [LOG, CELL] {
            let id = path;
            assert_eq!(client.text(path, ask(id, "answer twice", "kept")).await, "kept");
            assert_eq!(client.text(path, read(id)).await, "kept");
            function.saw(&format!("{id}: half-closed")).await;
        }
        function
            .reported("a reply to command 1 came while no command was outstanding")
            .await;
    });
}

#[test]
fn bytes_that_are_no_message_end_the_stream_only() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        for (path, text) in [
            (LOG, "Unexpected entity message"),
            (CELL, "Unexpected Value entity failure"),
        ] {
            for what in ["say garbage", "say too much"] {
                let id = format!("{path} {what}");
                client.text(path, add("bystander", path)).await;
                client.text(path, add(&id, "kept")).await;
                let status = client.call(path, &ask(&id, what, "")).await.status();
                assert_eq!(status, (INTERNAL, text.to_owned()), "{id}");
                function.saw(&format!("{id}: reset")).await;
                assert_eq!(client.text(path, read(&id)).await, "kept", "{id}");
            }
        }
        // Still on the connection that the bad messages came over.
        client.text(LOG, read("bystander")).await;
        assert!(!function.log().contains(&"bystander: reset".to_owned()));
    });
}

#[test]
fn a_command_without_answer_times_out_and_those_behind_it_are_executed() {
    run(async {
        let (_proxy, function, client) =
            start(&[("entity.turn-timeout", "300ms"), ("runtime.threads", "1")]).await;
        for path in [LOG, CELL] {
            client.text(path, add(path, "kept")).await;
            let stuck = client.begin(path, &ask(path, "never answer", "")).await;
            function.saw(&format!("{path}: command 2 never answer ")).await;
            let behind = client.begin(path, &add(path, "behind")).await;
            let last = client.begin(path, &add(path, "last")).await;
            let text = "the user function did not answer [Act] in time".to_owned();
            assert_eq!(stuck.answer().await.status(), (DEADLINE_EXCEEDED, text));
            assert_eq!(behind.answer().await.text(), "kept,behind");
            assert_eq!(last.answer().await.text(), "kept,behind,last");
            function.saw(&format!("{path}: reset")).await;
        }
    });
}

#[test]
fn a_declined_command_has_the_functions_own_text() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let http = proxy.http().await;
        for path in [LOG, CELL, JOB] {
            let request = ask(path, "decline", "not today: 50% \u{e9}");
            let answer = client.call(path, &request).await;
            let text = "not today: 50%25 %C3%A9".to_owned();
            assert_eq!(answer.status(), (UNKNOWN, text), "{path}");
            assert_eq!(
                http.act(path, &request).await,
                (500, "not today: 50% \u{e9}".to_owned())
            );
        }
    });
}

#[test]
fn a_failure_that_asks_for_a_restart_replays_the_entity_and_drops_the_events() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        client.text(LOG, add("a", "kept")).await;
        let answer = client.call(LOG, &ask("a", "restart", "start again")).await;
        assert_eq!(answer.status(), (UNKNOWN, "start again".to_owned()));
        assert_eq!(client.text(LOG, read("a")).await, "kept");
        function.saw("a: half-closed").await;
        function.saw("a: event kept").await;
    });
}

#[test]
fn a_reply_of_another_type_is_passed_on_and_reported() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        for (path, service) in [(LOG, "Log"), (CELL, "Cell"), (JOB, "Job")] {
            let request = ask(path, "reply with another type", "as it is");
            assert_eq!(client.text(path, request).await, "as it is");
            let report = format!(
                "Warning: whole.{service}.Act: Expected reply type_url to be [type.googleapis.com/whole.Done] \
                 but was [type.googleapis.com/whole.Other]."
            );
            function.reported(&report).await;
        }
    });
}

#[test]
fn a_reply_without_payload_is_a_success_without_message() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        for path in [LOG, CELL, JOB] {
            let answer = client.call(path, &ask("a", "reply without payload", "")).await;
            assert_eq!(answer.status().0, OK, "{path}");
            assert_eq!(answer.texts(), Vec::<String>::new(), "{path}");
        }
    });
}

#[test]
fn every_violation_of_an_action_has_its_status() {
    run(async {
        let flags = [
            ("entity.turn-timeout", "300ms"),
            ("function.max-message-bytes", "1MiB"),
        ];
        let (proxy, function, client) = start(&flags).await;
        let http = proxy.http().await;
        for (what, text, code, message, http_status) in [
            (
                "end with a status",
                "no such thing",
                NOT_FOUND,
                "no such thing",
                404,
            ),
            (
                "end the stream",
                "",
                INTERNAL,
                "malformed answer from the function",
                500,
            ),
            ("reset the stream", "", INTERNAL, "reset the stream", 500),
            (
                "say garbage",
                "",
                INTERNAL,
                "malformed answer from the function",
                500,
            ),
            (
                "say too much",
                "",
                INTERNAL,
                "exceeds the limit of 1048576 bytes",
                500,
            ),
            (
                "never answer",
                "",
                DEADLINE_EXCEEDED,
                "did not answer in time",
                504,
            ),
        ] {
            let (got, told) = client.call(JOB, &ask("", what, text)).await.status();
            assert_eq!(got, code, "{what}: {told}");
            assert!(told.contains(message), "{what}: {told}");
            let (status, body) = http.act(JOB, &ask("", what, text)).await;
            assert_eq!(status, http_status, "{what}: {body}");
            assert_eq!(client.text(JOB, read("")).await, "", "{what}");
        }
        function.saw_times("call Act cut off", 2).await;
    });
}
