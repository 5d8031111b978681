//! What the gateway counts of requests and connections.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use cloudstate_gateway::{Cors, Metrics, Options};
use cloudstate_runtime::{Call, CallError};
use common::raw::{connect, frame};
use common::{Script, one, reply, run, serve, stream};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Answers every call.
fn willing() -> Script {
    Script::new(|_: Call| async { one("") })
}

fn shown(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn requests_are_counted_by_method_and_code_whatever_their_way() {
    run(async {
        let router = Script::new(|call: Call| async move {
            match &*call.method.name {
                "Plain" => one(""),
                "Out" => stream(vec![Ok(reply("")), Err(CallError::Failure("x".into()))]),
                _ => std::future::pending().await,
            }
        });
        let server = serve(router, Options::default()).await;
        let client = connect(server.port).await;
        client.unary("/shop.Cart/Plain", b"").await;
        let json = client
            .request("POST", "/shop.Cart/Plain")
            .header("content-type", "application/json");
        client.send(json, &["{}".into()]).await;
        let json = client
            .request("POST", "/shop.Cart/Plain")
            .header("content-type", "application/json");
        client.send(json, &["[]".into()]).await;
        client.unary("/shop.Streams/Out", b"").await;
        client.unary("/nope/Nope", b"").await;
        let web = client
            .request("POST", "/shop.Cart/Plain")
            .header("content-type", "application/grpc-web");
        client.send(web, &[frame(b"")]).await;
        let (_response, mut request) = client.open("/shop.Cart/GetCart").await;
        request.send_data(frame(b""), true).unwrap();
        let text = loop {
            // The last request is on its way; every round trip lets the server go on.
            client.unary("/shop.Cart/Plain", b"").await;
            let text = shown(&server.metrics);
            let in_flight = r#"requests_in_flight{service="shop.Cart",method="GetCart"} 1"#;
            if text.contains(in_flight) {
                break text;
            }
        };
        for line in [
            r#"requests_total{service="shop.Cart",method="Plain",code="INVALID_ARGUMENT"} 1"#,
            r#"requests_total{service="shop.Streams",method="Out",code="UNKNOWN"} 1"#,
            r#"requests_total{service="",method="unknown",code="UNIMPLEMENTED"} 1"#,
            r#"duration_seconds_count{service="shop.Streams",method="Out"} 1"#,
            r#"duration_seconds_bucket{le="+Inf",service="shop.Streams",method="Out"} 1"#,
            r#"requests_in_flight{service="shop.Cart",method="Plain"} 0"#,
            r#"protocol_requests_total{protocol="http"} 2"#,
            r#"protocol_requests_total{protocol="grpc-web"} 1"#,
            "cloudstate_gateway_connections_open 1",
            "cloudstate_gateway_connections_total 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        let plain = r#"requests_total{service="shop.Cart",method="Plain",code="OK"} "#;
        let count = text.lines().find_map(|line| line.split_once(plain)).unwrap().1;
        assert!(count.parse::<u64>().unwrap() >= 4);
        let grpc = r#"protocol_requests_total{protocol="grpc"} "#;
        let count = text.lines().find_map(|line| line.split_once(grpc)).unwrap().1;
        assert!(count.parse::<u64>().unwrap() >= 5);
    });
}

/// Waits until the metrics show all of these lines.
async fn shows(metrics: &Metrics, lines: &[&str]) {
    let mut text = String::new();
    for _ in 0..10_000 {
        text = shown(metrics);
        if lines.iter().all(|line| text.contains(line)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{lines:?} are not in\n{text}");
}

#[test]
fn connections_that_end_early_are_counted_by_reason() {
    run(async {
        let options = Options {
            header_read_timeout: Duration::from_millis(20),
            max_header_bytes: 8192,
            ..Options::default()
        };
        let server = serve(willing(), options).await;
        let large = format!("GET / HTTP/1.1\r\nX-Large: {}\r\n\r\n", "x".repeat(20_000));
        for (start, reason) in [
            ("PRI * HT", "silent"),
            ("GET / HTTP/1.1\r\nHost:", "timeout"),
            (&*large, "too_large"),
            ("GET / HTTP/0\r\n\r\n", "malformed"),
        ] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(start.as_bytes()).await.unwrap();
            let line = format!("failed_connections_total{{reason=\"{reason}\"}} 1");
            shows(&server.metrics, &[&line]).await;
        }
        // Streams that are opened and reset faster than anybody can look at them.
        let server = serve(willing(), Options::default()).await;
        let client = connect(server.port).await;
        for _ in 0..100_000 {
            let request = client.grpc("/shop.Cart/Plain");
            let Ok((response, mut request)) = client.try_open_request(request).await else {
                break;
            };
            request.send_reset(h2::Reason::CANCEL);
            drop(response);
        }
        shows(
            &server.metrics,
            &[r#"failed_connections_total{reason="flooding"} 1"#],
        )
        .await;
    });
}

#[test]
fn requests_that_nobody_takes_are_counted_by_code_and_make_no_series() {
    run(async {
        let server = serve(willing(), Options::default()).await;
        let client = connect(server.port).await;
        client.unary("/shop.Cart/Plain", b"").await;
        let series = |metrics: &Metrics| shown(metrics).lines().count();
        let mut few = None;
        for number in 0..200 {
            client.unary(&format!("/nope{number}/Nope{number}"), b"").await;
            let get = client.request("GET", &format!("/nope/{number}"));
            assert_eq!(client.send(get, &[]).await.status, 404);
            let delete = client.request("DELETE", "/carts/a/items");
            assert_eq!(client.send(delete, &[]).await.status, 405);
            let strange = client
                .request("POST", "/shop.Cart/Plain")
                .header("content-type", format!("application/grpc+strange{number}"));
            assert_eq!(client.send(strange, &[]).await.status, 415);
            few.get_or_insert_with(|| series(&server.metrics));
        }
        assert_eq!(Some(series(&server.metrics)), few);
        let text = shown(&server.metrics);
        // One of gRPC and one of a method that does not fit; the code is the one that the answer has.
        for (code, count) in [
            ("UNIMPLEMENTED", 400),
            ("NOT_FOUND", 200),
            ("INVALID_ARGUMENT", 200),
        ] {
            let line = format!(r#"requests_total{{service="",method="unknown",code="{code}"}} {count}"#);
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    });
}

#[test]
fn preflights_and_probes_are_counted_by_themselves() {
    run(async {
        let options = Options {
            cors: Cors {
                origins: "https://page".parse().unwrap(),
                credentials: false,
            },
            ..Options::default()
        };
        let server = serve(willing(), options).await;
        let client = connect(server.port).await;
        for origin in ["https://page", "https://other"] {
            let asking = client
                .request("OPTIONS", "/shop.Cart/Plain")
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            client.send(asking, &[]).await;
        }
        for probe in ["queue", "other"] {
            let asking = client.request("GET", "/").header("k-network-probe", probe);
            client.send(asking, &[]).await;
        }
        let text = shown(&server.metrics);
        for line in [
            r#"method="preflight",code="OK"} 1"#,
            r#"method="preflight",code="PERMISSION_DENIED"} 1"#,
            r#"method="probe",code="OK"} 1"#,
            r#"method="probe",code="INVALID_ARGUMENT"} 1"#,
            r#"protocol_requests_total{protocol="http"} 4"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    });
}
