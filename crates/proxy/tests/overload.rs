//! A function that cannot keep up: what would wait for too long is refused, was never executed, and comes in again later.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::scrape::Scrape;
use crate::harness::{BOARD, CELL, Function, JOB, LOG, Proxy, add, ask, read, run, start, with_boards};

const UNAVAILABLE: u32 = 14;

fn shed(scrape: &Scrape) -> f64 {
    scrape.value(
        "cloudstate_runtime_shed_commands_total",
        &[("reason", "max_delay")],
    )
}

fn limited(scrape: &Scrape) -> f64 {
    scrape.value("cloudstate_runtime_limited_methods", &[])
}

#[test]
fn a_function_that_falls_behind_gets_no_more_until_it_has_caught_up() {
    run(async {
        const HELD: usize = 80;
        let flags = [
            ("runtime.threads", "1"),
            ("runtime.max-delay", "10ms"),
            ("runtime.min-in-flight", "10"),
        ];
        let function = Function::start(with_boards());
        let proxy = Proxy::start(function.port, &flags);
        let (client, http) = (proxy.client().await, proxy.http().await);
        for (turn, path) in [LOG, CELL, JOB, BOARD].into_iter().enumerate() {
            for n in 0..10 {
                client.text(path, add(&format!("quick{n}"), "x")).await;
            }
            let began = Instant::now();
            let mut held = Vec::new();
            for n in 0..HELD {
                let request = ask(&format!("held{n}"), "hold, add", path);
                held.push(client.begin(path, &request).await);
            }
            let arrived = |log: &[String]| {
                let line = format!("hold, add {path}");
                log.iter().filter(|seen| seen.ends_with(&line)).count() == HELD
            };
            // The function is late, while another service answers as ever.
            let other = [CELL, LOG, LOG, LOG][turn];
            while !arrived(&function.log()) || began.elapsed() < Duration::from_millis(300) {
                client.text(other, read("other")).await;
            }
            let mut released = 0;
            while limited(&proxy.scrape().await) == 0.0 {
                function.release_times(1);
                released += 1;
                assert!(
                    released < HELD / 2,
                    "{path} is not limited after {released} late answers"
                );
                // Some time passes, in which this one is answered.
                client.text(other, read("other")).await;
            }

            let before = function.log().len();
            let answer = client.call(path, &ask("never", "add", "never")).await;
            let (code, text) = answer.status();
            assert_eq!(code, UNAVAILABLE, "{text}");
            assert!(text.contains("the user function is overloaded"), "{text}");
            assert!(text.contains(path), "{text}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
            let response = http
                .post(path, r#"{"id":"never","what":"add","text":"never"}"#)
                .await;
            assert_eq!(response.status(), 503, "{}", response.body());
            assert_eq!(response.headers()["retry-after"], "1");
            assert_eq!(shed(&proxy.scrape().await), 2.0 * (turn + 1) as f64);
            assert_eq!(
                client.text(other, read("other")).await,
                "",
                "others are not concerned"
            );

            function.release_times(HELD - released);
            for answer in join_all(held.into_iter().map(|call| call.answer())).await {
                assert_eq!(answer.status().0, 0, "{path}");
            }
            let after = client.text(path, add("after", "y")).await;
            assert_eq!(after, if path == BOARD { "1" } else { "y" });
            let scrape = proxy.scrape().await;
            assert_eq!(limited(&scrape), 0.0, "{path} is limited still");
            let executed = |log: &[String]| log[before..].iter().any(|line| line.contains("never"));
            assert!(
                !executed(&function.log()),
                "a refused command of {path} was executed"
            );
        }
    });
}

#[test]
fn no_limit_is_put_on_delay_if_it_is_switched_off() {
    run(async {
        let flags = [("runtime.max-delay", "0s"), ("runtime.min-in-flight", "1")];
        let (proxy, function, client) = start(&flags).await;
        client.text(LOG, add("quick", "x")).await;
        let mut held = Vec::new();
        for n in 0..40 {
            held.push(
                client
                    .begin(LOG, &ask(&format!("held{n}"), "hold, add", "x"))
                    .await,
            );
        }
        function.saw("held39: command 1 hold, add x").await;
        function.release_times(20);
        assert_eq!(client.text(LOG, add("other", "y")).await, "y");
        function.release_times(20);
        for answer in join_all(held.into_iter().map(|call| call.answer())).await {
            assert_eq!(answer.status().0, 0);
        }
        assert_eq!(shed(&proxy.scrape().await), 0.0);
    });
}
