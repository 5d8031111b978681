//! Transcoding held to its specifications, case by case, on a real socket.
//!
//! Each table names its source: the comments of `google/api/http.proto`, the JSON mapping of protobuf, or the behaviour of the
//! reference, by the numbers of its chapters (11.1 to 11.5).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod arbitrary;
#[path = "../common/mod.rs"]
mod common;
mod endpoints;
mod fields;
mod illegal;
mod json;
mod paths;
mod public;
mod replies;
mod requests;
mod statuses;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_catalog::Catalog;
use cloudstate_gateway::{Front, Options, Routes};
use cloudstate_runtime::{Call, CallError, Input, Replies};
use common::raw::{Answer, Client, connect};
use common::{Script, actions, one, run, serve_front};
use futures_util::StreamExt;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::Value;

/// A served declaration, and what its function is called with.
struct Api {
    catalog: Arc<Catalog>,
    client: Client,
    calls: Rc<RefCell<Vec<String>>>,
}

impl Api {
    /// Serves what is declared, with empty replies.
    async fn of(proto: &str) -> Self {
        Api::answering(proto, |_| one("")).await
    }

    /// Serves what is declared. The function is told which method is called.
    async fn answering(proto: &str, answer: impl Fn(&str) -> Result<Replies, CallError> + 'static) -> Self {
        let catalog = actions(proto).unwrap_or_else(|error| panic!("{error}: {proto}"));
        let calls = Rc::new(RefCell::new(Vec::new()));
        let (seen, answer) = (calls.clone(), Rc::new(answer));
        let router = Script::new(move |call: Call| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let request = match call.input {
                    Input::One(request) => request,
                    Input::Stream(requests) => requests.collect::<Vec<_>>().await.remove(0)?,
                };
                let request = DynamicMessage::decode(call.method.input(), request).unwrap();
                let request = serde_json::to_value(request).unwrap();
                let name = &call.method.name;
                seen.borrow_mut().push(format!("{name} {request}"));
                answer(name)
            }
        });
        let front = Front::serving(Arc::new(Routes::new(catalog.clone())));
        let server = serve_front(router, Options::default(), front).await;
        let client = connect(server.port).await;
        Api {
            catalog,
            client,
            calls,
        }
    }

    /// Encodes a message of the declaration.
    fn encode(&self, type_name: &str, json: &str) -> Bytes {
        let of = self.catalog.pool().get_message_by_name(type_name).unwrap();
        let mut reader = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(of, &mut reader).unwrap();
        message.encode_to_vec().into()
    }

    /// Sends `VERB /path`, with a body as JSON unless it is empty.
    async fn send(&self, request: &str, body: &str) -> Answer {
        let (verb, path) = request.split_once(' ').unwrap();
        let mut head = self.client.request(verb, path);
        let mut pieces = Vec::new();
        if !body.is_empty() {
            head = head.header("content-type", "application/json");
            pieces.push(Bytes::copy_from_slice(body.as_bytes()));
        }
        self.client.send(head, &pieces).await
    }

    /// What came of a request: the call, as `Method {"its":"request"}`, or the status with the message of the error.
    async fn outcome(&self, request: &str, body: &str) -> Outcome {
        let answer = self.send(request, body).await;
        match self.calls.borrow_mut().pop() {
            Some(call) => {
                assert_eq!(answer.status, 200, "{request} {body}: {answer:?}");
                let (method, request) = call.split_once(' ').unwrap();
                Outcome::Called(method.to_owned(), serde_json::from_str(request).unwrap())
            }
            None => Outcome::Refused(answer.status.as_u16(), message(&answer)),
        }
    }

    /// Checks one case: `expected` is as [`Api::outcome`] says, of an error the status and a part of the message.
    #[track_caller]
    fn check<'a>(&'a self, case: Case<'a>) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let (request, body, expected) = case;
            let outcome = self.outcome(request, body).await;
            let (start, rest) = expected.split_once(' ').unwrap_or((expected, ""));
            let fits = match (&outcome, start.parse::<u16>()) {
                (Outcome::Refused(status, text), Ok(expected)) => *status == expected && text.contains(rest),
                (Outcome::Called(method, request), Err(_)) => {
                    let expected: Value = serde_json::from_str(rest).unwrap();
                    method == start && *request == expected
                }
                _ => false,
            };
            assert!(
                fits,
                "{place}: {request} {body}\nexpected {expected}\nbut got {outcome:?}"
            );
        }
    }
}

/// A request, its body, and what comes of it.
type Case<'a> = (&'a str, &'a str, &'a str);

#[derive(Debug)]
enum Outcome {
    Called(String, Value),
    Refused(u16, String),
}

/// The message of an error, which is a `google.rpc.Status` in JSON.
fn message(answer: &Answer) -> String {
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    let status: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(
        status["code"].is_number() && status["details"].is_array(),
        "{status}"
    );
    status["message"].as_str().unwrap().to_owned()
}

/// Serves a declaration and checks the cases.
#[track_caller]
fn check(proto: &str, cases: &[Case<'_>]) {
    run(async {
        let api = Api::of(proto).await;
        for case in cases {
            api.check(*case).await;
        }
    });
}
