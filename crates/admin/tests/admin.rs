//! The admin port on a real socket.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use cloudstate_admin::{Admin, text};
use cloudstate_runtime::Health;
use http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Port {
    port: u16,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

async fn serve(health: Health) -> Port {
    let mut registry = Registry::default();
    let commands = Counter::<u64>::default();
    commands.inc();
    registry.register("commands", "Commands received", commands);
    let admin = Admin::new(health, registry).route(Method::POST, "/entities", |request| async move {
        text(
            StatusCode::OK,
            request.uri().query().unwrap_or_default().to_owned(),
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(Arc::new(admin).serve(listener, shutdown.clone()));
    Port {
        port,
        shutdown,
        serving,
    }
}

impl Port {
    async fn ask(&self, request: &str) -> String {
        self.send(request, "").await
    }

    async fn ask_accepting(&self, accept: &str) -> String {
        self.send("GET /metrics", &format!("Accept: {accept}\r\n")).await
    }

    async fn send(&self, request: &str, headers: &str) -> String {
        String::from_utf8(self.receive(request, headers).await).unwrap()
    }

    async fn receive(&self, request: &str, headers: &str) -> Vec<u8> {
        let mut io = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        io.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.unwrap();
        answer
    }

    async fn status(&self, request: &str) -> (String, String) {
        let answer = self.ask(request).await;
        let status = answer.split(' ').nth(1).unwrap().to_owned();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

fn expected(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn ready_says_what_is_missing_line_by_line() {
    let health = Health::new();
    let port = serve(health.clone()).await;
    assert_eq!(
        port.status("GET /ready").await,
        expected("503", "process: starting\n")
    );
    let store = health.component("store", "cannot write to /data");
    let function = health.component("function", "not reachable at 127.0.0.1:8080");
    let missing = "function: not reachable at 127.0.0.1:8080\nstore: cannot write to /data\n";
    assert_eq!(port.status("GET /ready").await, expected("503", missing));
    store.ready();
    function.ready();
    assert_eq!(port.status("GET /ready").await, expected("200", "OK"));
    function.not_ready("gone");
    assert_eq!(
        port.status("GET /ready").await,
        expected("503", "function: gone\n")
    );
}

#[tokio::test]
async fn alive_is_answered_whatever_is_missing() {
    let port = serve(Health::new()).await;
    assert_eq!(port.status("GET /alive").await, expected("200", "OK"));
    assert_eq!(port.status("HEAD /alive").await, expected("200", ""));
}

#[tokio::test]
async fn metrics_are_on_two_paths_in_prometheus_text() {
    let port = serve(Health::new()).await;
    for path in ["/metrics", "/"] {
        let answer = port.ask(&format!("GET {path}")).await;
        assert!(
            answer.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            "{answer}"
        );
        assert!(
            answer.ends_with("# TYPE commands_total counter\ncommands_total 1\n"),
            "{answer}"
        );
    }
    let answer = port.ask_accepting("application/openmetrics-text").await;
    assert!(
        answer.contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0"),
        "{answer}"
    );
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test]
async fn a_scraper_may_ask_for_some_names_and_for_gzip() {
    let port = serve(Health::new()).await;
    let whole = port.status("GET /metrics").await.1;
    assert_eq!(
        port.status("GET /metrics?name[]=commands_total&name[]=x").await.1,
        whole
    );
    assert_eq!(port.status("GET /metrics?name%5B%5D=x").await.1, "");
    for refused in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"] {
        assert!(
            port.send("GET /metrics", refused).await.ends_with(&whole),
            "{refused}"
        );
    }
    let answer = port
        .receive("GET /metrics", "Accept-Encoding: br, gzip;q=0.5\r\n")
        .await;
    let head_end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (head, packed) = answer.split_at(head_end + 4);
    assert!(
        std::str::from_utf8(head)
            .unwrap()
            .contains("content-encoding: gzip\r\n")
    );
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut unpacked).unwrap();
    assert_eq!(unpacked, whole);
}

#[tokio::test]
async fn other_rooms_add_routes_and_the_rest_is_unknown() {
    let port = serve(Health::new()).await;
    assert_eq!(port.status("POST /entities?a=1").await, expected("200", "a=1"));
    assert_eq!(port.status("GET /entities").await.0, "405");
    assert!(port.ask("POST /ready").await.contains("allow: GET, HEAD\r\n"));
    assert_eq!(port.status("GET /nope").await.0, "404");
}

#[tokio::test]
async fn shutdown_ends_idle_connections() {
    let port = serve(Health::new()).await;
    let mut idle = TcpStream::connect(("127.0.0.1", port.port)).await.unwrap();
    idle.write_all(b"GET /alive HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    port.shutdown.cancel();
    port.serving.await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(
        rest.ends_with(b"OK"),
        "the answer was whole and the connection was closed"
    );
}
