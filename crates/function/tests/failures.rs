//! What a link says when the function, or what answers in its place, does not behave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_function::{Error, Keepalive, Link, LinkOptions, Target};
use cloudstate_protocol::Any;
use http::Response;
use support::{Call, Server, answer, builder, echo, frame, reply, serve, serve_with, trailers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const PATH: &str = "/test.Echo/echo";

async fn ask(link: &Link) -> Result<Any, Error> {
    link.unary(PATH, &Any::default(), None).await
}

/// Serves one raw script for every connection.
async fn raw<F: Future<Output = ()> + 'static>(
    script: impl Fn(tokio::net::TcpStream) -> F + 'static,
) -> (Link, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = LinkOptions {
        connect_timeout: Duration::from_millis(300),
        ..LinkOptions::default()
    };
    let link = Link::new(support::tcp(listener.local_addr().unwrap()), options);
    let mut tasks = JoinSet::new();
    tasks.spawn_local(async move {
        loop {
            script(listener.accept().await.unwrap().0).await;
        }
    });
    (link, tasks)
}

async fn closed_port() -> Target {
    support::tcp(
        TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap(),
    )
}

#[tokio::test(flavor = "local")]
async fn a_function_that_is_not_up_is_unavailable_and_named() {
    let target = closed_port().await;
    let link = Link::new(target.clone(), LinkOptions::default());
    let error = ask(&link).await.unwrap_err();
    assert!(error.is_unavailable() && error.is_lost(), "{error:?}");
    assert!(error.to_string().contains(&target.to_string()), "{error}");
    link.disconnected().await;
}

#[tokio::test(flavor = "local")]
async fn a_missing_socket_file_is_unavailable_and_named() {
    let link = Link::new(
        Target::Unix("/nonexistent/function.sock".into()),
        LinkOptions::default(),
    );
    let error = ask(&link).await.unwrap_err();
    assert!(
        error.to_string().contains("unix:/nonexistent/function.sock"),
        "{error}"
    );
}

#[tokio::test(flavor = "local")]
async fn many_callers_of_a_function_that_is_not_up_share_the_attempts() {
    let link = Link::new(closed_port().await, LinkOptions::default());
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let link = link.clone();
        calls.spawn_local(async move { ask(&link).await });
    }
    for result in calls.join_all().await {
        assert!(result.unwrap_err().is_unavailable());
    }
}

