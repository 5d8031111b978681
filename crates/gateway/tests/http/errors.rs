//! Failed calls and requests that lead nowhere.

use super::*;

#[test]
fn every_error_has_its_http_status() {
    run(async {
        let text = || "why".to_owned();
        let retry_after = Duration::from_millis(1500);
        let cases = [
            (
                CallError::Status {
                    code: Code::NotFound,
                    message: text(),
                },
                404,
            ),
            (CallError::InvalidRequest(text()), 400),
            (CallError::Violation(text()), 500),
            (CallError::FunctionUnavailable(text()), 503),
            (CallError::DeadlineExceeded(text()), 504),
            (CallError::OutcomeUnknown(text()), 500),
            (CallError::StoreUnavailable(text()), 503),
            (
                CallError::QueueFull {
                    message: text(),
                    retry_after,
                },
                429,
            ),
            (
                CallError::Overloaded {
                    message: text(),
                    retry_after,
                },
                503,
            ),
            (CallError::Unroutable(text()), 500),
        ];
        for (failure, status) in cases {
            let sent = failure.clone();
            let client = serving(move |_, _| Err(sent.clone())).await;
            let answer = get(&client, "/carts/c").await;
            assert_eq!(error(&answer, status, failure.code()), "why");
            let retry = answer
                .headers
                .get("retry-after")
                .map(|value| value.to_str().unwrap());
            assert_eq!(retry, failure.retry_after().map(|_| "2"), "{failure:?}");
            let reason = json_of(&answer)["details"]
                .as_array()
                .unwrap()
                .iter()
                .any(|d| d["reason"] == "OUTCOME_UNKNOWN");
            assert_eq!(reason, failure.reason().is_some(), "{failure:?}");
        }
    });
}

#[test]
fn the_functions_own_failure_is_plain_text() {
    run(async {
        for failure in [
            CallError::Failure("no stock".into()),
            CallError::EntityFailed("no stock".into()),
        ] {
            let client = serving(move |_, _| Err(failure.clone())).await;
            let answer = get(&client, "/carts/c").await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body[..]),
                (500, &b"no stock"[..])
            );
            assert_eq!(answer.headers["content-type"], "text/plain; charset=UTF-8");
        }
    });
}

#[test]
fn unknown_paths_and_wrong_methods_are_told_apart() {
    run(async {
        let client = refusing().await;
        for path in ["/", "/nope", "/carts", "/carts/c/nope", "/shop.Cart/Nope"] {
            error(&get(&client, path).await, 404, Code::NotFound);
        }
        for method in ["DELETE", "OPTIONS", "POST"] {
            let answer = client.send(client.request(method, "/carts/c"), &[]).await;
            error(&answer, 405, Code::Unimplemented);
            assert_eq!(answer.headers["allow"], "GET, HEAD");
        }
    });
}

#[test]
fn a_front_that_does_not_serve_is_503() {
    run(async {
        let router = Script::new(|_| async { panic!("must not be called") });
        let server =
            common::serve_front(router, Options::default(), Front::unavailable("no function yet")).await;
        let client = connect(server.port).await;
        for path in ["/", "/carts/c"] {
            assert_eq!(
                error(&get(&client, path).await, 503, Code::Unavailable),
                "no function yet"
            );
        }
        let routes = std::sync::Arc::new(cloudstate_gateway::Routes::new(catalog()));
        server
            .front
            .send_replace(std::sync::Arc::new(Front::lost(routes, "gone")));
        assert_eq!(
            error(&get(&client, "/carts/c").await, 503, Code::Unavailable),
            "gone"
        );
        error(&get(&client, "/nope").await, 404, Code::NotFound);
    });
}
