//! gRPC-Web on real sockets: HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloudstate_gateway::Options;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::http1::{self, Received};
use common::raw::{Answer, connect, frame};
use common::{Script, Server, one, reply, run, serve, stream};
use futures_util::StreamExt;
use tokio::sync::oneshot;

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// Answers each request with itself; streams item by item.
fn echo() -> Script {
    Script::new(|call: Call| async move {
        match call.input {
            Input::One(request) if call.method.server_streaming => {
                let letters: Vec<_> = request.chunks(1).map(Bytes::copy_from_slice).collect();
                stream(letters.into_iter().map(|letter| Ok(reply(letter))).collect())
            }
            Input::One(request) => one(request),
            Input::Stream(requests) => Ok(Replies::Stream(Box::pin(
                requests.map(|request| request.map(reply)),
            ))),
        }
    })
}

async fn served(router: Script) -> Server {
    serve(router, Options::default()).await
}

/// What a gRPC-Web answer says.
#[derive(Debug, PartialEq)]
struct Said {
    messages: Vec<Bytes>,
    /// In order; empty where the status stands in the headers.
    trailers: Vec<(String, String)>,
}

fn said(body: &[u8]) -> Said {
    let mut rest = body;
    let mut said = Said {
        messages: Vec::new(),
        trailers: Vec::new(),
    };
    while let [flag, a, b, c, d, tail @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (frame, tail) = tail.split_at(length);
        rest = tail;
        assert!(said.trailers.is_empty(), "trailers are the last frame");
        match flag {
            0 => said.messages.push(Bytes::copy_from_slice(frame)),
            0x80 => {
                let text = std::str::from_utf8(frame).unwrap();
                let lines = text.strip_suffix("\r\n").unwrap().split("\r\n");
                let pair = |line: &str| {
                    let (name, value) = line.split_once(": ").unwrap();
                    (name.to_owned(), value.to_owned())
                };
                said.trailers = lines.map(pair).collect();
            }
            flag => panic!("flag {flag}"),
        }
    }
    assert!(rest.is_empty(), "half a frame");
    said
}

/// Removes base64 that is padded wherever the server flushed.
fn decoded(text: &[u8]) -> Vec<u8> {
    let groups = text.chunks(4).map(|group| STANDARD.decode(group).unwrap());
    groups.flatten().collect()
}

fn ok(messages: &[&'static [u8]]) -> Said {
    Said {
        messages: messages
            .iter()
            .map(|message| Bytes::from_static(message))
            .collect(),
        trailers: vec![("grpc-status".into(), "0".into())],
    }
}

async fn over_http2(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let client = connect(server.port).await;
    let request = client.request("POST", path).header("content-type", content_type);
    client.send(request, &[Bytes::copy_from_slice(body)]).await
}

async fn over_http1(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Received {
    http1::send(server.port, "POST", path, &[("content-type", content_type)], body).await
}

#[test]
fn unary_calls_are_answered_in_both_forms_over_both_versions_of_http() {
    run(async {
        let server = served(echo()).await;
        let binary = frame(b"\xff\x00x");
        let text = STANDARD.encode(&binary);
        let path = "/shop.Cart/Plain";

        let answer = over_http2(&server, path, BINARY, &binary).await;
        assert_eq!(answer.headers["content-type"], BINARY);
        assert_eq!(said(&answer.body), ok(&[b"\xff\x00x"]));
        assert!(answer.trailers.is_empty());
        let answer = over_http2(&server, path, TEXT, text.as_bytes()).await;
        assert_eq!(answer.headers["content-type"], TEXT);
        assert_eq!(said(&decoded(&answer.body)), ok(&[b"\xff\x00x"]));

        let answer = over_http1(&server, path, "application/grpc-web", &binary).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (200, &BINARY.parse().unwrap())
        );
        assert_eq!(said(&answer.body), ok(&[b"\xff\x00x"]));
        let answer = over_http1(&server, path, "application/grpc-web-text", text.as_bytes()).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (200, &TEXT.parse().unwrap())
        );
        assert_eq!(said(&decoded(&answer.body)), ok(&[b"\xff\x00x"]));
    });
}