#[tokio::test(flavor = "local")]
async fn an_http1_server_is_asked_after_as_the_wrong_port() {
    let (link, _tasks) = raw(|mut socket| async move {
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    let error = ask(&link).await.unwrap_err();
    assert!(
        matches!(error, Error::NotGrpc { .. }) && error.is_unavailable(),
        "{error:?}"
    );
    assert!(
        error.to_string().ends_with("is this the function's port?"),
        "{error}"
    );
}

#[tokio::test(flavor = "local")]
async fn a_server_that_hangs_up_or_stays_silent_is_asked_after_as_the_wrong_port() {
    let (link, _tasks) = raw(|socket| async move { drop(socket) }).await;
    let error = ask(&link).await.unwrap_err();
    assert!(matches!(error, Error::NotGrpc { .. }), "{error:?}");
    let (link, _tasks) = raw(|mut socket| async move {
        let mut sink = Vec::new();
        let _ = socket.read_to_end(&mut sink).await;
    })
    .await;
    let error = ask(&link).await.unwrap_err();
    assert!(
        error.to_string().contains("no HTTP/2 settings within 300ms"),
        "{error}"
    );
}

#[tokio::test(flavor = "local")]
async fn a_web_server_on_http2_is_asked_after_as_the_wrong_port() {
    let server = serve(|(_, mut respond): Call| async move {
        let page = Response::builder()
            .header("content-type", "text/html")
            .body(())
            .unwrap();
        respond
            .send_response(page, false)
            .unwrap()
            .send_data(Bytes::from_static(b"<html>"), true)
            .unwrap();
    })
    .await;
    let error = ask(&server.link()).await.unwrap_err();
    assert!(
        matches!(&error, Error::NotGrpc { reason, .. } if reason.contains("text/html")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "local")]
async fn an_http_404_is_unimplemented() {
    let server = serve(|(_, mut respond): Call| async move {
        respond
            .send_response(Response::builder().status(404).body(()).unwrap(), true)
            .unwrap();
    })
    .await;
    let error = ask(&server.link()).await.unwrap_err();
    assert!(matches!(error, Error::Status { code: 12, .. }), "{error:?}");
}

#[tokio::test(flavor = "local")]
async fn a_status_in_headers_alone_ends_the_call() {
    let server = serve(|(_, mut respond): Call| async move {
        let head = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "5")
            .header("grpc-message", "no%20cart")
            .body(())
            .unwrap();
        respond.send_response(head, true).unwrap();
    })
    .await;
    let error = ask(&server.link()).await.unwrap_err();
    assert_eq!(
        error,
        Error::Status {
            code: 5,
            message: "no cart".to_owned()
        }
    );
}

#[tokio::test(flavor = "local")]
async fn replies_before_a_failing_status_are_not_lost() {
    let server = serve(|(_, mut respond): Call| async move {
        let mut body = answer(&mut respond);
        body.send_data(frame(&Any::default()), false).unwrap();
        body.send_data(frame(&Any::default()), false).unwrap();
        body.send_trailers(trailers("10")).unwrap();
    })
    .await;
    let link = server.link();
    let (_sender, mut receiver) = link.open(PATH).await.unwrap();
    assert!(receiver.message::<Any>().await.unwrap().is_some());
    assert!(receiver.message::<Any>().await.unwrap().is_some());
    let error = receiver.message::<Any>().await.unwrap_err();
    assert!(matches!(error, Error::Status { code: 10, .. }), "{error:?}");
    assert_eq!(
        receiver.message::<Any>().await.unwrap_err(),
        error,
        "the error stays the error"
    );
}

#[tokio::test(flavor = "local")]
async fn unary_answers_of_no_or_two_messages_are_malformed() {
    let count = Rc::new(Cell::new(0));
    let server = serve(move |(_, mut respond): Call| {
        let messages = count.replace(2);
        async move {
            let mut body = answer(&mut respond);
            for _ in 0..messages {
                body.send_data(frame(&Any::default()), false).unwrap();
            }
            body.send_trailers(trailers("0")).unwrap();
        }
    })
    .await;
    let link = server.link();
    for expected in ["without an answer", "more than one message"] {
        let error = ask(&link).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

async fn check_body(chunk: &'static [u8], end: bool) -> Error {
    let server = serve(move |(_, mut respond): Call| async move {
        let mut body = answer(&mut respond);
        body.send_data(Bytes::from_static(chunk), end).unwrap();
        if !end {
            body.send_trailers(trailers("0")).unwrap();
        }
    })
    .await;
    ask(&server.link()).await.unwrap_err()
}

#[tokio::test(flavor = "local")]
async fn malformed_bodies_are_told_apart() {
    let malformed = |error: &Error, text: &str| {
        assert!(
            matches!(error, Error::Malformed { .. }) && error.to_string().contains(text),
            "{error:?}"
        );
    };
    malformed(&check_body(&[1, 0, 0, 0, 0], false).await, "compressed");
    malformed(
        &check_body(&[0, 0, 0, 0, 9, 1], false).await,
        "ended within a message",
    );
    let truncated = check_body(&[0, 0, 0, 0, 0], true).await;
    assert!(
        truncated.to_string().contains("without a grpc-status"),
        "{truncated}"
    );
    assert!(!truncated.is_unreadable(), "what came before can be read");
    malformed(&check_body(&[0, 0, 0, 0, 1, 0xff], false).await, "varint");
    let too_large = check_body(&[0, 0x7f, 0, 0, 0], false).await;
    assert_eq!(
        too_large,
        Error::MessageTooLarge {
            limit: 12 << 20,
            actual: 0x7f << 24
        }
    );
}

#[tokio::test(flavor = "local")]
async fn a_reset_stream_fails_alone() {
    let server = serve(|(request, mut respond): Call| async move {
        match request.uri().path() {
            "/reset" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            "/refuse" => respond.send_reset(h2::Reason::REFUSED_STREAM),
            _ => echo((request, respond)).await,
        }
    })
    .await;
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    let reset = link
        .unary::<Any, Any>("/reset", &Any::default(), None)
        .await
        .unwrap_err();
    assert!(
        matches!(reset, Error::Reset { .. }) && !reset.is_unavailable(),
        "{reset:?}"
    );
    let refused = link
        .unary::<Any, Any>("/refuse", &Any::default(), None)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::NotProcessed { .. }) && refused.is_unavailable(),
        "{refused:?}"
    );
    sender.send(&Any::default()).await.unwrap();
    assert_eq!(receiver.message().await.unwrap(), Some(Any::default()));
}

#[tokio::test(flavor = "local")]
async fn after_goaway_unprocessed_streams_are_unavailable_and_others_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = support::tcp(listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn_local(async move {
        let mut socket = listener.accept().await.unwrap().0;
        let mut frames = RawFrames::greet(&mut socket).await;
        // Two requests have arrived: streams 1 and 3. Only 1 is taken, and answered.
        frames.headers(2).await;
        let socket = frames.socket;
        socket
            .write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
            .await
            .unwrap();
        // ":status: 200", "content-type: application/grpc", then "grpc-status: 0", without indexing.
        let mut head = vec![0x88, 0x0f, 0x10, 16];
        head.extend_from_slice(b"application/grpc");
        let mut answer = vec![0, 0, head.len() as u8, 1, 4, 0, 0, 0, 1];
        answer.extend_from_slice(&head);
        answer.extend_from_slice(&[0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        answer.extend_from_slice(&[0, 0, 15, 1, 5, 0, 0, 0, 1, 0, 11]);
        answer.extend_from_slice(b"grpc-status");
        answer.extend_from_slice(&[1, b'0']);
        socket.write_all(&answer).await.unwrap();
        let mut sink = Vec::new();
        let _ = socket.read_to_end(&mut sink).await;
    });
    let link = Link::new(target, LinkOptions::default());
    let (sender, mut taken) = link.open(PATH).await.unwrap();
    let (_, mut left) = link.open(PATH).await.unwrap();
    let error = left.message::<Any>().await.unwrap_err();
    assert!(
        matches!(error, Error::NotProcessed { .. }) && error.is_unavailable(),
        "{error:?}"
    );
    assert_eq!(taken.message().await.unwrap(), Some(Any::default()));
    assert_eq!(taken.message::<Any>().await.unwrap(), None);
    drop(sender);
    link.disconnected().await;
}

/// Reads HTTP/2 frames as a server, without a library that would answer by itself.
struct RawFrames<'a> {
    socket: &'a mut tokio::net::TcpStream,
}

impl RawFrames<'_> {
    async fn greet(socket: &mut tokio::net::TcpStream) -> RawFrames<'_> {
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        // SETTINGS, and the acknowledgement of the client's.
        socket
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0])
            .await
            .unwrap();
        RawFrames { socket }
    }

    async fn headers(&mut self, mut count: usize) {
        while count > 0 {
            let mut head = [0; 9];
            self.socket.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.socket.read_exact(&mut payload).await.unwrap();
            count -= usize::from(head[3] == 1);
        }
    }
}

