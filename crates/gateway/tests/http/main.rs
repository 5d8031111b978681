//! HTTP/JSON as clients see it, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod arbitrary;
#[path = "../common/mod.rs"]
mod common;
mod errors;
mod json;
mod query;
mod reply;
mod request;
mod server;
mod stream;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_gateway::{Front, Options};
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply};
use common::raw::{Answer, Client, connect};
use common::{Script, catalog, one, reply, run, serve, stream};
use futures_util::StreamExt;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Encodes JSON as a message of the test's function.
fn encode(type_name: &str, value: &Value) -> Bytes {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    DynamicMessage::deserialize(of, value)
        .unwrap()
        .encode_to_vec()
        .into()
}

/// Decodes a message of the test's function into JSON without default values.
fn decode(type_name: &str, bytes: &Bytes) -> Value {
    let of = catalog().pool().get_message_by_name(type_name).unwrap();
    serde_json::to_value(DynamicMessage::decode(of, bytes.clone()).unwrap()).unwrap()
}

/// Serves what a test answers to the request message as JSON.
async fn serving(answer: impl Fn(&str, Value) -> Result<Replies, CallError> + 'static) -> Client {
    let answer = Rc::new(answer);
    let router = Script::new(move |call: Call| {
        let answer = answer.clone();
        async move {
            let request = match call.input {
                Input::One(request) => request,
                Input::Stream(requests) => requests.collect::<Vec<_>>().await.remove(0)?,
            };
            answer(
                &call.method.name,
                decode(call.method.input().full_name(), &request),
            )
        }
    });
    connect(serve(router, Options::default()).await.port).await
}

/// A server that must refuse before it calls.
async fn refusing() -> Client {
    serving(|_, request| panic!("called with {request}")).await
}

async fn send(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let request = client
        .request(method, path)
        .header("content-type", "application/json");
    client
        .send(request, &[Bytes::copy_from_slice(body.as_bytes())])
        .await
}

async fn get(client: &Client, path: &str) -> Answer {
    client.send(client.request("GET", path), &[]).await
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// The message of a `google.rpc.Status`, after checking status and code.
fn error(answer: &Answer, status: u16, code: Code) -> String {
    let body = json_of(answer);
    assert_eq!(
        (answer.status.as_u16(), &body["code"]),
        (status, &json!(code as i32)),
        "{answer:?}"
    );
    body["message"].as_str().unwrap().to_owned()
}
