//! Which calls are traced, in which trace, and what their spans say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use cloudstate_gateway::Options;
use cloudstate_runtime::{Call, CallError, Code};
use cloudstate_telemetry::trace::{Finished, Kind, Sampler, Spans, Tracer, Value};
use common::raw::{Client, connect, frame};
use common::{Script, Server, one, reply, run, serve, stream};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A gateway whose calls are all traced, and their spans. The reply to a call is the `traceparent` for its children.
async fn traced() -> (Server, Client, Spans) {
    let sampler = Sampler {
        by_caller: true,
        ratio: 1.0,
    };
    let (tracer, spans) = Tracer::new(sampler, 10);
    let options = Options {
        tracer: Some(tracer),
        ..Options::default()
    };
    let router = Script::new(|call: Call| async move {
        let trace = call.trace.expect("every call is traced");
        let parent = trace.parent_of(trace.root());
        let status = |code| CallError::Status {
            code,
            message: "no".to_owned(),
        };
        match &*call.method.name {
            "Out" => stream(vec![Ok(reply(parent)), Err(status(Code::Internal))]),
            "Unary" => Err(status(Code::NotFound)),
            "Find" => Err(status(Code::Unavailable)),
            "AddItem" => one(""),
            _ => one(parent),
        }
    });
    let server = serve(router, options).await;
    let client = connect(server.port).await;
    (server, client, spans)
}

async fn next(spans: &mut Spans) -> Finished {
    let mut taken = Vec::new();
    assert_eq!(spans.take(&mut taken, 1).await, 1);
    taken.remove(0)
}

fn attribute<'a>(span: &'a Finished, name: &str) -> Option<&'a Value> {
    span.attributes
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

#[test]
fn a_call_continues_the_trace_of_its_caller() {
    run(async {
        let (_server, client, mut spans) = traced().await;
        let request = client
            .request("POST", "/shop.Cart/Plain")
            .header("content-type", "application/grpc")
            .header("traceparent", PARENT)
            .header("tracestate", "a=1");
        let answer = client.send(request, &[frame(b"x")]).await;
        let span = next(&mut spans).await;
        let told = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", span.id);
        assert_eq!(answer.messages(), [told.as_bytes()]);
        assert_eq!(span.parent.unwrap().to_string(), "00f067aa0ba902b7");
        assert!(span.is_parent_remote);
        assert_eq!(span.state.as_deref(), Some("a=1"));
        assert_eq!((span.name.as_str(), span.kind), ("shop.Cart/Plain", Kind::Server));
        assert_eq!(attribute(&span, "rpc.grpc.status_code"), Some(&Value::Number(0)));
        assert_eq!(span.error, None);
        assert!(span.ended_unix_ns >= span.began_unix_ns);
    });
}

#[test]
fn a_call_without_a_caller_begins_a_trace() {
    run(async {
        let (_server, client, mut spans) = traced().await;
        let mut traces = Vec::new();
        for malformed in ["", "00-0-0-00"] {
            let request = client.grpc("/shop.Cart/Plain").header("traceparent", malformed);
            client.send(request, &[frame(b"x")]).await;
            let span = next(&mut spans).await;
            assert_eq!(span.parent, None);
            traces.push(span.trace);
        }
        assert_ne!(traces[0], traces[1]);
    });
}

#[test]
fn a_call_that_its_caller_does_not_record_is_not_recorded() {
    run(async {
        let (_server, client, mut spans) = traced().await;
        let parent = PARENT.replace("-01", "-00");
        let request = client.grpc("/shop.Cart/Plain").header("traceparent", parent);
        let told = client.send(request, &[frame(b"x")]).await.messages().remove(0);
        assert!(told.ends_with(b"-00"), "{told:?}");
        client.unary("/shop.Cart/GetCart", b"").await;
        assert_eq!(next(&mut spans).await.name, "shop.Cart/GetCart");
    });
}

#[test]
fn a_span_says_how_its_call_ended() {
    run(async {
        let (_server, client, mut spans) = traced().await;
        for (path, code, error) in [
            ("/shop.Streams/Out", 13, Some("INTERNAL")),
            ("/shop.Cart/Find", 14, Some("UNAVAILABLE")),
            // The caller's fault, not the server's.
            ("/shop.Streams/Unary", 5, None),
        ] {
            client.unary(path, b"").await;
            let span = next(&mut spans).await;
            assert_eq!(span.name, path[1..]);
            assert_eq!(
                attribute(&span, "rpc.grpc.status_code"),
                Some(&Value::Number(code))
            );
            assert_eq!(span.error.as_deref(), error);
        }
    });
}

#[test]
fn a_json_call_is_traced_as_well() {
    run(async {
        let (server, _client, mut spans) = traced().await;
        let headers = [("traceparent", PARENT), ("content-type", "application/json")];
        let sent = common::http1::send(server.port, "POST", "/carts/a/items", &headers, b"{}").await;
        assert_eq!(sent.status, 200);
        let span = next(&mut spans).await;
        assert_eq!(span.parent.unwrap().to_string(), "00f067aa0ba902b7");
        assert_eq!(span.name, "shop.Cart/AddItem");
        assert_eq!(
            attribute(&span, "http.request.method"),
            Some(&Value::Text("POST".into()))
        );
        assert_eq!(
            attribute(&span, "url.path"),
            Some(&Value::Text("/carts/a/items".into()))
        );
    });
}

#[test]
fn probes_and_unknown_methods_are_not_traced() {
    run(async {
        let (_server, client, mut spans) = traced().await;
        client.unary("/grpc.health.v1.Health/Check", b"").await;
        client.unary("/shop.Cart/Nope", b"").await;
        client.unary("/shop.Cart/Plain", b"").await;
        assert_eq!(next(&mut spans).await.name, "shop.Cart/Plain");
    });
}
