//! Streams over HTTP on real sockets: server-sent events, lines of JSON, content in pieces.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod replies;
mod requests;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_gateway::Options;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::http1::{self, Open, Received};
use common::{Script, Server, catalog, reply, run, serve, stream};
use futures_util::{Stream, StreamExt};
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

const EVENTS: (&str, &str) = ("accept", "text/event-stream");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");
/// Long enough for a fault to show; a slow machine only makes a faulty server pass.
const A_WHILE: Duration = Duration::from_millis(300);

fn encode(type_name: &str, value: &Value) -> Bytes {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    DynamicMessage::deserialize(of, value)
        .unwrap()
        .encode_to_vec()
        .into()
}

fn decode(type_name: &str, bytes: Bytes) -> Value {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    serde_json::to_value(DynamicMessage::decode(of, bytes).unwrap()).unwrap()
}

fn text(text: &str) -> Reply {
    reply(encode("shop.Text", &json!({"text": text})))
}

fn named(text_: &str, metadata: &[(&str, &str)]) -> Reply {
    let metadata = metadata.iter().copied().collect();
    Reply {
        metadata,
        ..text(text_)
    }
}

fn gone() -> CallError {
    CallError::Status {
        code: Code::NotFound,
        message: "gone".into(),
    }
}

async fn served(router: Script) -> Server {
    serve(router, Options::default()).await
}

/// Answers each call with these replies.
async fn answering(items: Vec<Result<Reply, CallError>>) -> Server {
    served(Script::new(move |_| {
        let items = items.clone();
        async move { stream(items) }
    }))
    .await
}

/// Answers each call with a stream.
async fn streaming<S>(options: Options, replies: impl Fn() -> S + 'static) -> Server
where
    S: Stream<Item = Result<Reply, CallError>> + 'static,
{
    let router = Script::new(move |_| {
        let replies = replies();
        async move { Ok(Replies::Stream(Box::pin(replies) as _)) }
    });
    serve(router, options).await
}

async fn follow(server: &Server, headers: &[(&str, &str)]) -> Received {
    http1::send(server.port, "GET", "/follow/x", headers, b"").await
}

fn body(answer: &Received) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}
