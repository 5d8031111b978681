//! CRDT entities through a proxy: commands, streams, replicated changes, deletion, failures.

use bytes::Bytes;
use http_body_util::BodyExt;

use crate::harness::{
    BOARD, Client, Function, JOB, LOG, MIRROR, MIRROR_WATCH, Proxy, WATCH, Watch, add, ask, read, run,
    with_boards,
};

const OK: u32 = 0;
const UNKNOWN: u32 = 2;
const INTERNAL: u32 = 13;
const DEADLINE_EXCEEDED: u32 = 4;
const ABORTED: u32 = 10;
const INVALID: u32 = 3;
const UNAVAILABLE: u32 = 14;

async fn start(flags: &[(&str, &str)]) -> (Proxy, Function, Client) {
    let function = Function::start(with_boards());
    let proxy = Proxy::start(function.port, flags);
    let client = proxy.client().await;
    (proxy, function, client)
}

#[test]
fn changes_stay_when_the_entity_leaves_and_comes_back_over_grpc_and_http() {
    run(async {
        let (proxy, function, client) = start(&[("entity.passivation-timeout", "20ms")]).await;
        assert_eq!(client.text(BOARD, add("e", "3")).await, "3");
        function.saw("Board e: init").await;
        function.saw("Board e: half-closed").await;
        assert_eq!(client.text(BOARD, add("e", "-1")).await, "2");
        function.saw("Board e: init 3").await;
        function.saw_times("Board e: command 1 add -1", 1).await;
        let http = proxy.http().await;
        let (code, body) = http.act(BOARD, &ask("e", "add", "5")).await;
        assert_eq!((code, body.as_str()), (200, r#"{"text":"7"}"#));
    });
}

#[test]
fn what_one_instance_changes_the_other_is_told_unless_it_is_its_own() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        assert_eq!(client.text(BOARD, add("e", "3")).await, "3");
        assert_eq!(client.text(MIRROR, read("e")).await, "3");
        function.saw("Mirror e: init 3").await;
        assert_eq!(client.text(BOARD, add("e", "4")).await, "7");
        function.saw("Mirror e: delta 4").await;
        assert_eq!(client.text(MIRROR, add("e", "1")).await, "8");
        function.saw("Board e: delta 1").await;
        let log = function.log();
        let deltas: Vec<_> = log.iter().filter(|line| line.contains("delta")).collect();
        assert_eq!(deltas, ["Mirror e: delta 4", "Board e: delta 1"]);
    });
}

#[test]
fn commands_are_in_hand_together_and_deltas_wait_for_the_last() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        client.text(BOARD, read("e")).await;
        let first = client.begin(BOARD, &ask("e", "keep, add", "1")).await;
        function.saw("Board e: command 2 keep, add 1").await;
        let second = client.begin(BOARD, &ask("e", "keep, add", "2")).await;
        function.saw("Board e: command 3 keep, add 2").await;
        assert_eq!(client.text(MIRROR, add("e", "10")).await, "10");
        assert_eq!(client.text(MIRROR, add("e", "20")).await, "30");
        assert_eq!(client.text(BOARD, ask("e", "answer kept", "")).await, "0");
        assert_eq!(second.answer().await.text(), "2", "the last one first");
        assert_eq!(first.answer().await.text(), "3");
        function.saw("Board e: delta 30").await;
        assert_eq!(client.text(BOARD, read("e")).await, "33");
    });
}

#[test]
fn a_stream_follows_the_entity_and_its_end_may_change_it() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        let mut here = Watch::begin(&client, WATCH, &ask("e", "watch, leave", "100")).await;
        let mut there = Watch::begin(&client, MIRROR_WATCH, &ask("e", "watch", "")).await;
        here.expect(&["0"]).await;
        there.expect(&["0"]).await;
        client.text(BOARD, add("e", "3")).await;
        here.expect(&["3"]).await;
        there.expect(&["3"]).await;
        client.text(MIRROR, add("e", "1")).await;
        here.expect(&["4"]).await;
        there.expect(&["4"]).await;
        here.leave();
        function.saw("Board e: cancelled 1").await;
        there.expect(&["104"]).await;
        assert_eq!(client.text(BOARD, read("e")).await, "104");
    });
}

