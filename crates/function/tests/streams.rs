//! What a stream does while the function behaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod support;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_function::{Error, Link, LinkOptions};
use cloudstate_protocol::{Any, EntitySpec, ProxyInfo, ServiceInfo, UserFunctionError};
use support::{Requests, answer, builder, echo, frame, reply, serve, serve_unix, serve_with, trailers};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

const PATH: &str = "/test.Echo/echo";

fn any(value: impl Into<Bytes>) -> Any {
    Any {
        type_url: "t".to_owned(),
        value: value.into(),
    }
}

async fn check_round_trip(link: &Link) {
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    for round in 0..50u8 {
        sender.send(&any(vec![round])).await.unwrap();
        assert_eq!(receiver.message::<Any>().await.unwrap(), Some(any(vec![round])));
    }
    sender.finish();
    assert_eq!(receiver.message::<Any>().await.unwrap(), None);
    assert_eq!(
        receiver.message::<Any>().await.unwrap(),
        None,
        "the end stays the end"
    );
    assert_eq!(sender.send(&any("late")).await, Err(Error::StreamEnded));
}

#[tokio::test(flavor = "local")]
async fn messages_go_there_and_back_in_order() {
    let server = serve(echo).await;
    let link = server.link();
    check_round_trip(&link).await;
    assert_eq!((link.connections(), server.connections()), (1, 1));
}

#[tokio::test(flavor = "local")]
async fn a_unix_socket_serves_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let server = serve_unix(directory.path().join("function.sock"), echo);
    check_round_trip(&server.link()).await;
}

#[tokio::test(flavor = "local")]
async fn the_first_message_needs_no_response_headers_and_empty_messages_count() {
    let server = serve(|(request, mut respond)| async move {
        let mut requests = Requests::new(request.into_body());
        // Headers follow the second message.
        assert_eq!(requests.next::<Any>().await, Some(Any::default()));
        assert_eq!(requests.next::<Any>().await, Some(Any::default()));
        reply(&mut respond, &Any::default());
    })
    .await;
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    assert!(sender.try_send(&Any::default()).unwrap());
    assert!(sender.try_send(&Any::default()).unwrap());
    assert_eq!(receiver.message().await.unwrap(), Some(Any::default()));
    assert_eq!(receiver.message::<Any>().await.unwrap(), None);
}

#[tokio::test(flavor = "local")]
async fn a_message_larger_than_every_window_passes_both_ways() {
    let server = serve(echo).await;
    let link = server.link();
    let big = any(vec![7; 5 << 20]);
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    sender.send(&big).await.unwrap();
    assert!(receiver.message::<Any>().await.unwrap() == Some(big));
}

#[tokio::test(flavor = "local")]
async fn requests_carry_what_grpc_asks_for() {
    let (heads, mut head) = watch::channel(None);
    let heads = Rc::new(heads);
    let server = serve(move |(request, mut respond)| {
        heads.send_replace(Some((request.uri().clone(), request.headers().clone())));
        async move { reply(&mut respond, &Any::default()) }
    })
    .await;
    let link = server.link();
    let deadline = Instant::now() + Duration::from_secs(60);
    let _: Any = link.unary(PATH, &Any::default(), Some(deadline)).await.unwrap();
    let (uri, headers) = head.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(uri.path(), PATH);
    assert_eq!(uri.authority().unwrap().as_str(), server.target.to_string());
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["content-type"], "application/grpc");
    let timeout = headers["grpc-timeout"]
        .to_str()
        .unwrap()
        .trim_end_matches('u')
        .parse::<u64>()
        .unwrap();
    assert!((1..=60_000_000).contains(&timeout), "{timeout}");
}

#[tokio::test(flavor = "local")]
async fn discovery_and_error_reports_reach_their_methods() {
    let spec = EntitySpec {
        service_info: Some(ServiceInfo {
            service_name: "cart".to_owned(),
            ..ServiceInfo::default()
        }),
        ..EntitySpec::default()
    };
    let (answered, reports) = (spec.clone(), Rc::new(watch::Sender::new(String::new())));
    let mut report = reports.subscribe();
    let server = serve(move |(request, mut respond)| {
        let (spec, reports) = (answered.clone(), reports.clone());
        async move {
            let is_discover = request.uri().path() == "/cloudstate.EntityDiscovery/discover";
            let mut requests = Requests::new(request.into_body());
            if is_discover {
                let info = requests.next::<ProxyInfo>().await.unwrap();
                assert_eq!(info.protocol_minor_version, 2);
                reply(&mut respond, &spec);
            } else {
                reports.send_replace(requests.next::<UserFunctionError>().await.unwrap().message);
                reply(&mut respond, &());
            }
        }
    })
    .await;
    let link = server.link();
    let info = ProxyInfo {
        protocol_minor_version: 2,
        ..ProxyInfo::default()
    };
    assert_eq!(link.discover(&info).await.unwrap(), spec);
    link.report_error("no such service").await.unwrap();
    assert_eq!(
        *report.wait_for(|text| !text.is_empty()).await.unwrap(),
        "no such service"
    );
    let paths = server.seen.paths.borrow().clone();
    assert_eq!(
        paths,
        [
            "/cloudstate.EntityDiscovery/discover",
            "/cloudstate.EntityDiscovery/reportError"
        ]
    );
}

