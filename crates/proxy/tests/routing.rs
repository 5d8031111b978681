//! Forwards and side effects between all kinds.

use crate::harness::{CELL, JOB, LOG, add, ask, read, run, start};

const UNKNOWN: u32 = 2;
const RESOURCE_EXHAUSTED: u32 = 8;
const INTERNAL: u32 = 13;

#[test]
fn forwards_lead_from_every_kind_to_every_other() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        for from in [LOG, CELL, JOB] {
            for to in [LOG, CELL, JOB] {
                let (source, target) = (format!("from {from}{to}"), format!("to {from}{to}"));
                let request = add(&source, "left").forward(to, add(&target, "arrived"));
                assert_eq!(client.text(from, request).await, "arrived", "{from} to {to}");
                if from != JOB {
                    assert_eq!(client.text(from, read(&source)).await, "left", "{from} to {to}");
                }
                if to != JOB {
                    assert_eq!(client.text(to, read(&target)).await, "arrived", "{from} to {to}");
                }
            }
        }
        let back = add("there", "1").forward(JOB, add("", "").forward(LOG, add("there", "2")));
        assert_eq!(client.text(LOG, back).await, "1,2");
    });
}

#[test]
fn a_forward_gives_the_outcome_of_its_target() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let request = add("a", "kept").forward(JOB, ask("", "decline", "not here"));
        let answer = client.call(LOG, &request).await;
        assert_eq!(answer.status(), (UNKNOWN, "not here".to_owned()));
        assert_eq!(client.text(LOG, read("a")).await, "kept");
    });
}

#[test]
fn forwards_to_nowhere_are_internal_errors_and_reported_with_their_way() {
    run(async {
        let (proxy, function, client) = start(&[]).await;
        for (path, text) in [
            ("/whole.Nowhere/Act", "Service [whole.Nowhere] unknown"),
            (
                "/whole.Log/Fly",
                "Service [whole.Log] does not have a command named: [Fly]",
            ),
        ] {
            for from in [LOG, CELL, JOB] {
                let request = add("a", "kept").forward(path, read("b"));
                let answer = client.call(from, &request).await;
                assert_eq!(answer.status(), (INTERNAL, text.to_owned()), "{from}");
                let way = from.trim_start_matches('/').replace('/', ".");
                function
                    .reported(&format!("{text}\n  forwarded from {way}"))
                    .await;
            }
        }
        assert_eq!(client.text(LOG, read("a")).await, "kept,kept");
        let body =
            r#"{"id":"a","what":"add","text":"x","forward":{"service":"whole.Nowhere","command":"Act"}}"#;
        let response = proxy.http().await.post(LOG, body).await;
        assert_eq!(response.status(), 500);
        assert!(
            response.body().contains("Service [whole.Nowhere] unknown"),
            "{}",
            response.body()
        );
    });
}

#[test]
fn circles_of_forwards_end_at_the_limit() {
    run(async {
        let (_proxy, function, client) = start(&[("runtime.forward-limit", "3")]).await;
        for (path, method) in [(LOG, "whole.Log"), (CELL, "whole.Cell"), (JOB, "whole.Job")] {
            let circle = ask(method, "circle", &format!("{method}/Act"));
            let (code, text) = client.call(path, &circle).await.status();
            assert_eq!(code, INTERNAL, "{text}");
            let expected = format!(
                "{method}.Act was reached over more than 3 forwards and side effects, the limit: they seem to run in a circle"
            );
            assert_eq!(text, expected);
            let report = function.reported(&expected).await;
            assert_eq!(report.matches("forwarded from").count(), 4, "{report}");
        }
        // A chain as long as the limit is none.
        let chain = read("").forward(JOB, read("").forward(JOB, read("").forward(JOB, add("", "end"))));
        assert_eq!(client.text(JOB, chain).await, "end");
    });
}

#[test]
fn circles_of_effects_end_at_the_limit_and_fail_nothing() {
    run(async {
        let (_proxy, function, client) = start(&[("runtime.forward-limit", "3")]).await;
        let circle = ask("a", "circle of effects", "whole.Log/Act");
        let answer = client.text(LOG, circle).await;
        assert_eq!(answer, "whole.Log/Act", "the reply is the first one's");
        function.reported("seem to run in a circle").await;
        let state = client.text(LOG, read("a")).await;
        assert_eq!(state.matches("whole.Log/Act").count(), 4, "{state}");
    });
}