#[test]
fn the_function_ends_streams_or_declines_to_stream() {
    run(async {
        let (_proxy, function, client) = start(&[("entity.passivation-timeout", "20ms")]).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch until", "5")).await;
        watch.expect(&["0"]).await;
        client.text(BOARD, add("e", "4")).await;
        client.text(BOARD, add("e", "1")).await;
        watch.expect(&["4", "5"]).await;
        assert_eq!(watch.next().await, Err((OK, String::new())));
        let once = client.call(WATCH, &ask("e", "watch nothing", "")).await;
        assert_eq!(
            (once.status(), once.texts()),
            ((OK, String::new()), vec!["5".to_owned()])
        );
        let failed = client.call(WATCH, &ask("e", "watch a failure", "")).await;
        assert_eq!(failed.status(), (UNKNOWN, "enough of it".to_owned()));
        assert_eq!(failed.texts(), ["5"]);
        // That is a cancellation for the function, and nothing keeps the entity then.
        let cancelled = |line: &String| line.starts_with("Board e: cancelled");
        while !function.log().iter().any(cancelled) {
            tokio::task::yield_now().await;
        }
        function.saw("Board e: half-closed").await;
    });
}

#[test]
fn an_open_stream_keeps_the_entity() {
    run(async {
        let (_proxy, function, client) = start(&[("entity.passivation-timeout", "10ms")]).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["0"]).await;
        // Others come and go meanwhile.
        for other in ["a", "b", "c"] {
            client.text(BOARD, read(other)).await;
            function.saw(&format!("Board {other}: half-closed")).await;
        }
        client.text(BOARD, add("e", "1")).await;
        watch.expect(&["1"]).await;
        function.saw("Board e: command 2 add 1").await;
        watch.leave();
        function.saw("Board e: half-closed").await;
    });
}

#[test]
fn browsers_follow_streams_as_events() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        let http = proxy.http().await;
        let request = http::Request::post(WATCH)
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(http_body_util::Full::new(Bytes::from(
                r#"{"id":"e","what":"watch"}"#,
            )))
            .unwrap();
        let mut response = http.begin(request).await;
        assert_eq!(response.status(), 200);
        let mut text = String::new();
        let mut added = false;
        while !text.contains(r#"{"text":"3"}"#) {
            let frame = response.frame().await.expect("it goes on").expect("it is open");
            text.push_str(std::str::from_utf8(frame.data_ref().expect("data")).unwrap());
            if !std::mem::replace(&mut added, true) {
                client.text(BOARD, add("e", "3")).await;
            }
        }
        assert!(text.contains(r#"data: {"text":"0"}"#), "{text}");
        drop(response);
        function.saw("Board e: cancelled 1").await;
    });
}

#[test]
fn failures_have_their_text_and_harm_nobody_else() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["0"]).await;
        for what in ["decline", "fail"] {
            let answer = client.call(BOARD, &ask("e", what, "not today")).await;
            assert_eq!(answer.status(), (UNKNOWN, "not today".to_owned()), "{what}");
            let (code, body) = proxy.http().await.act(BOARD, &ask("e", what, "not today")).await;
            assert_eq!((code, body.as_str()), (500, "not today"), "{what}");
        }
        client.text(BOARD, add("e", "1")).await;
        watch.expect(&["1"]).await;
        function.saw_times("Board e: init", 1).await;
        assert!(function.reports().is_empty(), "{:?}", function.reports());
    });
}

#[test]
fn a_function_that_breaks_the_protocol_loses_the_activation_and_not_the_state() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        client.text(BOARD, add("e", "3")).await;
        for (what, report) in [
            (
                "break",
                "Received reply for entity id e for unknown command 103 - entity [e]",
            ),
            ("say nothing", "Received an empty or unknown message - entity [e]"),
            ("say garbage", "Received an unreadable message: "),
        ] {
            let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
            watch.expect(&["3"]).await;
            let answer = client.call(BOARD, &ask("e", what, "")).await;
            assert_eq!(
                answer.status(),
                (INTERNAL, "Entity terminating".to_owned()),
                "{what}"
            );
            assert_eq!(
                watch.next().await,
                Err((INTERNAL, "Entity terminating".to_owned()))
            );
            function.reported(report).await;
            assert_eq!(client.text(BOARD, read("e")).await, "3");
        }
        for what in ["end the stream", "reset the stream"] {
            let answer = client.call(BOARD, &ask("e", what, "")).await;
            assert_eq!(
                answer.status(),
                (UNAVAILABLE, "Entity terminating".to_owned()),
                "{what}: known not executed"
            );
            assert_eq!(client.text(BOARD, read("e")).await, "3");
        }
    });
}

