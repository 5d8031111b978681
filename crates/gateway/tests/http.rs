//! HTTP/JSON as clients see it, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_gateway::{Front, Options};
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::raw::{Answer, Client, connect};
use common::{Script, catalog, one, reply, run, serve, stream};
use futures_util::StreamExt;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Encodes JSON as a message of the test's function.
fn encode(type_name: &str, value: &Value) -> Bytes {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    DynamicMessage::deserialize(of, value)
        .unwrap()
        .encode_to_vec()
        .into()
}

/// Decodes a message of the test's function into JSON without default values.
fn decode(type_name: &str, bytes: &Bytes) -> Value {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    serde_json::to_value(DynamicMessage::decode(of, bytes.clone()).unwrap()).unwrap()
}

/// Serves what a test answers to the request message as JSON.
async fn serving(answer: impl Fn(&str, Value) -> Result<Replies, CallError> + 'static) -> Client {
    let answer = Rc::new(answer);
    let router = Script::new(move |call: Call| {
        let answer = answer.clone();
        async move {
            let request = match call.input {
                Input::One(request) => request,
                Input::Stream(requests) => requests.collect::<Vec<_>>().await.remove(0)?,
            };
            answer(
                &call.method.name,
                decode(call.method.input().full_name(), &request),
            )
        }
    });
    connect(serve(router, Options::default()).await.port).await
}

/// A server that must refuse before it calls.
async fn refusing() -> Client {
    serving(|_, request| panic!("called with {request}")).await
}

async fn send(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let request = client
        .request(method, path)
        .header("content-type", "application/json");
    client
        .send(request, &[Bytes::copy_from_slice(body.as_bytes())])
        .await
}

