//! Clients that mean harm, on real sockets: each is stopped at a limit, and others are served meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod http1;
mod http2;
mod slow;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use cloudstate_gateway::Options;
use cloudstate_runtime::{Call, Input};
use common::raw::connect;
use common::{Script, Server, one, serve};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Long enough for a server that reads to have read something.
const A_WHILE: Duration = Duration::from_millis(500);

/// Answers with the request, and counts the calls.
fn counting() -> (Script, Rc<Cell<usize>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let router = Script::new(move |call: Call| {
        counted.set(counted.get() + 1);
        async move {
            match call.input {
                Input::One(request) => one(request),
                Input::Stream(_) => unreachable!("the methods that are called are unary"),
            }
        }
    });
    (router, calls)
}

async fn serve_counting(options: Options) -> (Server, Rc<Cell<usize>>) {
    let (router, calls) = counting();
    (serve(router, options).await, calls)
}

fn shown(server: &Server) -> String {
    let mut registry = Registry::default();
    server.metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

/// Another client gets its answer.
async fn assert_serves(server: &Server) {
    let client = connect(server.port).await;
    assert_eq!(client.unary("/shop.Cart/Plain", b"").await.code(), "0");
}

/// Writes over and over until nothing more is taken, or the other side closes. Returns how many bytes went.
async fn fill(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8], limit: usize) -> usize {
    let mut written = 0;
    while written < limit {
        match tokio::time::timeout(A_WHILE, io.write(bytes)).await {
            Ok(Ok(count)) => written += count,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    written
}
