//! gRPC as clients see it, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use cloudstate_gateway::{Front, Options};
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::raw::{Client, connect, frame};
use common::{Script, one, reply, run, serve, stream};
use futures_util::StreamExt;

/// Answers each request with itself; streams item by item.
fn echo() -> Script {
    Script::new(|call: Call| async move {
        match call.input {
            Input::One(request) => one(request),
            Input::Stream(requests) if call.method.server_streaming => Ok(Replies::Stream(Box::pin(
                requests.map(|request| request.map(reply)),
            ))),
            Input::Stream(requests) => {
                let all: Vec<_> = requests.collect().await;
                let all: Result<Vec<Bytes>, CallError> = all.into_iter().collect();
                one(all?.concat())
            }
        }
    })
}

async fn client(router: Script) -> Client {
    connect(serve(router, Options::default()).await.port).await
}

/// The answer to a unary call whose router answers so.
async fn answered(answer: impl Fn() -> Result<Replies, CallError> + 'static) -> common::raw::Answer {
    let answer = std::rc::Rc::new(answer);
    let router = Script::new(move |_| {
        let answer = answer();
        async move { answer }
    });
    client(router).await.unary("/shop.Streams/Unary", b"").await
}

#[test]
fn a_unary_call_passes_the_bytes_untouched() {
    run(async {
        let client = client(echo()).await;
        // Not even valid protobuf: the gateway must not look inside.
        let answer = client.unary("/shop.Cart/Plain", b"\xff\xff\x00").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/grpc+proto");
        assert_eq!(answer.messages(), [&b"\xff\xff\x00"[..]]);
        assert_eq!(answer.trailers["grpc-status"], "0");
        assert!(!answer.headers.contains_key("content-length"));
    });
}

#[test]
fn both_content_types_of_native_grpc_are_served_and_no_others() {
    run(async {
        let client = client(echo()).await;
        for (content_type, status) in [
            ("application/grpc", 200),
            ("application/grpc+proto", 200),
            ("application/grpc;charset=utf-8", 200),
            ("application/grpc+json", 415),
            ("application/grpc-web+json", 415),
            ("application/grpcx", 415),
        ] {
            let request = client
                .request("POST", "/shop.Cart/Plain")
                .header("content-type", content_type);
            let answer = client.send(request, &[frame(b"x")]).await;
            assert_eq!(answer.status, status, "{content_type}");
        }
    });
}

#[test]
fn requests_may_arrive_in_any_pieces() {
    run(async {
        let client = client(echo()).await;
        let framed = frame(&[7; 1000]);
        let pieces: Vec<Bytes> = framed.chunks(3).map(Bytes::copy_from_slice).collect();
        let answer = client.send(client.grpc("/shop.Cart/Plain"), &pieces).await;
        assert_eq!(answer.messages(), [&[7; 1000][..]]);
    });
}

#[test]
fn all_streaming_shapes_are_served() {
    run(async {
        let client = client(echo()).await;
        let requests = [frame(b"a"), frame(b""), frame(b"c")];
        let answer = client.send(client.grpc("/shop.Streams/In"), &requests).await;
        assert_eq!(
            (answer.messages(), answer.code()),
            (vec![Bytes::from_static(b"ac")], "0")
        );
        let answer = client.send(client.grpc("/shop.Streams/Both"), &requests).await;
        assert_eq!(
            (answer.messages(), answer.code()),
            (vec!["a".into(), "".into(), "c".into()], "0")
        );
        // No request at all is a legal client stream.
        let answer = client
            .send(client.grpc("/shop.Streams/Both"), &[Bytes::new()])
            .await;
        assert_eq!((answer.messages().len(), answer.code()), (0, "0"));
    });
}

