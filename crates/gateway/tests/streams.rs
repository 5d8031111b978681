//! Streams over HTTP on real sockets: server-sent events, lines of JSON, content in pieces.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_gateway::Options;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::http1::{self, Open, Received};
use common::{Script, Server, catalog, reply, run, serve, stream};
use futures_util::{Stream, StreamExt};
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

const EVENTS: (&str, &str) = ("accept", "text/event-stream");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");
/// Long enough for a fault to show; a slow machine only makes a faulty server pass.
const A_WHILE: Duration = Duration::from_millis(300);

fn encode(type_name: &str, value: &Value) -> Bytes {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    DynamicMessage::deserialize(of, value)
        .unwrap()
        .encode_to_vec()
        .into()
}

fn decode(type_name: &str, bytes: Bytes) -> Value {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    serde_json::to_value(DynamicMessage::decode(of, bytes).unwrap()).unwrap()
}

fn text(text: &str) -> Reply {
    reply(encode("shop.Text", &json!({"text": text})))
}

fn named(text_: &str, metadata: &[(&str, &str)]) -> Reply {
    let metadata = metadata.iter().copied().collect();
    Reply {
        metadata,
        ..text(text_)
    }
}

fn gone() -> CallError {
    CallError::Status {
        code: Code::NotFound,
        message: "gone".into(),
    }
}

async fn served(router: Script) -> Server {
    serve(router, Options::default()).await
}

/// Answers each call with these replies.
async fn answering(items: Vec<Result<Reply, CallError>>) -> Server {
    served(Script::new(move |_| {
        let items = items.clone();
        async move { stream(items) }
    }))
    .await
}

