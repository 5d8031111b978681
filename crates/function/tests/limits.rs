//! How a link keeps to the number of streams that a server allows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod support;

use cloudstate_function::{Error, Link, LinkOptions};
use cloudstate_protocol::Any;
use support::{Server, builder, echo, serve_with};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const PATH: &str = "/test.Echo/echo";

async fn serve_limited(streams: u32) -> Server {
    let mut limited = builder();
    limited.max_concurrent_streams(streams);
    serve_with(limited, TcpListener::bind("127.0.0.1:0").await.unwrap(), echo)
}

#[tokio::test(flavor = "local")]
async fn streams_beyond_the_servers_limit_get_further_connections() {
    let server = serve_limited(100).await;
    let link = server.link();
    let mut opening = JoinSet::new();
    for _ in 0..450 {
        let link = link.clone();
        opening.spawn_local(async move {
            let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
            sender.send(&Any::default()).await.unwrap();
            assert!(receiver.message::<Any>().await.unwrap().is_some());
            (sender, receiver)
        });
    }
    let streams = opening.join_all().await;
    assert_eq!(
        (streams.len(), link.connections(), server.connections()),
        (450, 5, 5)
    );
}

#[tokio::test(flavor = "local")]
async fn ended_streams_make_room_on_the_same_connection() {
    let server = serve_limited(10).await;
    let link = server.link();
    for _ in 0..100 {
        let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
        sender.send(&Any::default()).await.unwrap();
        sender.finish();
        while receiver.message::<Any>().await.unwrap().is_some() {}
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "local")]
async fn cancelled_streams_make_room_and_do_not_end_the_connection() {
    let server = serve_limited(10).await;
    let link = server.link();
    for _ in 0..2000 {
        let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
        sender.send(&Any::default()).await.unwrap();
        assert!(receiver.message::<Any>().await.unwrap().is_some());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "local")]
async fn the_limit_of_connections_is_a_clear_error() {
    let server = serve_limited(2).await;
    let link = Link::new(
        server.target.clone(),
        LinkOptions {
            max_connections: 2,
            ..LinkOptions::default()
        },
    );
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(link.open(PATH).await.unwrap());
    }
    let error = link.open(PATH).await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(
        error,
        Error::StreamLimit {
            target: server.target.to_string(),
            connections: 2,
            streams: 4
        },
        "{error}"
    );
    streams.pop();
    link.open(PATH).await.unwrap();
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_has_served_its_streams_is_replaced() {
    let server = serve_limited(100).await;
    let options = LinkOptions {
        max_streams_over_lifetime: 3,
        ..LinkOptions::default()
    };
    let link = Link::new(server.target.clone(), options);
    let (mut sender, mut receiver) = link.open(PATH).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(link.open(PATH).await.unwrap());
    }
    server.calls(7).await;
    assert_eq!(server.connections(), 3);
    sender.send(&Any::default()).await.unwrap();
    assert!(
        receiver.message::<Any>().await.unwrap().is_some(),
        "the first connection serves its stream to the end"
    );
}