#[test]
fn a_function_that_does_not_answer_loses_the_activation() {
    run(async {
        let (_proxy, function, client) = start(&[("entity.turn-timeout", "100ms")]).await;
        client.text(BOARD, add("e", "3")).await;
        let answer = client.call(BOARD, &ask("e", "never answer", "")).await;
        assert_eq!(answer.status().0, DEADLINE_EXCEEDED, "{:?}", answer.status());
        function.saw("Board e: reset").await;
        assert_eq!(client.text(BOARD, read("e")).await, "3");
    });
}

#[test]
fn a_function_that_goes_away_and_comes_back_starts_from_the_replicas() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        client.text(BOARD, add("e", "3")).await;
        client.text(BOARD, add("idle", "4")).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["3"]).await;
        let events = proxy.events();
        function.crash().await;
        assert_eq!(
            watch.next().await,
            Err((UNKNOWN, "Entity terminating".to_owned()))
        );
        function.come_back(with_boards());
        let back = |event: &cloudstate_proxy::Event| {
            matches!(event, cloudstate_proxy::Event::FunctionBack).then_some(())
        };
        proxy.event_after(events, back).await.expect("it comes back");
        assert_eq!(client.text(BOARD, read("e")).await, "3");
        assert_eq!(client.text(BOARD, read("idle")).await, "4");
    });
}

#[test]
fn a_deleted_entity_is_deleted_for_all_and_for_ever() {
    run(async {
        let (proxy, function, client) = start(&[("entity.passivation-timeout", "20ms")]).await;
        let mut watch = Watch::begin(&client, MIRROR_WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["0"]).await;
        client.text(BOARD, add("e", "3")).await;
        watch.expect(&["3"]).await;
        assert_eq!(client.text(BOARD, ask("e", "delete", "")).await, "3");
        function.saw("Mirror e: delete").await;
        assert_eq!(watch.next().await, Err((OK, String::new())));
        for path in [BOARD, MIRROR, WATCH] {
            let answer = client.call(path, &read("e")).await;
            assert_eq!(answer.status(), (UNKNOWN, "Entity deleted".to_owned()), "{path}");
        }
        function.saw("Board e: half-closed").await;
        function.saw("Mirror e: half-closed").await;
        let gone = |scrape: &crate::harness::scrape::Scrape| {
            scrape.value("cloudstate_crdt_active_entities", &[("entity_name", "board")]) == 0.0
        };
        proxy.scrape_until(gone).await;
        let (code, body) = proxy.http().await.act(BOARD, &ask("e", "add", "1")).await;
        assert_eq!((code, body.as_str()), (500, "Entity deleted"));
        function.saw_times("Board e: init", 1).await;
        let scrape = proxy.scrape().await;
        assert_eq!(scrape.value("cloudstate_replica_deleted_ids", &[]), 1.0);
        assert_eq!(scrape.value("cloudstate_replica_deleted_bytes", &[]), 64.0);
        assert_eq!(scrape.value("cloudstate_replica_entities", &[]), 0.0);
    });
}

#[test]
fn a_proxy_alone_is_a_majority() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        assert_eq!(client.text(BOARD, ask("e", "add at majority", "3")).await, "3");
    });
}

#[test]
fn a_client_that_does_not_read_loses_its_stream_and_nobody_else_anything() {
    run(async {
        let (_proxy, function, client) = start(&[("crdt.stream-messages", "10")]).await;
        // More than windows and queues on the way hold.
        let mut flood = Watch::begin(&client, WATCH, &ask("e", "flood", "200")).await;
        function.saw("Board e: cancelled 1").await;
        assert_eq!(client.text(BOARD, add("e", "1")).await, "1");
        let mut read = 0;
        let end = loop {
            match flood.next().await {
                Ok(_) => read += 1,
                Err(status) => break status,
            }
        };
        assert_eq!(end.0, ABORTED, "{end:?}");
        assert!(end.1.contains("crdt.stream_messages"), "{end:?}");
        assert!((1..200).contains(&read), "{read}");
    });
}

