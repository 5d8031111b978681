//! Listening and stopping.

use std::time::Duration;

use cloudstate_sdk::protocol::action::ActionResponse;
use cloudstate_sdk::protocol::eventsourced::EventSourcedStreamOut;
use cloudstate_sdk::protocol::names;
use cloudstate_sdk::{Listener, ServeError, UserFunction};

use crate::actions::{add, value};
use crate::client::Client;
use crate::entities::activate;
use crate::function::{Served, Sums, counters, options};

#[tokio::test]
async fn stopping_ends_idle_entities_and_finishes_calls() {
    let sums = Sums::default();
    let mut served = Served::with(sums.clone(), options());
    let client = served.client().await;
    let mut entity = activate(&client, "idle").await;
    let mut call = client.open(names::ACTION_UNARY_PATH).await;
    call.send(&add(-1, 3)).await;
    sums.begun.notified().await;
    served.stop();
    assert_eq!(entity.next::<EventSourcedStreamOut>().await, None);
    assert_eq!(entity.status(), 14, "an idle entity's stream ends as unavailable");
    let refused = tokio::net::TcpStream::connect(&served.address).await;
    assert!(refused.is_err(), "nobody listens any more");
    sums.go_on.notify_one();
    assert_eq!(
        value(call.next::<ActionResponse>().await.unwrap()),
        2,
        "a call in flight is finished"
    );
    assert_eq!(call.next::<ActionResponse>().await, None);
    served.ended().await;
    client.connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off() {
    let sums = Sums::default();
    let mut options = options();
    options.drain_timeout = Duration::from_millis(20);
    let mut served = Served::with(sums.clone(), options);
    let client = served.client().await;
    let mut call = client.open(names::ACTION_UNARY_PATH).await;
    call.send(&add(-1, 3)).await;
    sums.begun.notified().await;
    served.stop();
    sums.dropped.notified().await;
    served.ended().await;
}

#[tokio::test]
async fn several_threads_serve_several_connections() {
    let mut options = options();
    options.threads = 2;
    let mut served = Served::with(Sums::default(), options);
    let clients = [
        served.client().await,
        served.client().await,
        served.client().await,
    ];
    for (right, client) in (0..).zip(&clients) {
        assert_eq!(
            value(client.unary(names::ACTION_UNARY_PATH, &add(1, right)).await),
            1 + right
        );
    }
    served.stop();
    served.ended().await;
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_removed_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("function.sock");
    let function = || UserFunction::new("test", "1").with(counters());
    let mut served = Served::on(function(), Listener::unix(&path).unwrap(), options());
    let client = Client::on(tokio::net::UnixStream::connect(&path).await.unwrap()).await;
    drop(activate(&client, "a").await);
    assert!(
        matches!(Listener::unix(&path), Err(ServeError::Bind { .. })),
        "somebody listens there"
    );
    served.stop();
    served.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn an_abandoned_unix_socket_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("function.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a killed process leaves its socket behind");
    let _served = Served::on(
        UserFunction::new("test", "1").with(counters()),
        Listener::unix(&path).unwrap(),
        options(),
    );
    tokio::net::UnixStream::connect(&path).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listener = Listener::tcp("127.0.0.1", 0).unwrap();
    let (host, port) = listener
        .address()
        .rsplit_once(':')
        .map(|(h, p)| (h.to_owned(), p.to_owned()))
        .unwrap();
    let error = Listener::tcp(&host, port.parse().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")),
        "{error}"
    );
}