#[test]
fn both_directions_of_a_stream_are_open_at_once() {
    run(async {
        let client = client(echo()).await;
        let (response, mut requests) = client.open("/shop.Streams/Both").await;
        requests.send_data(frame(b"first"), false).unwrap();
        let mut replies = response.await.unwrap().into_body();
        assert_eq!(replies.data().await.unwrap().unwrap(), frame(b"first"));
        requests.send_data(frame(b"second"), true).unwrap();
        assert_eq!(replies.data().await.unwrap().unwrap(), frame(b"second"));
        assert!(replies.data().await.is_none());
        assert_eq!(replies.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_streamed_answer_ends_with_its_error_after_its_messages() {
    run(async {
        let router = Script::new(|_| async {
            stream(vec![
                Ok(reply("a")),
                Ok(reply("b")),
                Err(CallError::Failure("no more".into())),
            ])
        });
        let answer = client(router).await.unary("/shop.Streams/Out", b"").await;
        assert_eq!(answer.messages(), ["a", "b"]);
        assert_eq!((answer.code(), answer.message()), ("2", "no more"));
        assert!(answer.headers.get("grpc-status").is_none());
    });
}

#[test]
fn a_failure_before_the_first_reply_fails_the_call_alone() {
    run(async {
        let router = Script::new(|call: Call| async move {
            match &*call.method.name {
                "Out" => stream(vec![Err(CallError::Failure("at once".into()))]),
                _ => one("fine"),
            }
        });
        let client = client(router).await;
        let answer = client.unary("/shop.Streams/Out", b"").await;
        assert_eq!((answer.code(), answer.message()), ("2", "at once"));
        assert_eq!(
            client.unary("/shop.Streams/Unary", b"").await.code(),
            "0",
            "the connection lives"
        );
    });
}

#[test]
fn a_reply_without_payload_sends_no_message() {
    run(async {
        let answer = answered(|| Ok(Replies::None)).await;
        assert_eq!((answer.messages().len(), answer.code()), (0, "0"));
        let metadata: Metadata = [("x-tag", "kept")].into_iter().collect();
        let answer = answered(move || {
            Ok(Replies::One(Reply {
                payload: None,
                metadata: metadata.clone(),
            }))
        })
        .await;
        assert_eq!((answer.messages().len(), answer.code()), (0, "0"));
        assert_eq!(answer.headers["x-tag"], "kept");
        let empty = answered(|| one("")).await;
        assert_eq!(empty.messages(), [""], "an empty payload is a message");
        let streamed = answered(|| {
            stream(vec![
                Ok(Reply {
                    payload: None,
                    metadata: Metadata::default(),
                }),
                Ok(reply("x")),
            ])
        });
        assert_eq!(streamed.await.messages(), ["x"]);
        assert_eq!(answered(|| stream(vec![])).await.code(), "0");
    });
}

#[test]
fn every_error_has_its_status() {
    run(async {
        let text = || "why".to_owned();
        let retry_after = Duration::from_millis(1500);
        let cases = [
            (CallError::Failure(text()), "2"),
            (
                CallError::Status {
                    code: Code::NotFound,
                    message: text(),
                },
                "5",
            ),
            (CallError::InvalidRequest(text()), "3"),
            (CallError::Violation(text()), "13"),
            (CallError::EntityFailed(text()), "2"),
            (CallError::FunctionUnavailable(text()), "14"),
            (CallError::DeadlineExceeded(text()), "4"),
            (CallError::OutcomeUnknown(text()), "2"),
            (CallError::StoreUnavailable(text()), "14"),
            (
                CallError::QueueFull {
                    message: text(),
                    retry_after,
                },
                "8",
            ),
            (
                CallError::Overloaded {
                    message: text(),
                    retry_after,
                },
                "14",
            ),
            (CallError::Unroutable(text()), "13"),
        ];
        for (error, code) in cases {
            let sent = error.clone();
            let answer = answered(move || Err(sent.clone())).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code(), answer.message()),
                (200, code, "why"),
                "{error:?}"
            );
            assert_eq!(
                answer.headers.contains_key("retry-after"),
                error.retry_after().is_some(),
                "{error:?}"
            );
            let has_details = answer.headers.contains_key("grpc-status-details-bin");
            assert_eq!(
                has_details,
                error.reason().is_some() || error.retry_after().is_some(),
                "{error:?}"
            );
        }
    });
}

#[test]
fn error_texts_are_percent_encoded() {
    run(async {
        let answer = answered(|| Err(CallError::Failure("line\nbreak ü".into()))).await;
        assert_eq!(answer.message(), "line%0Abreak %C3%BC");
    });
}

#[test]
fn an_unknown_method_is_unimplemented() {
    run(async {
        let client = client(echo()).await;
        for path in ["/shop.Cart/Nope", "/nope.Nope/Nope", "/", "/shop.Cart/plain"] {
            let answer = client.unary(path, b"").await;
            assert_eq!((answer.status.as_u16(), answer.code()), (200, "12"), "{path}");
        }
    });
}

#[test]
fn a_request_over_the_limit_names_both_sizes() {
    run(async {
        let options = Options {
            max_request_bytes: 1000,
            ..Options::default()
        };
        let client = connect(serve(echo(), options).await.port).await;
        assert_eq!(client.unary("/shop.Cart/Plain", &[0; 1000]).await.code(), "0");
        for path in ["/shop.Cart/Plain", "/shop.Streams/In"] {
            let answer = client.unary(path, &[0; 1001]).await;
            assert_eq!(answer.code(), "8", "{path}");
            assert!(
                answer.message().contains("1001") && answer.message().contains("1000"),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn a_unary_method_wants_exactly_one_message() {
    run(async {
        let client = client(echo()).await;
        let two = client
            .send(client.grpc("/shop.Cart/Plain"), &[frame(b"a"), frame(b"b")])
            .await;
        assert_eq!(two.code(), "12");
        let none = client.send(client.grpc("/shop.Cart/Plain"), &[]).await;
        assert_eq!(none.code(), "12");
    });
}

#[test]
fn gzip_is_understood_and_unknown_encodings_are_named() {
    run(async {
        let options = Options {
            compress_replies_from: Some(100),
            ..Options::default()
        };
        let client = connect(serve(echo(), options).await.port).await;
        let packed = {
            use std::io::Write;
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(&[b'a'; 5000]).unwrap();
            let mut framed = frame(&encoder.finish().unwrap()).to_vec();
            framed[0] = 1;
            Bytes::from(framed)
        };
        let request = client.grpc("/shop.Cart/Plain").header("grpc-encoding", "gzip");
        let answer = client.send(request, std::slice::from_ref(&packed)).await;
        assert_eq!(
            answer.messages(),
            [&[b'a'; 5000][..]],
            "a client that accepts no gzip gets none"
        );
        let request = client.grpc("/shop.Cart/Plain").header("grpc-encoding", "gzip");
        let request = request.header("grpc-accept-encoding", "identity, gzip");
        let answer = client.send(request, &[packed]).await;
        assert_eq!(answer.headers["grpc-encoding"], "gzip");
        assert_eq!((answer.body[0], answer.messages()[0].len() < 1000), (1, true));
        let request = client.grpc("/shop.Cart/Plain").header("grpc-encoding", "snappy");
        let answer = client.send(request, &[frame(b"")]).await;
        assert_eq!(
            (answer.code(), &answer.headers["grpc-accept-encoding"]),
            ("12", &"identity,gzip".parse().unwrap())
        );
    });
}

#[test]
fn a_deadline_reaches_the_router_and_is_kept() {
    run(async {
        let router = Script::new(|call: Call| async move {
            assert!(call.deadline.is_some());
            match &*call.method.name {
                "Page" => one(""),
                "Out" => Ok(Replies::Stream(Box::pin(
                    futures_util::stream::iter([Ok(reply("a"))]).chain(futures_util::stream::pending()),
                ))),
                _ => std::future::pending().await,
            }
        });
        let client = client(router).await;
        let request = client.grpc("/shop.Streams/Unary").header("grpc-timeout", "20m");
        assert_eq!(client.send(request, &[frame(b"")]).await.code(), "4");
        let request = client.grpc("/shop.Streams/Out").header("grpc-timeout", "20m");
        let answer = client.send(request, &[frame(b"")]).await;
        assert_eq!(
            (answer.messages(), answer.code()),
            (vec![Bytes::from_static(b"a")], "4")
        );
        let request = client
            .grpc("/shop.Streams/Page")
            .header("grpc-timeout", "99999999H");
        assert_eq!(
            client.send(request, &[frame(b"")]).await.code(),
            "0",
            "far deadlines are as good as none"
        );
        let request = client.grpc("/shop.Streams/Unary").header("grpc-timeout", "soon");
        assert_eq!(client.send(request, &[frame(b"")]).await.code(), "3");
    });
}

#[test]
fn metadata_goes_both_ways() {
    run(async {
        let router = Script::new(|call: Call| async move {
            assert_eq!(call.metadata.get("x-ask"), Some("1"));
            assert_eq!(
                call.metadata.get_bytes("x-raw-bin").map(|b| b.to_vec()),
                Some(vec![1, 2])
            );
            assert_eq!(call.metadata.get("te"), None);
            assert_eq!(call.metadata.get("content-type"), None);
            let mut metadata: Metadata = [("X-Answer", "2"), ("x-evil", "a\r\nb: c"), ("grpc-status", "7")]
                .into_iter()
                .collect();
            metadata.push_bytes("raw", vec![3]);
            let first = Reply {
                payload: Some("m".into()),
                metadata,
            };
            match &*call.method.name {
                "Out" => stream(vec![Ok(first), Ok(reply("n"))]),
                _ => Ok(Replies::One(first)),
            }
        });
        let client = client(router).await;
        for path in ["/shop.Streams/Unary", "/shop.Streams/Out"] {
            let request = client.grpc(path).header("x-ask", "1").header("x-raw-bin", "AQI");
            let answer = client.send(request, &[frame(b"")]).await;
            assert_eq!(
                (&answer.headers["x-answer"], &answer.headers["raw-bin"]),
                (&"2".parse().unwrap(), &"Aw".parse().unwrap())
            );
            assert!(!answer.headers.contains_key("x-evil"), "{path}");
            assert_eq!(answer.code(), "0", "{path}");
        }
        let request = client.grpc("/shop.Streams/Unary").header("x-raw-bin", "?");
        assert_eq!(client.send(request, &[frame(b"")]).await.code(), "3");
    });
}

#[test]
fn entities_are_spared_metadata_that_they_never_get() {
    run(async {
        let router = Script::new(|call: Call| async move {
            assert!(call.metadata.is_empty());
            one("")
        });
        let client = client(router).await;
        let request = client.grpc("/shop.Cart/Plain").header("x-ask", "1");
        assert_eq!(client.send(request, &[frame(b"")]).await.code(), "0");
    });
}

#[test]
fn a_client_that_resets_its_call_drops_it() {
    run(async {
        let (dropped, was_dropped) = tokio::sync::oneshot::channel::<()>();
        let (arrived, has_arrived) = tokio::sync::oneshot::channel::<()>();
        let signals = std::cell::RefCell::new(Some((dropped, arrived)));
        let router = Script::new(move |_| {
            let (dropped, arrived) = signals.borrow_mut().take().unwrap();
            async move {
                let _held = dropped;
                arrived.send(()).unwrap();
                std::future::pending().await
            }
        });
        let client = client(router).await;
        let (response, mut request) = client.open("/shop.Cart/Plain").await;
        request.send_data(frame(b""), true).unwrap();
        has_arrived.await.unwrap();
        request.send_reset(h2::Reason::CANCEL);
        drop(response);
        assert!(was_dropped.await.is_err(), "the sender was dropped with the call");
    });
}

#[test]
fn a_front_that_does_not_serve_answers_unavailable_with_its_reason() {
    run(async {
        let router = Script::new(|_| async { panic!("must not be called") });
        let server =
            common::serve_front(router, Options::default(), Front::unavailable("no function yet")).await;
        let client = connect(server.port).await;
        let answer = client.unary("/shop.Cart/Plain", b"").await;
        assert_eq!((answer.code(), answer.message()), ("14", "no function yet"));
    });
}

#[test]
fn a_new_front_is_served_at_once_on_open_connections() {
    run(async {
        let server =
            common::serve_front(echo(), Options::default(), Front::unavailable("no function yet")).await;
        let client = connect(server.port).await;
        assert_eq!(client.unary("/shop.Cart/Plain", b"").await.code(), "14");
        let routes = std::sync::Arc::new(cloudstate_gateway::Routes::new(common::catalog()));
        server
            .front
            .send_replace(std::sync::Arc::new(Front::serving(routes.clone())));
        assert_eq!(client.unary("/shop.Cart/Plain", b"").await.code(), "0");
        server
            .front
            .send_replace(std::sync::Arc::new(Front::lost(routes, "the function is gone")));
        let answer = client.unary("/shop.Cart/Plain", b"").await;
        assert_eq!((answer.code(), answer.message()), ("14", "the function is gone"));
        assert_eq!(client.unary("/shop.Cart/Nope", b"").await.code(), "12");
    });
}
