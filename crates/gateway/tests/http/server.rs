//! What is there beside the function.

use super::*;

#[test]
fn the_network_probe_is_answered_where_the_function_serves_nothing() {
    run(async {
        let client = serving(|_, _| one("")).await;
        let probe = |path, value| client.request("GET", path).header("K-Network-Probe", value);
        let answer = client.send(probe("/", "queue"), &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"queue"[..]));
        let answer = client.send(probe("/", "x"), &[]).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (400, &b"unexpected probe header value: x"[..])
        );
        let answer = client.send(probe("/carts/c", "queue"), &[]).await;
        assert_eq!(answer.body, r#"{"cartId":"","lines":[],"version":"0"}"#);
    });
}

/// Sends bytes on a new connection and reads until the server closes.
async fn http1(port: u16, text: &str) -> String {
    let mut io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    io.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn http_1_is_served_on_the_same_port() {
    run(async {
        let server = serve(Script::new(|_| async { one("") }), Options::default()).await;
        let body = r#"{"cartId":"c"}"#;
        let request = |headers: &str| {
            format!("POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n")
        };
        let json = "Content-Type: application/json\r\n";
        let length = request(&format!("{json}Content-Length: {}", body.len()));
        let answer = http1(server.port, &format!("{length}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("{\"cartId\":\"\",\"lines\":[],\"version\":\"0\"}"),
            "{answer}"
        );
        let chunked = request(&format!("{json}Transfer-Encoding: chunked"));
        let answer = http1(
            server.port,
            &format!("{chunked}5\r\n{{\"car\r\n9\r\ntId\":\"c\"}}\r\n0\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        // A host is named once.
        for hosts in ["", "Host: x\r\nHost: x\r\n"] {
            let get = format!("GET /carts/c HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            let answer = http1(server.port, &get).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("exactly one Host header"), "{answer}");
        }
        let answer = http1(server.port, "GET /carts/c HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
        // gRPC needs HTTP/2.
        let answer = http1(
            server.port,
            &request("Content-Type: application/grpc\r\nContent-Length: 0"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    });
}