#[test]
fn the_form_of_the_answer_may_differ_from_that_of_the_request() {
    run(async {
        let server = served(echo()).await;
        let headers = [("content-type", BINARY), ("accept", "application/grpc-web-text")];
        let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &headers, &frame(b"x")).await;
        assert_eq!(answer.headers["content-type"], TEXT);
        assert_eq!(said(&decoded(&answer.body)), ok(&[b"x"]));
    });
}

#[test]
fn streams_end_with_their_trailers_in_both_forms() {
    run(async {
        let server = served(echo()).await;
        let request = frame(b"abc");
        let expected = ok(&[b"a", b"b", b"c"]);
        let answer = over_http1(&server, "/shop.Streams/Out", BINARY, &request).await;
        assert_eq!(said(&answer.body), expected);
        let text = STANDARD.encode(&request);
        let answer = over_http2(&server, "/shop.Streams/Out", TEXT, text.as_bytes()).await;
        assert_eq!(said(&decoded(&answer.body)), expected);
        let answer = over_http1(&server, "/shop.Streams/Out", BINARY, &frame(b"")).await;
        assert_eq!(said(&answer.body), ok(&[]));
    });
}

#[test]
fn each_flush_of_a_text_stream_can_be_read_by_itself() {
    run(async {
        let (sender, first) = oneshot::channel::<()>();
        let first = std::cell::RefCell::new(Some(first));
        let server = served(Script::new(move |_| {
            let first = first.borrow_mut().take().unwrap();
            let head = futures_util::stream::iter([Ok(reply("ab"))]);
            let tail = futures_util::stream::once(async move {
                first.await.unwrap();
                Ok(reply("c"))
            });
            async move { Ok(Replies::Stream(Box::pin(head.chain(tail)))) }
        }))
        .await;
        let mut open = http1::open(server.port).await;
        let body = STANDARD.encode(frame(b""));
        open.request(
            "POST",
            "/shop.Streams/Out",
            &[("content-type", TEXT)],
            body.as_bytes(),
        )
        .await;
        open.head().await;
        // A message whose length is no multiple of three is padded, so that it can be read before the next is there.
        assert_eq!(decoded(&open.chunk().await.unwrap()), frame(b"ab"));
        sender.send(()).unwrap();
        assert_eq!(decoded(&open.chunk().await.unwrap()), frame(b"c"));
        assert_eq!(said(&decoded(&open.chunk().await.unwrap())), ok(&[]));
        assert_eq!(open.chunk().await, None);
    });
}

#[test]
fn a_call_that_fails_before_its_first_message_has_its_status_in_the_headers() {
    run(async {
        let refused = || CallError::QueueFull {
            message: "full: 100 %".into(),
            retry_after: Duration::from_secs(2),
        };
        let server = served(Script::new(move |_| async move { Err(refused()) })).await;
        for content_type in [BINARY, TEXT] {
            let body = match content_type {
                TEXT => STANDARD.encode(frame(b"")).into_bytes(),
                _ => frame(b"").to_vec(),
            };
            let answer = over_http1(&server, "/shop.Cart/Plain", content_type, &body).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0));
            assert_eq!(answer.headers["content-type"], content_type);
            assert_eq!(answer.headers["grpc-status"], "8");
            assert_eq!(answer.headers["grpc-message"], "full: 100 %25");
            assert!(answer.headers.contains_key("grpc-status-details-bin"));
        }
    });
}

#[test]
fn a_stream_that_fails_later_tells_so_in_its_trailers() {
    run(async {
        let failure = || CallError::Status {
            code: Code::NotFound,
            message: "gone\n".into(),
        };
        let server = served(Script::new(move |_| async move {
            stream(vec![Ok(reply("a")), Err(failure())])
        }))
        .await;
        let answer = over_http1(&server, "/shop.Streams/Out", BINARY, &frame(b"")).await;
        let said = said(&answer.body);
        assert_eq!(said.messages, ["a"]);
        let trailer = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            said.trailers,
            [trailer("grpc-status", "5"), trailer("grpc-message", "gone%0A")]
        );
    });
}