#[tokio::test(flavor = "local")]
async fn dropping_both_halves_cancels_the_stream_and_one_half_does_not() {
    let (resets, mut reset) = watch::channel(None);
    let resets = Rc::new(resets);
    let server = serve(move |(_, mut respond)| {
        let resets = resets.clone();
        async move {
            let mut body = answer(&mut respond);
            body.send_data(frame(&any("x")), false).unwrap();
            let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await.unwrap();
            resets.send_replace(Some(reason));
        }
    })
    .await;
    let link = server.link();
    let (sender, mut receiver) = link.open(PATH).await.unwrap();
    drop(sender);
    assert_eq!(receiver.message().await.unwrap(), Some(any("x")));
    assert_eq!(*reset.borrow(), None);
    drop(receiver);
    assert_eq!(
        *reset.wait_for(Option::is_some).await.unwrap(),
        Some(h2::Reason::CANCEL)
    );
    assert!(link.is_connected());
}

#[tokio::test(flavor = "local")]
async fn a_reset_cancels_at_once() {
    let server = serve(echo).await;
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    sender.send(&any("x")).await.unwrap();
    assert_eq!(receiver.message().await.unwrap(), Some(any("x")));
    sender.reset();
    assert!(receiver.message::<Any>().await.is_err());
    assert_eq!(sender.send(&any("x")).await, Err(Error::StreamEnded));
}

#[tokio::test(flavor = "local")]
async fn a_slow_function_exerts_back_pressure() {
    let go = Rc::new(watch::Sender::new(false));
    let gate = go.clone();
    let mut narrow = builder();
    narrow.initial_window_size(64 * 1024);
    let server = serve_with(
        narrow,
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        move |(request, mut respond)| {
            let mut open = gate.subscribe();
            async move {
                open.wait_for(|open| *open).await.unwrap();
                let mut requests = Requests::new(request.into_body());
                let mut count = 0u32;
                while requests.next::<Any>().await.is_some() {
                    count += 1;
                }
                reply(&mut respond, &any(count.to_be_bytes().to_vec()));
            }
        },
    );
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    let message = any(vec![1; 1000]);
    let mut sent = 0u32;
    // The server reads nothing: sending must stop near the window of 64 KiB, whatever time passes.
    loop {
        let room = tokio::time::timeout(
            Duration::from_millis(200),
            std::future::poll_fn(|cx| sender.poll_ready(cx)),
        );
        if room.await.is_err() {
            break;
        }
        assert!(sender.try_send(&message).unwrap());
        sent += 1;
        assert!(sent < 1000, "no back-pressure after {sent} messages");
    }
    assert!(!sender.try_send(&message).unwrap());
    assert!(
        (60..=100).contains(&sent),
        "{sent} messages of 1 kB went into a window of 64 KiB"
    );
    go.send_replace(true);
    for _ in 0..500 {
        sender.send(&message).await.unwrap();
    }
    sender.finish();
    let count: Any = receiver.message().await.unwrap().unwrap();
    assert_eq!(count.value, (sent + 500).to_be_bytes().to_vec());
}

#[tokio::test(flavor = "local")]
async fn thousands_of_small_unread_messages_do_not_end_the_connection() {
    let server = serve(|(_, mut respond)| async move {
        let mut body = answer(&mut respond);
        for _ in 0..10 {
            body.send_data(frame(&any("small")), false).unwrap();
        }
        body.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let link = server.link();
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(link.open(PATH).await.unwrap());
    }
    // The last stream's end comes after 2,000 messages that nobody has read.
    let (_, last) = streams.last_mut().unwrap();
    while last.message::<Any>().await.unwrap().is_some() {}
    assert_eq!(server.connections(), 1);
    for (_, receiver) in &mut streams[..199] {
        let mut count = 0;
        while receiver.message::<Any>().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 10);
    }
    assert_eq!((link.connections(), server.connections()), (1, 1));
}

#[tokio::test(flavor = "local")]
async fn closing_lets_open_streams_end_and_takes_no_new_ones() {
    let server = serve(echo).await;
    let link = server.link();
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    sender.send(&any("x")).await.unwrap();
    assert_eq!(receiver.message().await.unwrap(), Some(any("x")));
    let closing = tokio::task::spawn_local({
        let link = link.clone();
        async move { link.close().await }
    });
    while !matches!(link.open(PATH).await, Err(Error::Closed { .. })) {
        tokio::task::yield_now().await;
    }
    sender.send(&any("y")).await.unwrap();
    assert_eq!(receiver.message().await.unwrap(), Some(any("y")));
    sender.finish();
    assert_eq!(receiver.message::<Any>().await.unwrap(), None);
    drop((sender, receiver));
    closing.await.unwrap();
    assert!(!link.is_connected());
}

#[tokio::test(flavor = "local")]
async fn closing_cuts_off_streams_that_do_not_end() {
    let server = serve(echo).await;
    let options = LinkOptions {
        close_timeout: Duration::from_millis(50),
        ..LinkOptions::default()
    };
    let link = Link::new(server.target.clone(), options);
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    sender.send(&any("x")).await.unwrap();
    assert_eq!(receiver.message().await.unwrap(), Some(any("x")));
    link.close().await;
    assert!(matches!(
        receiver.message::<Any>().await,
        Err(Error::ConnectionLost { .. })
    ));
}