/// Answers each call with a stream.
async fn streaming<S>(options: Options, replies: impl Fn() -> S + 'static) -> Server
where
    S: Stream<Item = Result<Reply, CallError>> + 'static,
{
    let router = Script::new(move |_| {
        let replies = replies();
        async move { Ok(Replies::Stream(Box::pin(replies) as _)) }
    });
    serve(router, options).await
}

async fn follow(server: &Server, headers: &[(&str, &str)]) -> Received {
    http1::send(server.port, "GET", "/follow/x", headers, b"").await
}

fn body(answer: &Received) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn the_client_chooses_between_events_and_lines() {
    run(async {
        let server = answering(vec![Ok(text("a")), Ok(text("ü\n"))]).await;
        let lines = "{\"text\":\"a\"}\n{\"text\":\"ü\\n\"}\n";
        for (accept, content_type) in [
            ("*/*", "application/x-ndjson"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("application/json", "application/json"),
        ] {
            let answer = follow(&server, &[("accept", accept)]).await;
            assert_eq!((answer.status, body(&answer)), (200, lines), "{accept}");
            assert_eq!(answer.headers["content-type"], content_type);
        }
        let answer = follow(&server, &[]).await;
        assert_eq!(answer.headers["content-type"], "application/x-ndjson");
        let answer = follow(&server, &[EVENTS]).await;
        let events = "data: {\"text\":\"a\"}\n\ndata: {\"text\":\"ü\\n\"}\n\nevent: end\ndata: {}\n\n";
        assert_eq!((answer.status, body(&answer)), (200, events));
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("vary", "Accept"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
    });
}

#[test]
fn the_function_names_events_and_learns_which_was_the_last() {
    run(async {
        let server = served(Script::new(|call: Call| async move {
            let after: u32 = call
                .metadata
                .get("last-event-id")
                .map_or(0, |id| id.parse().unwrap());
            let numbered = |number: u32| {
                let id = number.to_string();
                Ok(named(
                    "x",
                    &[("sse-id", &id), ("sse-event", "added"), ("x-tag", "t")],
                ))
            };
            stream((after + 1..=3).map(numbered).collect())
        }))
        .await;
        let answer = follow(&server, &[EVENTS]).await;
        let event = |id: u32| format!("id: {id}\nevent: added\ndata: {{\"text\":\"x\"}}\n\n");
        let expected = [event(1), event(2), event(3), "event: end\ndata: {}\n\n".into()].concat();
        assert_eq!(body(&answer), expected);
        assert_eq!(answer.headers["x-tag"], "t");
        assert!(!answer.headers.contains_key("sse-id") && !answer.headers.contains_key("sse-event"));
        let answer = follow(&server, &[EVENTS, ("last-event-id", "2")]).await;
        assert!(body(&answer).starts_with("id: 3\n"), "{answer:?}");
        // Nothing is left: the status that keeps a browser from asking again.
        let answer = follow(&server, &[EVENTS, ("last-event-id", "3")]).await;
        assert_eq!(answer.status, 204);
        let answer = follow(&server, &[("last-event-id", "3")]).await;
        assert_eq!((answer.status, body(&answer)), (200, ""));
    });
}

#[test]
fn a_stream_that_fails_at_once_has_a_status_of_its_own_in_every_shape() {
    run(async {
        let server = answering(vec![Err(gone())]).await;
        for headers in [&[EVENTS][..], &[]] {
            let answer = follow(&server, headers).await;
            assert_eq!(
                (answer.status, &answer.headers["content-type"]),
                (404, &"application/json".parse().unwrap())
            );
        }
    });
}

#[test]
fn a_stream_that_fails_later_says_so_at_its_end() {
    run(async {
        let server = answering(vec![Ok(text("a")), Err(gone())]).await;
        let status = json!({"code": 5, "status": "NOT_FOUND", "message": "gone", "details": []});
        let answer = follow(&server, &[]).await;
        let lines: Vec<Value> = body(&answer)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, [json!({"text": "a"}), json!({"error": status})]);
        let answer = follow(&server, &[EVENTS]).await;
        let last = body(&answer)
            .strip_prefix("data: {\"text\":\"a\"}\n\nevent: error\ndata: ")
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(last).unwrap(), status);
        assert!(last.ends_with("\n\n"));
    });
}

#[test]
fn raw_content_comes_in_its_chunks_whatever_is_accepted_and_breaks_off_on_failure() {
    run(async {
        let chunk = |data: &str| {
            Ok(reply(encode(
                "google.api.HttpBody",
                &json!({"contentType": "text/csv", "data": data}),
            )))
        };
        let server = answering(vec![chunk("YQ=="), chunk("Yg=="), Err(gone())]).await;
        let mut open = http1::open(server.port).await;
        let headers = [EVENTS, ("content-type", "application/json")];
        open.request("POST", "/shop.Streams/Download", &headers, b"{}")
            .await;
        let (status, headers) = open.head().await;
        assert_eq!(
            (status, &headers["content-type"]),
            (200, &"text/csv".parse().unwrap())
        );
        assert_eq!(open.chunk().await.unwrap(), "a");
        assert_eq!(open.chunk().await.unwrap(), "b");
        assert!(open.is_cut_off().await, "without the chunk that ends a body");
    });
}

#[test]
fn a_deadline_ends_a_stream_with_its_status() {
    run(async {
        let options = Options::default();
        let begun = || futures_util::stream::iter([Ok(text("a"))]).chain(futures_util::stream::pending());
        let server = streaming(options, begun).await;
        let answer = follow(&server, &[EVENTS, ("grpc-timeout", "20m")]).await;
        assert!(
            body(&answer).contains("event: error\ndata: {\"code\":4,"),
            "{answer:?}"
        );
    });
}

#[test]
fn a_comment_comes_whenever_nothing_else_does() {
    run(async {
        let options = Options {
            sse_heartbeat: Some(Duration::from_millis(5)),
            ..Options::default()
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Cell::new(Some(receiver));
        let server = streaming(options, move || received(receiver.take().unwrap())).await;
        sender.send(Ok(text("a"))).unwrap();
        let mut open = begin(&server, &[EVENTS]).await;
        assert_eq!(open.chunk().await.unwrap(), "data: {\"text\":\"a\"}\n\n");
        assert_eq!(open.chunk().await.unwrap(), ":\n\n");
        assert_eq!(open.chunk().await.unwrap(), ":\n\n");
        sender.send(Ok(text("b"))).unwrap();
        while open.chunk().await.unwrap() == ":\n\n" {}
        drop(sender);
        while let Some(chunk) = open.chunk().await {
            assert!(
                chunk == ":\n\n" || chunk == "event: end\ndata: {}\n\n",
                "{chunk:?}"
            );
        }
    });
}

fn received(
    receiver: mpsc::UnboundedReceiver<Result<Reply, CallError>>,
) -> impl Stream<Item = Result<Reply, CallError>> {
    futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|item| (item, receiver))
    })
}

