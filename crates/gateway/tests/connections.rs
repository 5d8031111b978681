//! Connections: limits, shutdown, load on one connection, and a client library of others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use cloudstate_gateway::Options;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, Input, Replies, Reply};
use common::raw::{connect, frame};
use common::{Script, one, reply, run, serve};
use futures_util::{StreamExt, future};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

fn echo() -> Script {
    Script::new(|call: Call| async move {
        match call.input {
            Input::One(request) => one(request),
            Input::Stream(requests) => Ok(Replies::Stream(Box::pin(
                requests.map(|request| request.map(reply)),
            ))),
        }
    })
}

#[test]
fn thousands_of_small_calls_run_at_once_on_one_connection() {
    run(async {
        // No call is answered before all have arrived.
        const CALLS: usize = 3000;
        let (arrived, all) = (Rc::new(Cell::new(0)), Rc::new(Notify::new()));
        let router = Script::new(move |call: Call| {
            let (arrived, all) = (arrived.clone(), all.clone());
            async move {
                let told = all.notified();
                arrived.set(arrived.get() + 1);
                if arrived.get() == CALLS {
                    all.notify_waiters();
                } else {
                    told.await;
                }
                match call.input {
                    Input::One(request) => one(request),
                    Input::Stream(_) => unreachable!("the method is unary"),
                }
            }
        });
        let client = connect(serve(router, Options::default()).await.port).await;
        let calls = (0..CALLS).map(|number| {
            let client = client.clone();
            async move {
                client
                    .unary("/shop.Cart/Plain", number.to_string().as_bytes())
                    .await
            }
        });
        for (number, answer) in future::join_all(calls).await.into_iter().enumerate() {
            assert_eq!(answer.messages(), [number.to_string()]);
        }
    });
}

#[test]
fn a_slow_reader_of_many_small_requests_loses_nothing() {
    run(async {
        // Nothing is read before the client has sent all that the window allows.
        let go = Rc::new(Notify::new());
        let may_go = go.clone();
        let router = Script::new(move |call: Call| {
            let go = go.clone();
            async move {
                go.notified().await;
                match call.input {
                    Input::Stream(requests) => one(requests.count().await.to_string()),
                    Input::One(_) => unreachable!("the method streams its input"),
                }
            }
        });
        let client = connect(serve(router, Options::default()).await.port).await;
        const REQUESTS: usize = 20_000;
        let requests = vec![frame(b"0123456789"); REQUESTS];
        let calling = client.clone();
        let call = tokio::task::spawn_local(async move {
            calling.send(calling.grpc("/shop.Streams/In"), &requests).await
        });
        // A round trip behind them on the same connection: they have arrived.
        tokio::task::yield_now().await;
        assert_eq!(client.unary("/shop.Cart/Nope", b"").await.code(), "12");
        may_go.notify_one();
        assert_eq!(call.await.unwrap().messages(), [REQUESTS.to_string()]);
    });
}

#[test]
fn refused_and_cancelled_calls_do_not_cost_the_connection() {
    run(async {
        let router = Script::new(|call: Call| async move {
            match &*call.method.name {
                "Plain" => std::future::pending().await,
                _ => one(""),
            }
        });
        let options = Options {
            max_request_bytes: 100,
            ..Options::default()
        };
        let client = connect(serve(router, options).await.port).await;
        for _ in 0..1500 {
            // The rest of the body is never read.
            let pieces = [frame(&[0; 200]), vec![0; 40_000].into()];
            let refused = client.send(client.grpc("/shop.Cart/GetCart"), &pieces).await;
            assert_eq!(refused.code(), "8");
        }
        for _ in 0..1500 {
            let (response, mut request) = client.open("/shop.Cart/Plain").await;
            request.send_data(frame(b""), true).unwrap();
            assert_eq!(client.unary("/shop.Cart/GetCart", b"").await.code(), "0");
            request.send_reset(h2::Reason::CANCEL);
            drop(response);
        }
        assert_eq!(client.unary("/shop.Cart/GetCart", b"").await.code(), "0");
    });
}

#[test]
fn a_silent_client_is_let_go() {
    run(async {
        let options = Options {
            header_read_timeout: Duration::from_millis(20),
            ..Options::default()
        };
        let server = serve(echo(), options).await;
        for start in ["", "PRI * HT", "GET / HTTP/1.1\r\nHost:"] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(start.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            io.read_to_end(&mut rest).await.unwrap();
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "{start:?}");
        }
    });
}

#[test]
fn a_request_message_that_does_not_come_ends_the_call() {
    run(async {
        let options = Options {
            body_read_timeout: Duration::from_millis(20),
            ..Options::default()
        };
        let client = connect(serve(echo(), options).await.port).await;
        let (response, mut request) = client.open("/shop.Cart/Plain").await;
        request.send_data(frame(b"abc").slice(..6), false).unwrap();
        assert_eq!(response.await.unwrap().headers()["grpc-status"], "4");
    });
}

