//! Replies that a method streams.

use super::*;

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
            (":\n\nevent: end\ndata: {}\n\n", &"a".parse().unwrap())
        );
    });
}

#[test]
fn events_end_when_the_server_does_so_that_the_client_asks_again() {
    run(async {
        let (silence, dropped) = silence();
        let server = streaming(Options::default(), silence).await;
        let mut open = begin(&server, &[EVENTS]).await;
        open.chunk().await.unwrap();
        server.shutdown.cancel();
        assert_eq!(
            open.chunk().await,
            None,
            "an event says that the stream has ended"
        );
        assert!(dropped.await.is_err());
        server.serving.await.unwrap();
    });
}
