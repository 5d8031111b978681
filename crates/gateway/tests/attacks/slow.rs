//! Clients that take their time.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_gateway::{ALPN, Security, StaticFiles};
use cloudstate_test_issuer::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ServerConfig};

use super::common::frames::{self, END_HEADERS, HEADERS, PREFACE, call, encode};
use super::common::{http1, run};
use super::{Options, assert_serves, serve_counting, shown};

const SOON: Duration = Duration::from_millis(50);

fn tls(authority: &Authority) -> watch::Receiver<Arc<ServerConfig>> {
    let own = authority.server();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(own.chain(), own.private_key())
        .unwrap();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    watch::channel(Arc::new(config)).1
}

#[test]
fn a_client_that_is_silent_after_the_handshake_is_let_go() {
    run(async {
        let authority = Authority::new("test");
        let options = Options {
            header_read_timeout: SOON,
            keep_alive_interval: Duration::from_secs(3600),
            security: Security {
                tls: Some(tls(&authority)),
                ..Security::default()
            },
            ..Options::default()
        };
        let (server, _) = serve_counting(options).await;
        for (protocol, starts) in [
            ("h2", &[&b""[..], &PREFACE[..10]][..]),
            ("http/1.1", &[b"", b"GET / HTTP/1.1\r\nHost:"]),
        ] {
            for start in starts {
                let io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
                let name = "localhost".try_into().unwrap();
                let connector = TlsConnector::from(authority.client(None, &[protocol]));
                let mut io = connector.connect(name, io).await.unwrap();
                io.write_all(start).await.unwrap();
                let mut rest = Vec::new();
                // It ends, in order or not.
                let _ = io.read_to_end(&mut rest).await;
            }
        }
    });
}

#[test]
fn a_client_that_answers_no_ping_is_let_go() {
    run(async {
        let options = Options {
            keep_alive_interval: SOON,
            keep_alive_timeout: SOON,
            ..Options::default()
        };
        let (server, _) = serve_counting(options).await;
        let mut idle = frames::connect(server.port).await;
        idle.rest().await;
        // In the middle of headers as well.
        let mut begun = frames::connect(server.port).await;
        begun
            .send(&encode(HEADERS, 0, 1, &call("/shop.Cart/Plain")))
            .await;
        begun.rest().await;
        // Nor does it help to have said nothing but the preface.
        let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        io.write_all(PREFACE).await.unwrap();
        let _ = io.read_to_end(&mut Vec::new()).await;
    });
}

#[test]
fn headers_that_come_byte_by_byte_are_cut_off() {
    run(async {
        let options = Options {
            header_read_timeout: SOON,
            max_header_bytes: 1 << 30,
            ..Options::default()
        };
        let (server, calls) = serve_counting(options).await;
        for first in [
            "",
            "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        ] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.set_nodelay(true).unwrap();
            io.write_all(first.as_bytes()).await.unwrap();
            io.write_all(b"POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nX: ")
                .await
                .unwrap();
            let (mut read, mut write) = io.split();
            let trickle = async {
                while write.write_all(b"x").await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            let mut answer = Vec::new();
            tokio::select! {
                () = trickle => {}
                _ = read.read_to_end(&mut answer) => {}
            }
        }
        assert_eq!(calls.get(), 0);
        assert_serves(&server).await;
    });
}

#[test]
fn a_body_that_does_not_come_is_answered_with_408() {
    run(async {
        let options = Options {
            body_read_timeout: SOON,
            ..Options::default()
        };
        let (server, calls) = serve_counting(options).await;
        let headers = [("content-type", "application/json")];
        let mut client = http1::open(server.port).await;
        client.begin("POST", "/shop.Cart/Plain", &headers).await;
        client.send_chunk(b"{").await;
        assert_eq!(client.head().await.0, 408);

        let mut client = http1::open(server.port).await;
        let text = "POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        client.io.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(client.head().await.0, 408);

        let mut client = frames::connect(server.port).await;
        client
            .send(&encode(HEADERS, END_HEADERS, 1, &call("/shop.Cart/Plain")))
            .await;
        assert!(client.next_of(HEADERS).await.is_some(), "gRPC is answered too");
        assert_eq!(calls.get(), 0);
    });
}

/// A directory with a file that no buffer holds.
fn large_file() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(directory.path().join("large.bin")).unwrap();
    file.set_len(1 << 28).unwrap();
    directory
}

fn with_files(directory: &tempfile::TempDir) -> Options {
    Options {
        send_timeout: Duration::from_millis(200),
        static_files: Some(StaticFiles::new(directory.path(), 1).unwrap()),
        ..Options::default()
    }
}

/// Waits until the only place for static files is free.
async fn until_free(port: u16) {
    loop {
        let answer = http1::send(port, "GET", "/x", &[], b"").await;
        match answer.status {
            404 => return,
            status => assert_eq!(status, 503),
        }
    }
}

#[test]
fn a_client_that_takes_no_answer_is_let_go() {
    run(async {
        let directory = large_file();
        let (server, _) = serve_counting(with_files(&directory)).await;
        let mut client = http1::open(server.port).await;
        client.request("GET", "/large.bin", &[], b"").await;
        assert_eq!(client.head().await.0, 200);
        assert_eq!(http1::send(server.port, "GET", "/x", &[], b"").await.status, 503);
        until_free(server.port).await;
        let reason = r#"cloudstate_gateway_failed_connections_total{reason="timeout"} 1"#;
        while !shown(&server).contains(reason) {
            tokio::task::yield_now().await;
        }
        // It gets what was on its way, and then the end.
        let mut rest = Vec::new();
        let _ = client.io.read_to_end(&mut rest).await;
        assert!(rest.len() < 1 << 28, "{} bytes", rest.len());
    });
}

#[test]
fn files_that_a_client_does_not_take_are_closed() {
    run(async {
        let directory = large_file();
        let (server, _) = serve_counting(with_files(&directory)).await;
        // Its window is never opened further, while the connection is alive.
        let mut client = frames::connect(server.port).await;
        let get: Vec<u8> = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/large.bin"),
            (":authority", "x"),
        ]
        .iter()
        .flat_map(|(name, value)| frames::header(name, value))
        .collect();
        client
            .send(&encode(HEADERS, END_HEADERS | frames::END_STREAM, 1, &get))
            .await;
        assert!(client.next_of(frames::DATA).await.is_some());
        assert_eq!(http1::send(server.port, "GET", "/x", &[], b"").await.status, 503);
        until_free(server.port).await;
        client.send(&encode(frames::PING, 0, 0, b"12345678")).await;
        let pong = client.next_of(frames::PING).await;
        assert_eq!(pong.expect("it is served on").payload, b"12345678");
    });
}

#[test]
fn a_connection_without_a_request_is_closed_after_a_while() {
    run(async {
        let options = Options {
            header_read_timeout: SOON,
            ..Options::default()
        };
        let (server, _) = serve_counting(options).await;
        let mut client = http1::open(server.port).await;
        client.request("GET", "/nothing", &[], b"").await;
        let (status, headers) = client.head().await;
        assert_eq!(status, 404);
        assert!(!headers.contains_key("connection"), "it is kept: {headers:?}");
        // Another request would be answered now; none comes.
        client.io.read_to_end(&mut Vec::new()).await.unwrap();
    });
}