#[test]
fn forwards_and_effects_lead_to_and_from_crdt_entities() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let there = add("e", "1").forward(LOG, add("log", "arrived"));
        assert_eq!(client.text(BOARD, there).await, "arrived");
        let back = add("", "").forward(BOARD, add("e", "2"));
        assert_eq!(client.text(JOB, back).await, "3");
        let effect = add("e", "4").effect(LOG, add("log", "too"), true);
        assert_eq!(client.text(BOARD, effect).await, "7");
        assert_eq!(client.text(LOG, read("log")).await, "arrived,too");
        // A stream whose first reply is a forward.
        let forwarding = ask("e", "watch until", "8").forward(LOG, read("log"));
        let mut watch = Watch::begin(&client, WATCH, &forwarding).await;
        watch.expect(&["arrived,too"]).await;
        client.text(BOARD, add("e", "1")).await;
        watch.expect(&["8"]).await;
        assert_eq!(watch.next().await, Err((OK, String::new())));
    });
}

#[test]
fn a_shutdown_ends_streams_and_tells_the_function() {
    run(async {
        let (proxy, function, client) = start(&[("runtime.drain-timeout", "30s")]).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["0"]).await;
        client.text(BOARD, add("idle", "1")).await;
        let began = std::time::Instant::now();
        proxy.shut_down();
        let (code, text) = watch.next().await.expect_err("the stream ends");
        assert_eq!((code, text.as_str()), (UNAVAILABLE, "the proxy is shutting down"));
        function.saw("Board e: cancelled 1").await;
        function.saw("Board e: half-closed").await;
        function.saw("Board idle: half-closed").await;
        drop(client);
        proxy.ended().await.expect("it ends in order");
        assert!(began.elapsed().as_secs() < 25, "nothing is left to wait for");
    });
}

#[test]
fn requests_without_an_id_are_refused() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        for path in [BOARD, WATCH] {
            assert_eq!(
                client.call(path, &add("", "1")).await.status().0,
                INVALID,
                "{path}"
            );
        }
    });
}

#[test]
fn many_entities_on_all_cores() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let mut calls = Vec::new();
        for n in 0..500 {
            calls.push(client.begin(BOARD, &add(&format!("e{}", n % 50), "1")).await);
        }
        for call in calls {
            assert_eq!(call.answer().await.status().0, OK);
        }
        for n in 0..50 {
            assert_eq!(client.text(MIRROR, read(&format!("e{n}"))).await, "10");
        }
    });
}

#[test]
fn what_is_served_is_counted() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let mut watch = Watch::begin(&client, WATCH, &ask("e", "watch", "")).await;
        watch.expect(&["0"]).await;
        client.text(BOARD, add("e", "1")).await;
        client.call(BOARD, &ask("e", "decline", "no")).await;
        client.text(MIRROR, read("e")).await;
        client.text(BOARD, add("e", "1")).await;
        let board = [("entity_name", "board")];
        let count = |scrape: &crate::harness::scrape::Scrape, name: &str| {
            scrape.value(&format!("cloudstate_crdt_{name}"), &board)
        };
        let scrape = proxy
            .scrape_until(|scrape| count(scrape, "deltas_total") == 1.0)
            .await;
        for (name, value) in [
            ("received_commands_total", 5.0),
            ("completed_commands_total", 5.0),
            ("failed_commands_total", 1.0),
            ("changes_total", 2.0),
            ("active_entities", 2.0),
            ("active_streams", 1.0),
            ("command_total_time_seconds_count", 5.0),
            ("recovery_time_seconds_count", 2.0),
        ] {
            assert_eq!(count(&scrape, name), value, "{name}");
        }
        assert_eq!(scrape.value("cloudstate_replica_entities", &[]), 1.0);
        watch.leave();
        proxy
            .scrape_until(|scrape| count(scrape, "active_streams") == 0.0)
            .await;
    });
}
