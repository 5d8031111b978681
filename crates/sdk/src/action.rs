//! Actions: commands without state, in four shapes.
//!
//! ```text
//!   messages ─▶ start: service, command, metadata ─▶ handler ─▶ one response | a stream of responses
//! ```

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
