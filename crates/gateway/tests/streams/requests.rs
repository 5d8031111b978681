//! Requests that a method streams.

use super::*;

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
