//! Much at once: nobody waits for another, and every limit has its answer.

use std::time::Duration;

use futures_util::future::join_all;

use crate::harness::{CELL, Function, JOB, LOG, Proxy, add, ask, read, run, start, whole};

const DEADLINE_EXCEEDED: u32 = 4;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNAVAILABLE: u32 = 14;

#[test]
fn a_slow_command_holds_up_nobody_else() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        let mut held = Vec::new();
        for path in [LOG, CELL, JOB] {
            held.push(client.begin(path, &ask("slow", "hold, add", "x")).await);
        }
        function.saw_times("slow: command 1 hold, add x", 2).await;
        function.saw("job: hold, add x").await;
        for n in 0..50 {
            for path in [LOG, CELL, JOB] {
                assert_eq!(client.text(path, add(&format!("{path}{n}"), "y")).await, "y");
            }
        }
        function.release_times(3);
        for call in held {
            assert_eq!(call.answer().await.text(), "x");
        }
    });
}

#[test]
fn over_a_thousand_commands_are_in_flight_on_one_connection() {
    run(async {
        const COUNT: usize = 1_500;
        let (_proxy, function, client) = start(&[("http.max-concurrent-streams", "2000")]).await;
        let mut calls = Vec::new();
        for n in 0..COUNT {
            let path = [LOG, CELL, JOB][n % 3];
            calls.push(
                client
                    .begin(path, &ask(&n.to_string(), "hold, add", &n.to_string()))
                    .await,
            );
        }
        for n in [0, 1, COUNT - 3, COUNT - 2] {
            let path = n % 3;
            assert_ne!(path, 2);
            function.saw(&format!("{n}: command 1 hold, add {n}")).await;
        }
        let arrived = |log: &[String]| log.iter().filter(|line| line.contains("hold, add")).count();
        while arrived(&function.log()) < COUNT {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        function.release_times(COUNT);
        for (n, answer) in join_all(calls.into_iter().map(|call| call.answer()))
            .await
            .iter()
            .enumerate()
        {
            assert_eq!(answer.text(), n.to_string());
        }
    });
}

#[test]
fn many_commands_for_one_entity_run_one_at_a_time_in_order() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let mut calls = Vec::new();
        for n in 0..100 {
            calls.push(client.begin(LOG, &add("a", &n.to_string())).await);
        }
        let mut expected = Vec::new();
        for (n, call) in calls.into_iter().enumerate() {
            expected.push(n.to_string());
            assert_eq!(call.answer().await.text(), expected.join(","));
        }
    });
}

