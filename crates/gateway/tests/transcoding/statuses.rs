//! Failures as statuses of HTTP. Source: the comments of `google/rpc/code.proto`.

use std::rc::Rc;
use std::sync::Arc;

use cloudstate_gateway::{Front, Metrics, Options, Routes};
use cloudstate_runtime::{Call, CallError, Code, Replies};
use serde_json::Value;
use tokio::sync::Notify;

use super::{Api, message};
use crate::common::raw::connect;
use crate::common::{Script, Server, actions, run, serve_front};

const PROTO: &str = r#"
    message Request { string id = 1; }
    service Service {
      rpc Call(Request) returns (Request) { option (google.api.http).get = "/call"; }
      rpc Post(Request) returns (Request) { option (google.api.http) = { post: "/post" body: "*" }; }
    }"#;

#[test]
fn every_code_of_grpc_has_a_status_of_http() {
    run(async {
        for (code, name, status) in [
            (Code::Cancelled, "CANCELLED", 499),
            (Code::Unknown, "UNKNOWN", 500),
            (Code::InvalidArgument, "INVALID_ARGUMENT", 400),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
            (Code::NotFound, "NOT_FOUND", 404),
            (Code::AlreadyExists, "ALREADY_EXISTS", 409),
            (Code::PermissionDenied, "PERMISSION_DENIED", 403),
            (Code::Unauthenticated, "UNAUTHENTICATED", 401),
            (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
            (Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
            (Code::Aborted, "ABORTED", 409),
            (Code::OutOfRange, "OUT_OF_RANGE", 400),
            (Code::Unimplemented, "UNIMPLEMENTED", 501),
            (Code::Internal, "INTERNAL", 500),
            (Code::Unavailable, "UNAVAILABLE", 503),
            (Code::DataLoss, "DATA_LOSS", 500),
        ] {
            let failure = CallError::Status {
                code,
                message: "why".to_owned(),
            };
            let api = Api::answering(PROTO, move |_| Err(failure.clone())).await;
            let answer = api.send("GET /call", "").await;
            assert_eq!(
                (answer.status.as_u16(), message(&answer).as_str()),
                (status, "why")
            );
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (body["code"].as_i64(), body["status"].as_str()),
                (Some(code as i64), Some(name))
            );
        }
    });
}

#[test]
fn a_bad_request_says_which_field_and_where() {
    run(async {
        let api = Api::of(PROTO).await;
        for (request, body, field, text) in [
            ("POST /post", "{\n \"id\": 1}", "id", "line 2, column 8"),
            ("POST /post", r#"{"nope": 1}"#, "nope", "line 1, column 7"),
            (
                "GET /call?nope=1",
                "",
                "nope",
                "no field of the request has this name",
            ),
        ] {
            let answer = api.send(request, body).await;
            assert_eq!(answer.status, 400);
            assert!(
                message(&answer).starts_with(&format!("field [{field}]")),
                "{answer:?}"
            );
            let status: Value = serde_json::from_slice(&answer.body).unwrap();
            let detail = &status["details"][0];
            assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.BadRequest");
            let violation = &detail["fieldViolations"][0];
            assert_eq!(violation["field"], field);
            assert!(
                violation["description"].as_str().unwrap().contains(text),
                "{violation}"
            );
        }
        let answer = api.send("POST /post", "{\"id\": \"a\",\n]").await;
        assert_eq!(answer.status, 400);
        assert!(
            message(&answer).starts_with("malformed JSON at line 2, column 1"),
            "{answer:?}"
        );
    });
}

/// A function that never answers. Says when it is called.
async fn silent() -> (Server, Rc<Notify>) {
    let called = Rc::new(Notify::new());
    let calls = called.clone();
    let router = Script::new(move |_: Call| {
        calls.notify_one();
        std::future::pending::<Result<Replies, CallError>>()
    });
    let front = Front::serving(Arc::new(Routes::new(actions(PROTO).unwrap())));
    (serve_front(router, Options::default(), front).await, called)
}

#[test]
fn a_deadline_that_passes_is_504() {
    run(async {
        let (server, _) = silent().await;
        let client = connect(server.port).await;
        let request = client.request("GET", "/call").header("grpc-timeout", "10m");
        let answer = client.send(request, &[]).await;
        assert_eq!(answer.status, 504);
        assert!(message(&answer).contains("deadline"), "{answer:?}");
    });
}

#[test]
fn a_client_that_goes_away_is_counted_as_cancelled() {
    run(async {
        let (server, called) = silent().await;
        let client = connect(server.port).await;
        tokio::select! {
            answer = client.send(client.request("GET", "/call"), &[]) => panic!("{answer:?}"),
            () = called.notified() => {}
        }
        // The request was dropped, which resets its stream.
        let cancelled = r#"requests_total{service="test.Service",method="Call",code="CANCELLED"} 1"#;
        while !encoded(&server.metrics).contains(cancelled) {
            tokio::task::yield_now().await;
        }
    });
}

fn encoded(metrics: &Metrics) -> String {
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}
