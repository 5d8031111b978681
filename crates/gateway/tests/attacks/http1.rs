//! Requests of HTTP/1.1 that two parties could read differently, and floods of them. Source: RFC 9112 §2.2, §5, §6, §7.1, §11.2.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::common::run;
use super::{Options, assert_serves, fill, serve_counting};

/// A request that must never be seen as one, since it stands in the body of another.
const HIDDEN: &str = "POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/// All that comes back for what is sent on a connection of its own, up to its end.
async fn exchange(port: u16, request: &[u8]) -> String {
    let mut io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut read, mut write) = io.split();
    let mut answer = Vec::new();
    let send = async {
        let _ = write.write_all(request).await;
        let _ = write.shutdown().await;
    };
    let _ = tokio::join!(send, read.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answers: &str) -> Vec<&str> {
    let starts = answers.match_indices("HTTP/1.1 ");
    let words = starts.filter_map(|(at, start)| answers[at + start.len()..].get(..3));
    // A body may name the protocol too.
    words
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

#[test]
fn a_request_with_two_lengths_hides_no_other() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        let chunked = "Transfer-Encoding: chunked\r\n";
        let length = format!("Content-Length: {}\r\n", HIDDEN.len() + 5);
        for framing in [
            format!("{chunked}{length}"),
            format!("{length}{chunked}"),
            format!("Transfer-Encoding: identity, chunked\r\n{length}"),
        ] {
            let request = format!("POST /nothing HTTP/1.1\r\nHost: x\r\n{framing}\r\n0\r\n\r\n{HIDDEN}");
            let answers = exchange(server.port, request.as_bytes()).await;
            assert!(
                matches!(&statuses(&answers)[..], ["404" | "400"]),
                "{framing}: {answers}"
            );
            assert_eq!(calls.get(), 0, "{framing}");
        }
    });
}

#[test]
fn a_request_whose_length_is_no_number_or_several_is_refused() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        for framing in [
            "Content-Length: 0\r\nContent-Length: 5",
            "Content-Length: 0, 5",
            "Content-Length: +0",
            "Content-Length: -1",
            "Content-Length: 0x0",
            "Content-Length: 99999999999999999999",
            "Content-Length:",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:\r\n chunked",
            " Transfer-Encoding: chunked",
            "Content-Length: 0\r\n Content-Length: 5",
            "X: a\rContent-Length: 5",
            "X: a\0b",
        ] {
            let request = format!("POST /nothing HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{HIDDEN}");
            let answers = exchange(server.port, request.as_bytes()).await;
            assert_eq!(statuses(&answers), ["400"], "{framing:?}: {answers}");
        }
        let old = format!("POST /nothing HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
        let answers = exchange(server.port, old.as_bytes()).await;
        assert_eq!(answers.matches("HTTP/1.").count(), 1, "{answers}");
        assert!(answers.contains(" 400 "), "{answers}");
        assert_eq!(calls.get(), 0);
        assert_serves(&server).await;
    });
}

#[test]
fn malformed_chunks_end_the_connection() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000));
        let trailers = format!("2\r\n{{}}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(100_000));
        for body in [
            "FFFFFFFFFFFFFFFFF\r\n",
            "-2\r\n{}\r\n0\r\n\r\n",
            "0x2\r\n{}\r\n0\r\n\r\n",
            "2\n{}\r\n0\r\n\r\n",
            "2\r\n{}0\r\n\r\n",
            "2\r\n{}XX0\r\n\r\n",
            "\r\n{}\r\n0\r\n\r\n",
            &extension,
            &trailers,
        ] {
            let request = format!(
                "POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"
            );
            let answers = exchange(server.port, request.as_bytes()).await;
            let shown = &body[..body.len().min(40)];
            assert!(
                matches!(&statuses(&answers)[..], [] | ["400" | "499"]),
                "{shown:?}: {answers}"
            );
            assert_eq!(calls.get(), 0, "{shown:?}");
        }
        assert_serves(&server).await;
    });
}

#[test]
fn requests_sent_in_advance_are_answered_in_order_and_only_as_fast_as_answers_are_read() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        let number = |at: usize| {
            format!(
                "POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX: {at}\r\n\r\n{{}}"
            )
        };
        let ahead: String = (0..500).map(number).collect();
        let answers = exchange(
            server.port,
            [ahead.as_bytes(), HIDDEN.as_bytes()].concat().as_slice(),
        )
        .await;
        assert_eq!(statuses(&answers), vec!["200"; 501]);
        assert_eq!(calls.get(), 501);

        let mut attacker = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let taken = fill(&mut attacker, ahead.as_bytes(), 1 << 30).await;
        assert!(
            taken < 64 << 20,
            "{taken} bytes were taken without an answer being read"
        );
        assert_serves(&server).await;
    });
}

#[test]
fn targets_that_are_no_paths_lead_nowhere() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        for (line, expected) in [
            ("OPTIONS * HTTP/1.1", "404"),
            ("CONNECT localhost:22 HTTP/1.1", "404"),
            ("CONNECT /shop.Cart/Plain HTTP/1.1", "405"),
            ("GET http://other.example/nothing HTTP/1.1", "404"),
            ("TRACE /shop.Cart/Plain HTTP/1.1", "405"),
            ("GET nothing HTTP/1.1", "404"),
            ("GET /no thing HTTP/1.1", "400"),
            ("GET /nothing HTTP/3.0", "400"),
            ("PRI * HTTP/2.0", "400"),
        ] {
            let request = format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answers = exchange(server.port, request.as_bytes()).await;
            assert_eq!(statuses(&answers), [expected], "{line}: {answers}");
        }
        assert_eq!(calls.get(), 0);
    });
}

#[test]
fn too_many_headers_are_answered_with_431() {
    run(async {
        let (server, _) = serve_counting(Options::default()).await;
        let request = format!(
            "GET /nothing HTTP/1.1\r\nHost: x\r\n{}\r\n",
            "x: y\r\n".repeat(1000)
        );
        let answers = exchange(server.port, request.as_bytes()).await;
        assert_eq!(statuses(&answers), ["431"], "{answers}");
    });
}

#[test]
fn a_request_without_exactly_one_host_is_refused_in_every_protocol() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        for hosts in ["", "Host: x\r\nHost: y\r\n"] {
            for content_type in ["application/json", "application/grpc-web", "text/plain"] {
                let request = format!(
                    "POST /shop.Cart/Plain HTTP/1.1\r\n{hosts}Content-Type: {content_type}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                );
                let answers = exchange(server.port, request.as_bytes()).await;
                assert_eq!(statuses(&answers), ["400"], "{hosts:?} {content_type}: {answers}");
            }
        }
        assert_eq!(calls.get(), 0);
    });
}