async fn begin(server: &Server, headers: &[(&str, &str)]) -> Open {
    let mut open = http1::open(server.port).await;
    open.request("GET", "/follow/x", headers, b"").await;
    let (status, _) = open.head().await;
    assert_eq!(status, 200);
    open
}

#[test]
fn events_begin_before_the_first_reply_is_there_and_may_fail_then() {
    run(async {
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Cell::new(Some(receiver));
        let server = streaming(Options::default(), move || received(receiver.take().unwrap())).await;
        let mut open = begin(&server, &[EVENTS]).await;
        assert_eq!(open.chunk().await.unwrap(), ":\n\n");
        sender.send(Err(gone())).unwrap();
        assert!(open.chunk().await.unwrap().starts_with(b"event: error\n"));
        assert_eq!(open.chunk().await, None);
    });
}

/// Endless silence after one reply; the channel closes when it is dropped.
fn silence() -> (impl Fn() -> Silence, oneshot::Receiver<()>) {
    let (alive, dropped) = oneshot::channel::<()>();
    let alive = Cell::new(Some(alive));
    let silence = move || {
        let alive = alive.take().unwrap();
        let stream = futures_util::stream::iter([Ok(text("a"))]).chain(futures_util::stream::pending());
        Box::pin(stream.inspect(move |_| assert!(!alive.is_closed()))) as Silence
    };
    (silence, dropped)
}

type Silence = std::pin::Pin<Box<dyn Stream<Item = Result<Reply, CallError>>>>;

#[test]
fn a_client_that_goes_drops_its_silent_stream_at_once() {
    run(async {
        for headers in [&[EVENTS][..], &[]] {
            let (silence, dropped) = silence();
            // Nobody finds out by writing.
            let options = Options {
                sse_heartbeat: None,
                ..Options::default()
            };
            let server = streaming(options, silence).await;
            let mut open = begin(&server, headers).await;
            open.chunk().await.unwrap();
            drop(open);
            assert!(dropped.await.is_err());
        }
    });
}

#[test]
fn a_client_that_goes_before_its_answer_drops_the_call() {
    run(async {
        let (alive, dropped) = oneshot::channel::<()>();
        let (begun, running) = oneshot::channel();
        let held = Cell::new(Some((alive, begun)));
        let server = served(Script::new(move |_| {
            let (alive, begun) = held.take().unwrap();
            async move {
                begun.send(()).unwrap();
                let _alive = alive;
                std::future::pending().await
            }
        }))
        .await;
        let mut open = http1::open(server.port).await;
        open.request("GET", "/carts/c", &[], b"").await;
        running.await.unwrap();
        drop(open);
        assert!(dropped.await.is_err());
    });
}

#[test]
fn a_client_that_does_not_read_makes_the_function_wait() {
    run(async {
        const COUNT: usize = 24;
        for headers in [&[EVENTS][..], &[]] {
            let large = text(&"x".repeat(1 << 20));
            let produced = Rc::new(Cell::new(0));
            let (counted, all) = (produced.clone(), Rc::new(tokio::sync::Notify::new()));
            let done = all.clone();
            let server = streaming(Options::default(), move || {
                let (counted, done, large) = (counted.clone(), done.clone(), large.clone());
                futures_util::stream::iter(0..COUNT).map(move |_| {
                    counted.set(counted.get() + 1);
                    if counted.get() == COUNT {
                        done.notify_one();
                    }
                    Ok(large.clone())
                })
            })
            .await;
            let mut open = begin(&server, headers).await;
            assert!(
                timeout(A_WHILE, all.notified()).await.is_err(),
                "all was produced for nobody"
            );
            assert!(produced.get() > 0);
            let mut chunks = 0;
            while open.chunk().await.is_some() {
                chunks += 1;
            }
            assert!(chunks >= COUNT && produced.get() == COUNT);
        }
    });
}