#[test]
fn a_full_entity_queue_refuses_with_resource_exhausted() {
    run(async {
        let flags = [("entity.queue-commands", "2"), ("runtime.threads", "1")];
        let (proxy, function, client) = start(&flags).await;
        let http = proxy.http().await;
        for path in [LOG, CELL] {
            let mut held = vec![client.begin(path, &ask(path, "hold, add", "1")).await];
            function.saw(&format!("{path}: command 1 hold, add 1")).await;
            held.push(client.begin(path, &add(path, "2")).await);
            held.push(client.begin(path, &add(path, "3")).await);
            // One core takes calls in order: once this is answered, the others wait for their entity.
            client.text(path, read("probe")).await;

            let answer = client.call(path, &add(path, "never")).await;
            let text = format!("2 commands already wait for entity [{path}], the limit of its queue");
            assert_eq!(answer.status(), (RESOURCE_EXHAUSTED, text.clone()));
            assert_eq!(answer.header("retry-after"), Some("1"));
            let body = format!(r#"{{"id":"{path}","what":"add","text":"never"}}"#);
            let response = http.post(path, &body).await;
            assert_eq!(response.status(), 429, "{}", response.body());
            assert_eq!(response.headers()["retry-after"], "1");
            assert!(response.body().contains(&text), "{}", response.body());

            function.release();
            for call in held {
                assert_eq!(call.answer().await.status().0, 0);
            }
            assert_eq!(client.text(path, read(path)).await, "1,2,3");
        }
    });
}

#[test]
fn an_overloaded_proxy_refuses_with_unavailable() {
    run(async {
        let (proxy, function, client) = start(&[("runtime.max-in-flight", "2")]).await;
        let http = proxy.http().await;
        let log = client.begin(LOG, &ask("a", "hold, add", "x")).await;
        let job = client.begin(JOB, &ask("", "hold, add", "x")).await;
        function.saw("a: command 1 hold, add x").await;
        function.saw("job: hold, add x").await;
        for path in [LOG, CELL, JOB, "/whole.Job/Out"] {
            let answer = client.call(path, &read("b")).await;
            let (code, text) = answer.status();
            assert_eq!(code, UNAVAILABLE, "{text}");
            assert!(text.contains("overloaded: 2 calls are in progress"), "{text}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        }
        let response = http.post(LOG, r#"{"id":"b"}"#).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        function.release_times(2);
        assert_eq!(log.answer().await.text(), "x");
        assert_eq!(job.answer().await.text(), "x");
        assert_eq!(client.text(LOG, read("b")).await, "");
    });
}

#[test]
fn a_deadline_ends_the_waiting_but_not_what_was_sent() {
    run(async {
        let (_proxy, function, client) = start(&[("runtime.threads", "1")]).await;
        for path in [LOG, CELL] {
            let deadline = [("grpc-timeout", "100m")];
            let sent = client
                .call_with(path, &deadline, &ask(path, "hold, add", "sent"))
                .await;
            assert_eq!(sent.status().0, DEADLINE_EXCEEDED, "{:?}", sent.status());
            function.saw(&format!("{path}: command 1 hold, add sent")).await;
            // This one waits behind it, and is never sent.
            let unsent = client.call_with(path, &deadline, &add(path, "unsent")).await;
            assert_eq!(unsent.status().0, DEADLINE_EXCEEDED);
            function.release();
            assert_eq!(client.text(path, read(path)).await, "sent");
        }
        let answer = client
            .call_with(JOB, &[("grpc-timeout", "100m")], &ask("", "never answer", ""))
            .await;
        assert_eq!(answer.status().0, DEADLINE_EXCEEDED);
        function.saw("call Act cut off").await;
    });
}

#[test]
fn a_caller_that_leaves_takes_only_what_was_not_sent_along() {
    run(async {
        let (_proxy, function, client) = start(&[("runtime.threads", "1")]).await;
        for path in [LOG, CELL] {
            let sent = client.begin(path, &ask(path, "hold, add", "sent")).await;
            function.saw(&format!("{path}: command 1 hold, add sent")).await;
            let unsent = client.begin(path, &add(path, "unsent")).await;
            client.text(path, read("probe")).await;
            drop((sent, unsent));
            // The resets arrive before this call, on the same connection.
            client.text(path, read("probe")).await;
            function.release();
            assert_eq!(client.text(path, read(path)).await, "sent");
        }
    });
}

#[test]
fn further_connections_are_opened_when_the_function_limits_streams() {
    run(async {
        let function = Function::start_with(0, whole(), 10);
        let proxy = Proxy::start(function.port, &[]);
        let client = proxy.client().await;
        let mut calls = Vec::new();
        for n in 0..200 {
            calls.push(client.begin(LOG, &ask(&n.to_string(), "hold, add", "x")).await);
        }
        for n in 0..200 {
            function.saw(&format!("{n}: command 1 hold, add x")).await;
        }
        function.release_times(200);
        for call in calls {
            assert_eq!(call.answer().await.text(), "x");
        }
        assert!(function.connections() >= 20, "{}", function.connections());
    });
}

#[test]
fn a_function_without_room_for_another_stream_is_unavailable() {
    run(async {
        let function = Function::start_with(0, whole(), 2);
        let proxy = Proxy::start(
            function.port,
            &[("function.max-connections", "1"), ("runtime.threads", "1")],
        );
        let client = proxy.client().await;
        client.text(LOG, add("a", "x")).await;
        client.text(LOG, add("b", "x")).await;
        let (code, text) = client.call(LOG, &add("c", "x")).await.status();
        assert_eq!(code, UNAVAILABLE, "{text}");
        assert!(text.contains("are full with 2 open streams"), "{text}");
        assert_eq!(client.text(LOG, add("a", "y")).await, "x,y");
    });
}