#[test]
fn requests_may_be_cut_anywhere_in_both_forms() {
    run(async {
        let server = served(echo()).await;
        let message: Vec<u8> = (0..100).collect();
        let binary = frame(&message);
        let text = STANDARD.encode(&binary);
        let client = connect(server.port).await;
        for (content_type, bytes) in [(BINARY, &binary[..]), (TEXT, text.as_bytes())] {
            for size in [1, 3, 7] {
                let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
                let request = client
                    .request("POST", "/shop.Cart/Plain")
                    .header("content-type", content_type);
                let answer = client.send(request, &pieces).await;
                let body = match content_type {
                    TEXT => decoded(&answer.body),
                    _ => answer.body.to_vec(),
                };
                assert_eq!(
                    said(&body).messages,
                    [&message[..]],
                    "{content_type} in pieces of {size}"
                );
            }
        }
    });
}

#[test]
fn what_is_wrong_with_a_request_is_a_status() {
    run(async {
        let server = served(Script::new(|call: Call| async move {
            match call.input {
                Input::One(_) => panic!("must not be called"),
                Input::Stream(mut requests) => Err(requests.next().await.unwrap().unwrap_err()),
            }
        }))
        .await;
        let cases: [(&str, &str, &[u8], &str, &str); 8] = [
            ("/shop.Cart/Nope", BINARY, &frame(b""), "12", "/shop.Cart/Nope"),
            ("/shop.Cart/Plain", BINARY, b"", "12", "none came"),
            (
                "/shop.Cart/Plain",
                BINARY,
                b"\0\0\0\0\x09x",
                "13",
                "middle of a message",
            ),
            ("/shop.Cart/Plain", BINARY, b"\x01\0\0\0\0", "13", "grpc-encoding"),
            ("/shop.Cart/Plain", BINARY, b"\x80\0\0\0\0", "13", "128"),
            (
                "/shop.Cart/Plain",
                TEXT,
                b"AAAA?AAA",
                "3",
                "not base64 at character 4",
            ),
            (
                "/shop.Cart/Plain",
                TEXT,
                b"AAAAA",
                "3",
                "not base64 at character 5",
            ),
            (
                "/shop.Streams/In",
                TEXT,
                b"AAAAA",
                "3",
                "not base64 at character 5",
            ),
        ];
        for (path, content_type, body, code, text) in cases {
            let answer = over_http1(&server, path, content_type, body).await;
            let message = answer.headers["grpc-message"].to_str().unwrap();
            assert_eq!(answer.headers["grpc-status"], code, "{path} {body:?}: {message}");
            assert!(message.contains(text), "{path} {body:?}: {message}");
        }
    });
}

#[test]
fn a_gzip_request_is_understood_and_a_gzip_reply_is_marked() {
    run(async {
        let options = Options {
            compress_replies_from: Some(1),
            ..Options::default()
        };
        let server = serve(echo(), options).await;
        let mut packed = flate2::read::GzEncoder::new(&b"squeezed"[..], flate2::Compression::fast());
        let mut message = Vec::new();
        std::io::Read::read_to_end(&mut packed, &mut message).unwrap();
        let mut body = frame(&message).to_vec();
        body[0] = 1;
        let headers = [("content-type", BINARY), ("grpc-encoding", "gzip")];
        let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &headers, &body).await;
        assert_eq!(said(&answer.body), ok(&[b"squeezed"]));
        let headers = [("content-type", BINARY), ("grpc-accept-encoding", "gzip")];
        let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &headers, &frame(b"x")).await;
        assert_eq!(
            (&answer.headers["grpc-encoding"], answer.body[0]),
            (&"gzip".parse().unwrap(), 1)
        );
    });
}