/// Collects the requests of a call, and answers with them as one JSON text.
fn collecting() -> Script {
    Script::new(|call: Call| async move {
        let input = call.method.input().full_name().to_owned();
        let Input::Stream(requests) = call.input else {
            panic!("one request")
        };
        let requests: Vec<_> = requests.collect().await;
        let requests: Result<Vec<Bytes>, CallError> = requests.into_iter().collect();
        let all: Vec<Value> = requests?.into_iter().map(|bytes| decode(&input, bytes)).collect();
        Ok(Replies::One(text(&Value::from(all).to_string())))
    })
}

/// The requests that the function saw.
fn requests(answer: &Received) -> Value {
    assert_eq!(answer.status, 200, "{}", body(answer));
    let reply: Value = serde_json::from_slice(&answer.body).unwrap();
    serde_json::from_str(reply["text"].as_str().unwrap()).unwrap()
}

#[test]
fn every_line_of_a_request_is_a_message() {
    run(async {
        let server = served(collecting()).await;
        for (lines, expected) in [
            (
                "{\"text\":\"a\"}\n{\"text\":\"b\"}\n",
                json!([{"text": "a"}, {"text": "b"}]),
            ),
            (
                "{\"text\":\"a\"}\r\n\r\n \n{\"text\":\"b\"}",
                json!([{"text": "a"}, {"text": "b"}]),
            ),
            ("{}\n", json!([{}])),
            ("", json!([])),
            ("\n\n", json!([])),
        ] {
            let path = "/shop.Streams/In";
            let answer = http1::send(server.port, "POST", path, &[LINES], lines.as_bytes()).await;
            assert_eq!(requests(&answer), expected, "{lines:?}");
        }
        let json = ("content-type", "application/json");
        let answer = http1::send(
            server.port,
            "POST",
            "/shop.Streams/In",
            &[json],
            b"{\n\"text\":\"a\"}",
        )
        .await;
        assert_eq!(
            requests(&answer),
            json!([{"text": "a"}]),
            "plain JSON is one message"
        );
    });
}

#[test]
fn path_and_query_are_set_in_every_message_of_a_stream() {
    run(async {
        let server = served(collecting()).await;
        let lines = b"{\"productId\":\"p\"}\n{\"productId\":\"q\",\"quantity\":2}\n";
        let answer = http1::send(server.port, "POST", "/pour/c%201?gift=true", &[LINES], lines).await;
        assert_eq!(
            requests(&answer),
            json!([
                {"cartId": "c 1", "gift": true, "line": {"productId": "p"}},
                {"cartId": "c 1", "gift": true, "line": {"productId": "q", "quantity": 2}},
            ])
        );
    });
}

#[test]
fn content_comes_in_pieces_to_a_function_that_streams_it() {
    run(async {
        let options = Options {
            max_request_bytes: 1000,
            ..Options::default()
        };
        let server = serve(collecting(), options).await;
        let mut open = http1::open(server.port).await;
        let csv = ("content-type", "text/csv");
        open.begin("POST", "/shop.Streams/Fill", &[csv]).await;
        open.send_chunk(b"a").await;
        open.send_chunk(b"").await;
        let (status, headers) = open.head().await;
        assert_eq!(status, 200, "{headers:?}");
        let one = |data: &str| json!([{"contentType": "text/csv", "data": data}]);
        let answer = http1::send(server.port, "POST", "/shop.Streams/Fill", &[csv], b"a").await;
        assert_eq!(requests(&answer), one("YQ=="));
        let answer = http1::send(server.port, "POST", "/shop.Streams/Fill", &[csv], b"").await;
        assert_eq!(requests(&answer), json!([{"contentType": "text/csv"}]));
        // More than a message may have, which pieces need not keep to.
        let large = vec![b'x'; 100_000];
        let answer = http1::send(server.port, "POST", "/shop.Streams/Fill", &[csv], &large).await;
        let pieces = requests(&answer);
        let size = |piece: &Value| piece["data"].as_str().unwrap().len() / 4 * 3;
        let all: usize = pieces.as_array().unwrap().iter().map(size).sum();
        assert!((large.len()..large.len() + 3 * pieces.as_array().unwrap().len()).contains(&all));
    });
}