#[tokio::test(flavor = "local")]
async fn a_crash_fails_open_streams_and_a_restart_on_the_same_port_is_found() {
    let server = serve(echo).await;
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    sender.send(&Any::default()).await.unwrap();
    assert!(receiver.message::<Any>().await.unwrap().is_some());
    let addr = server.addr();
    server.crash().await;
    let error = receiver.message::<Any>().await.unwrap_err();
    assert!(error.is_lost() && !error.is_unavailable(), "{error:?}");
    assert_eq!(sender.send(&Any::default()).await, Err(Error::StreamEnded));
    link.disconnected().await;
    assert!(link.open(PATH).await.unwrap_err().is_unavailable());
    let _server: Server = serve_with(
        builder(),
        TcpListener::bind(addr).await.unwrap(),
        |(_, mut respond)| async move {
            reply(&mut respond, &Any::default());
        },
    );
    ask(&link).await.unwrap();
    assert_eq!((link.connections(), link.losses()), (1, 1));
    // Whoever looks only now still learns of the loss.
    link.lost_since(0).await;
}

#[tokio::test(flavor = "local")]
async fn a_deadline_ends_a_call_and_frees_its_stream() {
    let server = serve(|call: Call| async move {
        std::future::pending::<()>().await;
        drop(call);
    })
    .await;
    let link = server.link();
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let result = link.unary::<Any, Any>(PATH, &Any::default(), deadline).await;
    assert_eq!(result.unwrap_err(), Error::DeadlineExceeded);
    assert!(link.is_connected());
}

#[tokio::test(flavor = "local")]
async fn a_function_that_answers_no_ping_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keepalive = Keepalive {
        interval: Duration::from_millis(50),
        timeout: Duration::from_millis(100),
    };
    let options = LinkOptions {
        keepalive: Some(keepalive),
        ..LinkOptions::default()
    };
    let link = Link::new(support::tcp(listener.local_addr().unwrap()), options);
    let mut tasks = JoinSet::new();
    tasks.spawn_local(async move {
        let mut socket = listener.accept().await.unwrap().0;
        RawFrames::greet(&mut socket).await.headers(usize::MAX).await;
    });
    let (_sender, mut receiver) = link.open(PATH).await.unwrap();
    let lost = timeout(Duration::from_secs(5), receiver.message::<Any>())
        .await
        .expect("no loss noticed");
    assert!(matches!(lost, Err(Error::ConnectionLost { .. })), "{lost:?}");
}

#[tokio::test(flavor = "local")]
async fn pings_keep_a_healthy_connection() {
    let server = serve(echo).await;
    let keepalive = Keepalive {
        interval: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
    };
    let options = LinkOptions {
        keepalive: Some(keepalive),
        ..LinkOptions::default()
    };
    let link = Link::new(server.target.clone(), options);
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    let end = Instant::now() + Duration::from_millis(50);
    while Instant::now() < end {
        sender.send(&Any::default()).await.unwrap();
        receiver.message::<Any>().await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}
