//! Actions: commands without state, in four shapes.
//!
//! ```text
//!   messages ─▶ start: service, command, metadata ─▶ handler ─▶ one response | a stream of responses
//! ```
//!
//! ```
//! use cloudstate_sdk::action::{Commands, Context};
//! use cloudstate_sdk::stream::{self, StreamExt};
//! use cloudstate_sdk::{Failure, Reply, Stream};
//! # use cloudstate_sdk::doc_example::{Count, Increase, Number, Pair, counter, sums};
//!
//! struct Sums;
//!
//! impl sums::Action for Sums {
//!     /// One in, one out.
//!     async fn add(&self, pair: Pair, ctx: Context) -> Result<Reply<Count>, Failure> {
//!         let sum = pair.left.checked_add(pair.right).ok_or("the sum is too large")?;
//!         // A side effect runs before the client gets the answer; this one is waited for.
//!         let counted = counter::calls::increase(Increase { counter: "sums".into(), by: 1 });
//!         Ok(Reply::new(Count { value: sum }).with_synchronous_effect(counted))
//!     }
//!
//!     /// Many in, one out.
//!     async fn total(&self, mut numbers: Commands<Number>, _: Context) -> Result<Reply<Count>, Failure> {
//!         let mut total = 0;
//!         while let Some(number) = numbers.next().await {
//!             total += number.value;
//!         }
//!         Ok(Count { value: total }.into())
//!     }
//!
//!     /// One in, many out.
//!     fn upto(&self, number: Number, _: Context) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
//!         stream::iter(1..=number.value).map(|value| Ok(Count { value }.into()))
//!     }
//!
//!     /// Many in, many out, as they come.
//!     fn running(
//!         &self,
//!         numbers: Commands<Number>,
//!         _: Context,
//!     ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
//!         numbers.scan(0, |sum, number| {
//!             *sum += number.value;
//!             std::future::ready(Some(Ok(Count { value: *sum }.into())))
//!         })
//!     }
//!
//!     async fn forget(&self, _: Number, _: Context) -> Result<Reply<()>, Failure> {
//!         Ok(Reply::empty())
//!     }
//! }
//!
//! let action = sums::action(Sums);
//! ```
//!
//! Handlers are asynchronous, since they may call other systems. They share a thread with all else that the function
//! does, so they must not block it.

mod answer;
mod incoming;

pub use answer::{Answer, Replies};
pub use incoming::{Cancelled, Commands, Context, Incoming, Messages};

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use cloudstate_protocol::action::{ActionResponse, action_response::Response};
use futures_util::StreamExt;

use crate::Service;

/// Typed handlers behind one untyped door. Implemented by generated code.
pub trait Handler: Send + Sync + 'static {
    /// Starts a call; nothing runs before the answer is polled, and dropping the answer cancels it.
    fn handle(self: Arc<Self>, call: Incoming) -> Answer;
}

/// An action, ready to be served by a [`UserFunction`](crate::UserFunction).
#[derive(Clone)]
pub struct Registration {
    pub(crate) service: Service,
    handler: Arc<dyn Handler>,
}

impl Registration {
    /// Registers handlers. Generated code calls this.
    pub fn new(service: Service, handler: impl Handler) -> Self {
        Registration {
            service,
            handler: Arc::new(handler),
        }
    }
}

/// Starts the call that the first of the messages names. Waits for that message only.
pub async fn start(services: &HashMap<&'static str, Registration>, mut messages: Messages) -> Answer {
    let first = match messages.next().await {
        Some(Ok(first)) => first,
        Some(Err(Cancelled)) => return Answer::One(Box::pin(ready(None))),
        None => return declined(EMPTY_STREAM),
    };
    match services.get(first.service_name.as_str()) {
        Some(registration) => registration
            .handler
            .clone()
            .handle(Incoming::new(first, messages)),
        None => declined(&format!("Unknown service: {}", first.service_name)),
    }
}

const EMPTY_STREAM: &str = "Cloudstate protocol failure: expected command message with service name and command name, \
                            but got empty stream";

fn declined(description: &str) -> Answer {
    Answer::One(Box::pin(ready(Some(failure(description)))))
}

fn failure(description: &str) -> ActionResponse {
    let failure = cloudstate_protocol::Failure {
        description: description.to_owned(),
        ..Default::default()
    };
    ActionResponse {
        response: Some(Response::Failure(failure)),
        side_effects: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
