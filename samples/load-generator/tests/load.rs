//! Runs the program against a small gRPC server that counts.
#![allow(
    clippy::unwrap_used,
    reason = "a test shows what it did not expect by failing"
)]

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};

/// Answers reads, and declines writes in a trailers-only response.
#[derive(Default)]
struct Service {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Service {
    /// Serves on a free port, on a thread of its own, until the process ends.
    fn start() -> (Arc<Self>, SocketAddr) {
        let service = Arc::new(Service::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = service.clone();
        std::thread::spawn(move || {
            listener.set_nonblocking(true).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(server.clone().serve(socket));
                }
            });
        });
        (service, address)
    }

    async fn serve(self: Arc<Self>, socket: tokio::net::TcpStream) {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            self.answer(&request, respond);
        }
    }

    fn answer(&self, request: &Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
        if request.uri().path() == "/com.example.shoppingcart.ShoppingCart/GetCart" {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
            body.send_trailers(headers("0")).unwrap();
        } else {
            self.writes.fetch_add(1, Ordering::Relaxed);
            let mut response = Response::new(());
            *response.headers_mut() = headers("2");
            respond.send_response(response, true).unwrap();
        }
    }
}

fn headers(status: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers.insert("grpc-message", HeaderValue::from_static("declined"));
    headers
}

fn generate(address: SocketAddr, arguments: &[&str]) -> (Output, serde_json::Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_load-generator"))
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &address.port().to_string(),
            "--duration-s",
            "0.5",
        ])
        .args(arguments)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("no report, but {}", String::from_utf8_lossy(&output.stderr));
    });
    (output, report)
}

#[test]
fn an_open_loop_keeps_the_rate_and_tells_failures_by_status() {
    let (service, address) = Service::start();
    let (output, report) = generate(
        address,
        &[
            "--rate",
            "2000",
            "--ramp-up-s",
            "0",
            "--read-ratio",
            "0.5",
            "--fail-on-error",
        ],
    );
    assert_eq!(output.status.code(), Some(1), "failures with --fail-on-error");
    let (successes, failures) = (
        report["successes"].as_u64().unwrap(),
        report["failures"].as_u64().unwrap(),
    );
    let requests = successes + failures + report["not_sent"].as_u64().unwrap();
    assert!(
        (900..=1100).contains(&requests),
        "{requests} requests in half a second at 2000 a second"
    );
    // One read asks whether the service is there.
    assert_eq!(service.reads.load(Ordering::Relaxed), successes + 1);
    assert_eq!(service.writes.load(Ordering::Relaxed), failures);
    assert_eq!(
        report["failures_by_status"]["UNKNOWN"]["count"].as_u64(),
        Some(failures)
    );
    assert_eq!(report["failures_by_status"]["UNKNOWN"]["example"], "declined");
    assert_eq!(report["latency_us"]["reads"]["count"].as_u64(), Some(successes));
    assert_eq!(
        report["latency_us"]["writes"]["count"].as_u64(),
        Some(0),
        "failures have no latency"
    );
}

#[test]
fn a_closed_loop_counts_every_request() {
    let (service, address) = Service::start();
    let arguments = [
        "--in-flight",
        "7",
        "--read-ratio",
        "1",
        "--clients",
        "3",
        "--threads",
        "2",
        "--fail-on-error",
    ];
    let (output, report) = generate(address, &arguments);
    assert!(output.status.success());
    let successes = report["successes"].as_u64().unwrap();
    assert!(successes > 0);
    assert_eq!(service.reads.load(Ordering::Relaxed), successes + 1);
    assert_eq!(report["failures"], 0);
    let latency = &report["latency_us"]["all"];
    assert!(latency["p50"].as_f64() <= latency["p99"].as_f64(), "{latency}");
}