#[test]
fn a_deadline_ends_a_call_and_a_stream() {
    run(async {
        let server = served(Script::new(|call: Call| async move {
            assert!(call.deadline.is_some());
            let begun = futures_util::stream::iter([Ok(reply("a"))]).chain(futures_util::stream::pending());
            match call.method.server_streaming {
                true => Ok(Replies::Stream(Box::pin(begun))),
                false => std::future::pending().await,
            }
        }))
        .await;
        let headers = [("content-type", BINARY), ("grpc-timeout", "20m")];
        let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &headers, &frame(b"")).await;
        assert_eq!(answer.headers["grpc-status"], "4");
        let answer = http1::send(server.port, "POST", "/shop.Streams/Out", &headers, &frame(b"")).await;
        let said = said(&answer.body);
        assert_eq!(
            (said.messages, said.trailers[0].1.as_str()),
            (vec!["a".into()], "4")
        );
    });
}

#[test]
fn metadata_goes_both_ways() {
    run(async {
        let server = served(Script::new(|call: Call| async move {
            assert_eq!(call.metadata.get("x-user-agent"), Some("grpc-web-javascript/0.1"));
            assert_eq!(
                call.metadata.get_bytes("x-bin").map(|bytes| &bytes[..]),
                Some(&[1, 2][..])
            );
            let mut metadata: Metadata = [("x-tag", "a")].into_iter().collect();
            metadata.push_bytes("y", vec![3]);
            Ok(Replies::One(Reply {
                payload: Some("".into()),
                metadata,
            }))
        }))
        .await;
        let headers = [
            ("content-type", BINARY),
            ("x-user-agent", "grpc-web-javascript/0.1"),
            ("x-bin", "AQI="),
        ];
        let answer = http1::send(server.port, "POST", "/shop.Streams/Unary", &headers, &frame(b"")).await;
        assert_eq!(
            (&answer.headers["x-tag"], &answer.headers["y-bin"]),
            (&"a".parse().unwrap(), &"Aw".parse().unwrap())
        );
    });
}

#[test]
fn a_client_that_goes_drops_its_call_at_once() {
    run(async {
        let (dropped, gone) = oneshot::channel::<()>();
        let dropped = std::cell::RefCell::new(Some(dropped));
        let server = served(Script::new(move |_| {
            // Dropped with the stream, which closes the channel.
            let held = dropped.borrow_mut().take().unwrap();
            let endless = futures_util::stream::iter([Ok(reply("a"))]).chain(futures_util::stream::pending());
            let endless = endless.inspect(move |_: &Result<Reply, CallError>| assert!(!held.is_closed()));
            async move { Ok(Replies::Stream(Box::pin(endless))) }
        }))
        .await;
        let mut open = http1::open(server.port).await;
        open.request(
            "POST",
            "/shop.Streams/Out",
            &[("content-type", BINARY)],
            &frame(b""),
        )
        .await;
        open.head().await;
        assert_eq!(open.chunk().await.unwrap(), frame(b"a"));
        drop(open);
        assert!(gone.await.is_err());
    });
}

#[test]
fn health_and_reflection_are_reachable() {
    run(async {
        let server = served(echo()).await;
        server.health.component("test", "").ready();
        let answer = over_http1(&server, "/grpc.health.v1.Health/Check", BINARY, &frame(b"")).await;
        assert_eq!(said(&answer.body), ok(&[b"\x08\x01"]));
        // list_services = "*"
        let answer = over_http1(
            &server,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            BINARY,
            &frame(b"\x3a\x01*"),
        )
        .await;
        let listed = said(&answer.body).messages.remove(0);
        assert!(
            String::from_utf8_lossy(&listed).contains("shop.Cart"),
            "{listed:?}"
        );
    });
}

#[test]
fn an_offer_to_upgrade_to_http_2_is_answered_in_http_1() {
    run(async {
        let server = served(echo()).await;
        let headers = [
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            ("content-type", "application/json"),
        ];
        let answer = http1::send(
            server.port,
            "POST",
            "/shop.Cart/Plain",
            &headers,
            b"{\"cartId\":\"c\"}",
        )
        .await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("upgrade"));
    });
}