#[test]
fn a_bad_line_is_an_error_that_names_it() {
    run(async {
        let options = Options {
            max_request_bytes: 40,
            ..Options::default()
        };
        let server = serve(collecting(), options).await;
        let long = format!("{{}}\n{{\"text\":\"{}\"}}", "x".repeat(40));
        for (lines, status, message) in [
            ("{}\n\n{\"nope\":1}\n", 400, "field [nope] at line 3, column 7: "),
            (
                "{}\n{\"text\":\n\"a\"}",
                400,
                "malformed JSON at line 2, column 8: ",
            ),
            ("{}\n{\"text\":7}", 400, "field [text] at line 2, column 9: "),
            ("{}\n{} {}", 400, "malformed JSON at line 2, column 4: "),
            ("[]", 400, "the JSON at line 1, column 0 is no shop.Text: "),
            (
                &long,
                413,
                "line 2 of the request has more than the limit of 40 bytes",
            ),
        ] {
            let answer = http1::send(
                server.port,
                "POST",
                "/shop.Streams/In",
                &[LINES],
                lines.as_bytes(),
            )
            .await;
            let error: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (answer.status, &error["code"]),
                (status, &json!(3)),
                "{lines:?}: {error}"
            );
            let found = error["message"].as_str().unwrap();
            assert!(found.starts_with(message), "{lines:?}: {found}");
        }
        let lines = b"{\"productId\":\"p\"}\n{\"quantity\":\"x\"}";
        let answer = http1::send(server.port, "POST", "/pour/c", &[LINES], lines).await;
        let error: Value = serde_json::from_slice(&answer.body).unwrap();
        let violation = &error["details"][0]["fieldViolations"][0];
        assert_eq!(violation["field"], "line.quantity", "{error}");
        assert!(
            violation["description"]
                .as_str()
                .unwrap()
                .contains("(line 2, column "),
            "{error}"
        );
    });
}

#[test]
fn only_streams_of_requests_take_lines_and_only_plain_ones() {
    run(async {
        let server = served(Script::new(|_| async { panic!("must not be called") })).await;
        let gzip = ("content-encoding", "gzip");
        for (path, headers) in [
            ("/shop.Streams/Unary", &[LINES][..]),
            ("/shop.Streams/Out", &[LINES]),
            ("/shop.Streams/In", &[LINES, gzip]),
            ("/shop.Streams/In", &[("content-type", "text/plain")]),
        ] {
            let answer = http1::send(server.port, "POST", path, headers, b"{}\n").await;
            assert_eq!(answer.status, 415, "{path} {headers:?}");
        }
    });
}

/// Answers each request with itself as it comes.
fn echoing() -> Script {
    Script::new(|call: Call| async move {
        let Input::Stream(requests) = call.input else {
            panic!("one request")
        };
        Ok(Replies::Stream(Box::pin(
            requests.map(|request| request.map(reply)),
        )))
    })
}