async fn get(client: &Client, path: &str) -> Answer {
    client.send(client.request("GET", path), &[]).await
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// The message of a `google.rpc.Status`, after checking status and code.
fn error(answer: &Answer, status: u16, code: Code) -> String {
    let body = json_of(answer);
    assert_eq!(
        (answer.status.as_u16(), &body["code"]),
        (status, &json!(code as i32)),
        "{answer:?}"
    );
    body["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_whole_body_and_path_variables_make_the_request() {
    run(async {
        let client = serving(|method, request| {
            assert_eq!(method, "AddItem");
            assert_eq!(request, json!({"cartId": "c 1", "line": {"productId": "p", "quantity": 3}, "total": "9007199254740993"}));
            one("")
        })
        .await;
        let body =
            r#"{"cartId":"ignored","line":{"product_id":"p","quantity":"3"},"total":9007199254740993}"#;
        let answer = send(&client, "POST", "/carts/c%201/items", body).await;
        assert_eq!((answer.status.as_u16(), json_of(&answer)), (200, json!({})));
    });
}

#[test]
fn a_body_field_leaves_the_rest_to_path_and_query() {
    run(async {
        let client = serving(|_, request| {
            assert_eq!(
                request,
                json!({"cartId": "c", "line": {"productId": "p"}, "tags": ["x", "y z"], "gift": true})
            );
            one("")
        })
        .await;
        let path = "/carts/c/lines?tags=x&tags=y+z&gift=TRUE&line.quantity=7";
        assert_eq!(
            send(&client, "POST", path, r#"{"productId":"p"}"#).await.status,
            200
        );
    });
}

#[test]
fn nested_path_variables_need_no_body() {
    run(async {
        let client = serving(|_, request| {
            assert_eq!(
                request,
                json!({"cartId": "c", "line": {"productId": "a/b", "colour": "GREEN"}})
            );
            one("")
        })
        .await;
        let answer = client
            .send(
                client.request("PUT", "/carts/c/items/a%2Fb?line.colour=GREEN"),
                &[],
            )
            .await;
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn methods_without_a_rule_are_posted_to_by_name() {
    run(async {
        let client = serving(|method, request| {
            assert_eq!((method, request), ("Plain", json!({"cartId": "c"})));
            one(encode("shop.Contents", &json!({"cartId": "c"})))
        })
        .await;
        let answer = send(&client, "POST", "/shop.Cart/Plain", r#"{"cartId":"c"}"#).await;
        // Default values are shown, integers of 64 bits are text.
        assert_eq!(answer.body, r#"{"cartId":"c","lines":[],"version":"0"}"#);
        assert_eq!(
            send(&client, "POST", "/shop.Cart/GetCart", "{}").await.status,
            404,
            "it has a rule"
        );
    });
}

#[test]
fn every_kind_of_parameter_is_read() {
    run(async {
        let cases = [
            ("i32=%2B5", json!({"i32": 5})),
            ("i32=-2147483648", json!({"i32": i32::MIN})),
            ("u64=18446744073709551615", json!({"u64": "18446744073709551615"})),
            ("flag=True", json!({"flag": true})),
            ("f=1.5e3", json!({"f": 1500.0})),
            ("raw=AQI", json!({"raw": "AQI="})),
            ("raw=-_8=", json!({"raw": "+/8="})),
            ("colour=GREEN", json!({"colour": "GREEN"})),
            ("colour=1", json!({"colour": "GREEN"})),
            ("tags=", json!({"tags": [""]})),
            (
                "line.note.text=hi&line.productId=p",
                json!({"line": {"productId": "p", "note": {"text": "hi"}}}),
            ),
            ("at=2026-01-02T03:04:05Z", json!({"at": "2026-01-02T03:04:05Z"})),
            ("maybe=false", json!({"maybe": false})),
            ("cart_id=overwritten", json!({})),
            ("", json!({})),
        ];
        for (query, mut expected) in cases {
            expected["cartId"] = json!("c");
            let client = serving(move |_, request| {
                assert_eq!(request, expected);
                one("")
            });
            assert_eq!(
                get(&client.await, &format!("/find/c?{query}")).await.status,
                200,
                "{query}"
            );
        }
    });
}

#[test]
fn bad_parameters_are_named() {
    run(async {
        let client = refusing().await;
        for (query, field, why) in [
            ("nope=1", "nope", "no field"),
            ("i32=1&i32=2", "i32", "one value"),
            ("i32=", "i32", "whole number from -2147483648 to 2147483647"),
            ("i32=2147483648", "i32", "whole number"),
            ("i32=1.5", "i32", "whole number"),
            ("u64=-1", "u64", "whole number from 0"),
            ("flag=yes", "flag", "true or false"),
            ("f=1e60", "f", "out of range"),
            ("f=x", "f", "a number"),
            ("raw=%3F", "raw", "base64"),
            ("colour=BLUE", "colour", "shop.Colour"),
            ("line=x", "line", "shop.Line"),
            ("line.nope=x", "line.nope", "no field"),
            ("map=x", "map", "map"),
            ("at=noon", "at", ""),
            ("tags.x=1", "tags.x", "no field"),
        ] {
            let answer = get(&client, &format!("/find/c?{query}")).await;
            let message = error(&answer, 400, Code::InvalidArgument);
            assert!(
                message.contains(&format!("[{field}]")) && message.contains(why),
                "{query}: {message}"
            );
            assert_eq!(
                json_of(&answer)["details"][0]["fieldViolations"][0]["field"],
                field,
                "{query}"
            );
        }
        for path in ["/find/c?i32=%zz", "/find/%zz", "/find/%FF"] {
            error(&get(&client, path).await, 400, Code::InvalidArgument);
        }
    });
}

#[test]
fn bad_json_is_named_with_field_and_position() {
    run(async {
        let client = refusing().await;
        for (body, field, position) in [
            ("{\"nope\": 1}", "nope", "line 1, column 7"),
            (
                "{\"line\":\n {\"quantity\": 1.5}}",
                "line.quantity",
                "line 2, column 17",
            ),
            (
                "{\"line\": {\"quantity\": 2147483648}}",
                "line.quantity",
                "line 1, column 32",
            ),
            ("{\"line\": {\"quantity\": \"x\"}}", "line.quantity", "line 1"),
            ("{\"line\": {\"colour\": \"BLUE\"}}", "line.colour", "line 1"),
            (
                "{\"lines\": [{}, {\"note\": {\"texts\": 1}}]}",
                "lines[1].note.texts",
                "line 1",
            ),
            ("{\"count\": -1}", "count", "line 1"),
            ("{\"gift\": \"yes\"}", "gift", "line 1"),
            ("{\"token\": \"?\"}", "token", "line 1"),
            ("{\"prices\": {\"a\": \"x\"}}", "prices.a", "line 1"),
            ("{\"at\": \"noon\"}", "at", "line 1"),
            ("{\"tags\": \"x\"}", "tags", "line 1"),
        ] {
            let answer = send(&client, "POST", "/carts/c/items", body).await;
            let message = error(&answer, 400, Code::InvalidArgument);
            assert!(
                message.contains(&format!("[{field}]")) && message.contains(position),
                "{body}: {message}"
            );
        }
        // In a body field the path is that of the whole request.
        let answer = send(&client, "POST", "/carts/c/lines", "{\"quantity\": []}").await;
        assert!(error(&answer, 400, Code::InvalidArgument).contains("[line.quantity]"));
        for body in [
            "",
            " ",
            "{",
            "{]",
            "[]",
            "null",
            "{} x",
            "{\"gift\": tru}",
            "\u{feff}{}",
            "{\"cart_id\": \"\\ud800\"}",
        ] {
            let answer = send(&client, "POST", "/carts/c/items", body).await;
            error(&answer, 400, Code::InvalidArgument);
        }
        let deep = ["{\"lines\":[".repeat(200), "]}".repeat(200)].concat();
        error(
            &send(&client, "POST", "/carts/c/items", &deep).await,
            400,
            Code::InvalidArgument,
        );
    });
}

#[test]
fn only_json_in_utf_8_is_understood() {
    run(async {
        let client = serving(|_, _| one("")).await;
        for (name, value, status) in [
            ("content-type", "application/json", 200),
            ("content-type", "Application/JSON; charset=UTF-8", 200),
            ("content-type", "application/json; charset=\"utf-8\"", 200),
            ("content-type", "application/json; charset=latin1", 415),
            ("content-type", "text/plain", 415),
            ("content-type", "application/grpc", 200),
            ("x-none", "", 415),
        ] {
            let request = client.request("POST", "/carts/c/items").header(name, value);
            let status = if value == "application/grpc" { 200 } else { status };
            assert_eq!(
                client.send(request, &["{}".into()]).await.status,
                status,
                "{value}"
            );
        }
        let request = client
            .request("POST", "/carts/c/items")
            .header("content-type", "application/json");
        let answer = client
            .send(request.header("content-encoding", "gzip"), &["{}".into()])
            .await;
        error(&answer, 415, Code::InvalidArgument);
        assert_eq!(
            get(&client, "/carts/c").await.status,
            200,
            "without a body no content type is needed"
        );
    });
}

#[test]
fn a_field_of_the_reply_can_be_the_response() {
    run(async {
        let contents = json!({"cartId": "c", "version": "9007199254740993", "lines": [{"productId": "p<", "quantity": 7}]});
        let client = serving(move |_, _| one(encode("shop.Contents", &contents))).await;
        let lines = r#"[{"productId":"p<","quantity":7,"colour":"RED"}]"#;
        assert_eq!(get(&client, "/carts/c/lines").await.body, lines);
        assert_eq!(
            get(&client, "/carts/c/version").await.body,
            r#""9007199254740993""#
        );
    });
}

#[test]
fn http_bodies_pass_raw_both_ways() {
    run(async {
        let client = serving(|method, request| match method {
            "Upload" => {
                assert_eq!(request, json!({"contentType": "image/png", "data": "/wA="}));
                one("")
            }
            _ => {
                assert_eq!(request, json!({"text": "a/b"}));
                one(encode(
                    "google.api.HttpBody",
                    &json!({"contentType": "text/html", "data": "PGI+"}),
                ))
            }
        })
        .await;
        let answer = get(&client, "/pages/a/b").await;
        assert_eq!(
            (&answer.headers["content-type"], &answer.body[..]),
            (&"text/html".parse().unwrap(), &b"<b>"[..])
        );
        let request = client
            .request("POST", "/upload")
            .header("content-type", "image/png");
        assert_eq!(
            client
                .send(request, &[Bytes::from_static(b"\xff\0")])
                .await
                .status,
            200
        );
    });
}

#[test]
fn a_malformed_content_type_of_a_reply_is_an_error_of_the_function() {
    run(async {
        let client = serving(|_, _| {
            one(encode(
                "google.api.HttpBody",
                &json!({"contentType": "a\r\nb: c"}),
            ))
        })
        .await;
        error(&get(&client, "/pages/a").await, 500, Code::Internal);
    });
}

#[test]
fn streamed_replies_are_lines() {
    run(async {
        let text = |text: &str| Ok(reply(encode("shop.Text", &json!({"text": text}))));
        let client = serving(move |method, _| match method {
            "Out" => stream(vec![text("a"), text("")]),
            _ => {
                let data = |data: &str| Ok(reply(encode("google.api.HttpBody", &json!({"data": data}))));
                stream(vec![data("YQ=="), data("Yg==")])
            }
        })
        .await;
        let answer = send(&client, "POST", "/shop.Streams/Out", "{}").await;
        assert_eq!(
            (json_lines(&answer), answer.status.as_u16()),
            (vec![json!({"text": "a"}), json!({"text": ""})], 200)
        );
        let answer = send(&client, "POST", "/shop.Streams/Download", "{}").await;
        assert_eq!(
            (&answer.headers["content-type"], &answer.body[..]),
            (&"application/octet-stream".parse().unwrap(), &b"ab"[..])
        );
        assert_eq!(
            send(&client, "POST", "/shop.Streams/Both", r#"{"text":"x"}"#)
                .await
                .status,
            200
        );
    });
}

fn json_lines(answer: &Answer) -> Vec<Value> {
    std::str::from_utf8(&answer.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_stream_that_fails_at_once_has_a_status_and_later_breaks_off() {
    run(async {
        let at_once = || Err(CallError::InvalidRequest("no".into()));
        let client = serving(move |_, _| stream(vec![at_once()])).await;
        error(
            &send(&client, "POST", "/shop.Streams/Out", "{}").await,
            400,
            Code::InvalidArgument,
        );
        let client = serving(move |_, _| stream(vec![Ok(reply("")), at_once()])).await;
        let request = client
            .request("POST", "/shop.Streams/Out")
            .header("content-type", "application/json");
        assert!(client.try_send(request, &["{}".into()]).await.is_err());
    });
}

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
fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    run(async {
        let options = Options {
            max_request_bytes: 100,
            ..Options::default()
        };
        let client = connect(serve(Script::new(|_| async { one("") }), options).await.port).await;
        let body = format!("{{\"cartId\":\"{}\"}}", "x".repeat(100));
        let message = error(
            &send(&client, "POST", "/carts/c/items", &body).await,
            413,
            Code::ResourceExhausted,
        );
        assert!(message.contains("100 bytes"), "{message}");
        let request = client
            .request("POST", "/carts/c/items")
            .header("content-type", "application/json");
        let answer = client
            .send(request.header("content-length", "113"), &[Bytes::from(body)])
            .await;
        let message = error(&answer, 413, Code::ResourceExhausted);
        assert!(message.contains("113 bytes"), "{message}");
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
fn a_reply_without_message_is_no_content() {
    run(async {
        let client = serving(|_, _| Ok(Replies::None)).await;
        let answer = get(&client, "/carts/c").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    });
}

#[test]
fn a_reply_that_is_no_valid_message_is_the_functions_fault() {
    run(async {
        let client = serving(|_, _| one(&b"\xff"[..])).await;
        error(&get(&client, "/carts/c").await, 500, Code::Internal);
    });
}

#[test]
fn reply_metadata_becomes_headers_and_cannot_inject_any() {
    run(async {
        let metadata: Metadata = [("X-Tag", "a"), ("content-type", "text/html"), ("x", "a\r\nb: c")]
            .into_iter()
            .collect();
        let client = serving(move |_, _| {
            Ok(Replies::One(Reply {
                payload: Some("".into()),
                metadata: metadata.clone(),
            }))
        });
        let answer = get(&client.await, "/carts/c").await;
        assert_eq!(
            (&answer.headers["x-tag"], &answer.headers["content-type"]),
            (&"a".parse().unwrap(), &"application/json".parse().unwrap())
        );
        assert!(!answer.headers.contains_key("x") && !answer.headers.contains_key("b"));
    });
}

#[test]
fn the_network_probe_is_answered_where_the_function_serves_nothing() {
    run(async {
        let client = serving(|_, _| one("")).await;
        let probe = |path, value| client.request("GET", path).header("K-Network-Probe", value);
        let answer = client.send(probe("/", "queue"), &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"queue"[..]));
        let answer = client.send(probe("/", "x"), &[]).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (400, &b"unexpected probe header value: x"[..])
        );
        let answer = client.send(probe("/carts/c", "queue"), &[]).await;
        assert_eq!(answer.body, r#"{"cartId":"","lines":[],"version":"0"}"#);
    });
}

#[test]
fn head_is_get_without_the_body() {
    run(async {
        let client = serving(|_, _| one("")).await;
        let answer = client.send(client.request("HEAD", "/carts/c"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(answer.headers["content-length"], "38");
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

/// Sends bytes on a new connection and reads until the server closes.
async fn http1(port: u16, text: &str) -> String {
    let mut io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    io.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn http_1_is_served_on_the_same_port() {
    run(async {
        let server = serve(Script::new(|_| async { one("") }), Options::default()).await;
        let body = r#"{"cartId":"c"}"#;
        let request = |headers: &str| {
            format!("POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n")
        };
        let json = "Content-Type: application/json\r\n";
        let length = request(&format!("{json}Content-Length: {}", body.len()));
        let answer = http1(server.port, &format!("{length}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("{\"cartId\":\"\",\"lines\":[],\"version\":\"0\"}"),
            "{answer}"
        );
        let chunked = request(&format!("{json}Transfer-Encoding: chunked"));
        let answer = http1(
            server.port,
            &format!("{chunked}5\r\n{{\"car\r\n9\r\ntId\":\"c\"}}\r\n0\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        // gRPC needs HTTP/2.
        let answer = http1(
            server.port,
            &request("Content-Type: application/grpc\r\nContent-Length: 0"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    });
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn bodies_and_queries_never_break_the_server(
            body in prop_oneof![
                ".{0,60}",
                r#"\{("cartId"|"line"|"lines"|"at"|"prices"|"x"):(\{\}|\[\]|1|"1"|null|true|\{"quantity":1e9\})\}"#,
            ],
            query in "([a-z0-9.=&%+]{0,30}|(i32|line|tags|at|map)=[a-zA-Z0-9%]{0,6})",
        ) {
            run(async {
                let client = serving(|_, _| one("")).await;
                let answer = send(&client, "POST", "/carts/c/items", &body).await;
                assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
                let answer = get(&client, &format!("/find/c?{query}")).await;
                assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
            });
        }
    }
}