#[test]
fn headers_of_http_1_over_the_limit_are_refused() {
    run(async {
        let options = Options {
            max_header_bytes: 8192,
            ..Options::default()
        };
        let server = serve(echo(), options).await;
        let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n",
            "x".repeat(20_000)
        );
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 431");
    });
}

#[test]
fn further_connections_wait_for_a_place() {
    run(async {
        let options = Options {
            max_connections: 1,
            ..Options::default()
        };
        let server = serve(echo(), options).await;
        let first = connect(server.port).await;
        assert_eq!(first.unary("/shop.Cart/Plain", b"").await.code(), "0");
        let port = server.port;
        let mut second =
            tokio::task::spawn_local(async move { connect(port).await.unary("/shop.Cart/Plain", b"").await });
        // While the second waits, the first goes on.
        assert_eq!(first.unary("/shop.Cart/Plain", b"").await.code(), "0");
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.unwrap().code(), "0");
    });
}

#[test]
fn shutdown_lets_running_calls_finish_and_takes_no_new_connection() {
    run(async {
        let (arrived, go) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (has_arrived, may_go) = (arrived.clone(), go.clone());
        let router = Script::new(move |_| {
            let (arrived, go) = (arrived.clone(), go.clone());
            async move {
                arrived.notify_one();
                go.notified().await;
                one("late")
            }
        });
        let server = serve(router, Options::default()).await;
        let client = connect(server.port).await;
        let calling = client.clone();
        let call = tokio::task::spawn_local(async move { calling.unary("/shop.Cart/Plain", b"").await });
        has_arrived.notified().await;
        let idle = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        server.shutdown.cancel();
        // The listener goes with the accept loop; only then is the port refused.
        while TcpStream::connect(("127.0.0.1", server.port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!server.serving.is_finished());
        may_go.notify_one();
        assert_eq!(call.await.unwrap().messages(), ["late"]);
        server.serving.await.unwrap();
        drop(idle);
    });
}

#[test]
fn calls_that_do_not_end_are_cut_after_the_drain_time() {
    run(async {
        let router = Script::new(|_| async { std::future::pending().await });
        let options = Options {
            drain_timeout: Duration::from_millis(20),
            ..Options::default()
        };
        let server = serve(router, options).await;
        let client = connect(server.port).await;
        let (response, mut request) = client.open("/shop.Cart/Plain").await;
        request.send_data(frame(b""), true).unwrap();
        server.shutdown.cancel();
        server.serving.await.unwrap();
        assert!(response.await.is_err());
    });
}

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[test]
fn a_tonic_client_speaks_all_shapes() {
    run(async {
        let router = Script::new(|call: Call| async move {
            assert_eq!(call.metadata.get("x-ask"), Some("1"));
            match call.input {
                Input::One(request) => {
                    let metadata: Metadata = [("x-answer", "2")].into_iter().collect();
                    Ok(Replies::One(Reply {
                        payload: Some(request),
                        metadata,
                    }))
                }
                Input::Stream(requests) => Ok(Replies::Stream(Box::pin(
                    requests.map(|request| request.map(reply)),
                ))),
            }
        });
        let server = serve(
            router,
            Options {
                compress_replies_from: Some(1),
                ..Options::default()
            },
        )
        .await;
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{}", server.port));
        let channel = endpoint.unwrap().connect().await.unwrap();
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        let mut client = tonic::client::Grpc::new(channel)
            .send_compressed(gzip)
            .accept_compressed(gzip);
        let codec = tonic_prost::ProstCodec::<Text, Text>::default;
        let text = |text: &str| Text {
            text: text.repeat(100),
        };
        let mut ask = tonic::Request::new(text("a"));
        ask.metadata_mut().insert("x-ask", "1".parse().unwrap());
        client.ready().await.unwrap();
        let answer = client
            .unary(ask, "/shop.Streams/Unary".parse().unwrap(), codec())
            .await
            .unwrap();
        assert_eq!(answer.metadata().get("x-answer").unwrap(), "2");
        assert_eq!(answer.into_inner(), text("a"));
        let mut ask = tonic::Request::new(futures_util::stream::iter([text("a"), text("b")]));
        ask.metadata_mut().insert("x-ask", "1".parse().unwrap());
        client.ready().await.unwrap();
        let answer = client
            .streaming(ask, "/shop.Streams/Both".parse().unwrap(), codec())
            .await
            .unwrap();
        let answers: Vec<Text> = answer.into_inner().map(Result::unwrap).collect().await;
        assert_eq!(answers, [text("a"), text("b")]);
        client.ready().await.unwrap();
        let ask = tonic::Request::new(text("a"));
        let error = client
            .unary(ask, "/shop.Streams/Nope".parse().unwrap(), codec())
            .await
            .unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unimplemented);
    });
}