#[test]
fn both_directions_are_open_at_once() {
    run(async {
        let server = served(echoing()).await;
        let mut open = http1::open(server.port).await;
        open.begin("POST", "/shop.Streams/Both", &[LINES]).await;
        open.send_chunk(b"{\"text\":\"a\"}\n{\"te").await;
        assert_eq!(open.head().await.0, 200);
        assert_eq!(open.chunk().await.unwrap(), "{\"text\":\"a\"}\n");
        open.send_chunk(b"xt\":\"b\"}\n").await;
        assert_eq!(open.chunk().await.unwrap(), "{\"text\":\"b\"}\n");
        open.send_chunk(b"{\"text\":\"c\"}").await;
        open.send_chunk(b"").await;
        assert_eq!(open.chunk().await.unwrap(), "{\"text\":\"c\"}\n");
        assert_eq!(open.chunk().await, None);
    });
}

#[test]
fn a_bad_line_after_the_answer_began_is_told_at_its_end() {
    run(async {
        let server = served(echoing()).await;
        let lines = b"{\"text\":\"a\"}\n{\"text\":1}\n{\"text\":\"c\"}\n";
        let answer = http1::send(server.port, "POST", "/shop.Streams/Both", &[LINES], lines).await;
        let lines: Vec<Value> = body(&answer)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let error = &lines[1]["error"];
        assert_eq!((lines.len(), &error["code"]), (2, &json!(3)));
        assert_eq!(error["details"][0]["fieldViolations"][0]["field"], "text");
    });
}

#[test]
fn a_function_that_does_not_take_its_requests_makes_the_client_wait() {
    run(async {
        let (begun, running) = oneshot::channel();
        let held = Cell::new(Some(begun));
        let server = served(Script::new(move |call: Call| {
            let begun = held.take().unwrap();
            async move {
                let Input::Stream(mut requests) = call.input else {
                    panic!("one request")
                };
                requests.next().await.unwrap().unwrap();
                let (release, released) = oneshot::channel::<()>();
                begun.send(release).unwrap();
                released.await.unwrap();
                Ok(Replies::One(text(&(1 + requests.count().await).to_string())))
            }
        }))
        .await;
        let mut open = http1::open(server.port).await;
        open.begin("POST", "/shop.Streams/In", &[LINES]).await;
        let line = [&b"{\"text\":\""[..], &vec![b'x'; 1 << 20], b"\"}\n"].concat();
        open.send_chunk(&line).await;
        let release = running.await.unwrap();
        {
            let sending = async {
                for _ in 0..24 {
                    open.send_chunk(&line).await;
                }
                open.send_chunk(b"").await;
            };
            let mut sending = std::pin::pin!(sending);
            assert!(
                timeout(A_WHILE, &mut sending).await.is_err(),
                "all was taken by nobody"
            );
            release.send(()).unwrap();
            sending.await;
        }
        assert_eq!(open.head().await.0, 200);
    });
}

#[test]
fn an_upload_that_breaks_off_ends_the_call() {
    run(async {
        let (ended, end) = oneshot::channel();
        let held = Cell::new(Some(ended));
        let server = served(Script::new(move |call: Call| {
            let ended = held.take().unwrap();
            async move {
                let Input::Stream(requests) = call.input else {
                    panic!("one request")
                };
                // Dropped when the call is, which closes the channel, or told what the stream ended with.
                let all: Vec<_> = requests.collect().await;
                ended.send(all.last().cloned()).unwrap();
                Err(gone())
            }
        }))
        .await;
        let mut open = http1::open(server.port).await;
        open.begin("POST", "/shop.Streams/In", &[LINES]).await;
        open.send_chunk(b"{}\n").await;
        open.io.shutdown().await.unwrap();
        drop(open);
        assert!(
            !matches!(end.await, Ok(None | Some(Ok(_)))),
            "a broken request looks whole"
        );
    });
}

#[test]
fn metadata_of_a_call_without_replies_is_no_matter() {
    run(async {
        let server = answering(vec![Ok(Reply {
            payload: None,
            metadata: [("x-tag", "a")].into_iter().collect::<Metadata>(),
        })])
        .await;
        let answer = follow(&server, &[EVENTS]).await;
        assert_eq!(
            (body(&answer), &answer.headers["x-tag"]),
            ("event: end\ndata: {}\n\n", &"a".parse().unwrap())
        );
    });
}