#[test]
fn an_effect_to_nowhere_is_reported_and_fails_nothing() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        for from in [LOG, CELL, JOB] {
            let request = add("a", "done").effect("/whole.Nowhere/Act", read("b"), true);
            assert_eq!(client.text(from, request).await, "done");
            let way = from.trim_start_matches('/').replace('/', ".");
            let text = format!("Service [whole.Nowhere] unknown\n  side-effect of {way}");
            function.reported(&text).await;
        }
    });
}

#[test]
fn effects_run_in_order_after_the_commit_and_before_the_reply() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        for from in [LOG, CELL, JOB] {
            let request = add("source", "x")
                .effect(JOB, ask("", "hold, add", &format!("first {from}")), true)
                .effect(JOB, ask("", "decline", &format!("second {from}")), true)
                .effect(CELL, add("sum", "effect"), true);
            let mut call = client.begin(from, &request).await;
            function.saw(&format!("job: hold, add first {from}")).await;
            if from != JOB {
                // The turn is over though its effects are not.
                assert_eq!(client.text(from, read("source")).await, "x");
            }
            assert!(
                !function.log().contains(&format!("job: decline second {from}")),
                "the second effect did not wait"
            );
            let early = tokio::time::timeout(std::time::Duration::from_millis(20), &mut call.response).await;
            assert!(early.is_err(), "the reply did not wait for the effects");
            function.release();
            assert_eq!(call.answer().await.text(), "x");
            assert!(function.log().contains(&format!("job: decline second {from}")));
        }
        assert_eq!(client.text(CELL, read("sum")).await, "effect,effect,effect");
    });
}

#[test]
fn a_reply_does_not_wait_for_asynchronous_effects() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        let request = add("a", "x").effect(LOG, ask("b", "hold, add", "late"), false);
        assert_eq!(client.text(LOG, request).await, "x");
        function.saw("b: command 1 hold, add late").await;
        function.release();
        assert_eq!(client.text(LOG, read("b")).await, "late");
    });
}

#[test]
fn an_effect_on_an_entity_that_has_one_on_the_first_does_not_deadlock() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        for path in [LOG, CELL] {
            let back = add("b", "2").effect(path, add("a", "3"), true);
            let request = add("a", "1").effect(path, back, true);
            assert_eq!(client.text(path, request).await, "1");
            assert_eq!(client.text(path, read("a")).await, "1,3");
            assert_eq!(client.text(path, read("b")).await, "2");
        }
    });
}

#[test]
fn a_declined_action_runs_its_effects() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let request = ask("", "decline", "no").effect(LOG, add("a", "all the same"), true);
        assert_eq!(
            client.call(JOB, &request).await.status(),
            (UNKNOWN, "no".to_owned())
        );
        assert_eq!(client.text(LOG, read("a")).await, "all the same");
    });
}

#[test]
fn a_command_that_took_effect_is_never_called_not_executed_for_the_sake_of_its_forward() {
    run(async {
        let flags = [("entity.queue-commands", "1"), ("runtime.threads", "1")];
        let (_proxy, function, client) = start(&flags).await;
        let held = client.begin(LOG, &ask("full", "hold, add", "1")).await;
        function.saw("full: command 1 hold, add 1").await;
        let waiting = client.begin(LOG, &add("full", "2")).await;

        // Nothing happened: the refusal is passed on as it is.
        let pure = read("a").forward(LOG, add("full", "never"));
        let answer = client.call(LOG, &pure).await;
        assert_eq!(answer.status().0, RESOURCE_EXHAUSTED, "{:?}", answer.status());
        assert!(answer.header("retry-after").is_some());

        // Something happened: a client that retries on its own would do it twice.
        let changing = add("a", "kept").forward(LOG, add("full", "never"));
        let causing = read("a")
            .effect(CELL, add("a", "kept"), true)
            .forward(LOG, add("full", "never"));
        let over = read("").forward(LOG, changing.clone());
        for (path, request) in [
            (LOG, changing),
            (LOG, causing.clone()),
            (JOB, causing),
            (JOB, over),
        ] {
            let answer = client.call(path, &request).await;
            let (code, text) = answer.status();
            assert_eq!(code, UNKNOWN, "{text}");
            assert!(text.contains("took effect"), "{text}");
            assert!(text.contains("already wait for entity [full]"), "{text}");
            assert_eq!(answer.header("retry-after"), None);
        }
        function.release();
        assert_eq!(held.answer().await.text(), "1");
        assert_eq!(waiting.answer().await.text(), "1,2");
        assert_eq!(client.text(LOG, read("a")).await, "kept,kept");
        assert_eq!(client.text(CELL, read("a")).await, "kept,kept");
    });
}
