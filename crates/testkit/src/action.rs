//! Calls of one action.

use std::collections::HashMap;
use std::sync::Arc;

use cloudstate_protocol::ClientAction;
use cloudstate_protocol::action::{ActionCommand, ActionResponse, action_response::Response};
use cloudstate_protocol::client_action::Action;
use cloudstate_sdk::action::{Answer, Registration, start};
use cloudstate_sdk::{Call, UserFunction, stream};
use futures_util::StreamExt;

use crate::Outcome;

/// An action under test.
pub struct ActionTest {
    services: Arc<HashMap<&'static str, Registration>>,
}

impl ActionTest {
    /// An action to call.
    ///
    /// # Panics
    /// If the registration cannot be served.
    #[track_caller]
    pub fn new(registration: Registration) -> Self {
        match UserFunction::new("test", "0").with(registration).declare() {
            Ok(declaration) => ActionTest {
                services: declaration.action,
            },
            Err(error) => panic!("cannot test this action: {error}"),
        }
    }

    /// Calls a method with one message and returns the one outcome.
    ///
    /// # Panics
    /// If the method sends another number of responses.
    pub async fn call<O>(&self, call: Call<O>) -> Outcome<O> {
        only(self.call_streamed_out(call).await)
    }

    /// Calls a method with one message and returns all that it streams.
    pub async fn call_streamed_out<O>(&self, call: Call<O>) -> Vec<Outcome<O>> {
        let payload = Some(call.payload().clone());
        let command = ActionCommand {
            payload,
            ..opening(&call)
        };
        self.run(vec![command]).await
    }

    /// Streams messages to a method and returns the one outcome. Service, method and metadata of the call are those of
    /// the first, which is sent as well.
    ///
    /// # Panics
    /// If the method sends another number of responses.
    pub async fn call_streamed_in<O>(
        &self,
        first: Call<O>,
        more: impl IntoIterator<Item = Call<O>>,
    ) -> Outcome<O> {
        only(self.call_streamed(first, more).await)
    }

    /// Streams messages to a method and returns all that it streams; otherwise like
    /// [`call_streamed_in`](Self::call_streamed_in).
    pub async fn call_streamed<O>(
        &self,
        first: Call<O>,
        more: impl IntoIterator<Item = Call<O>>,
    ) -> Vec<Outcome<O>> {
        let mut commands = vec![opening(&first)];
        commands.extend(std::iter::once(first).chain(more).map(|call| ActionCommand {
            payload: Some(call.payload().clone()),
            ..ActionCommand::default()
        }));
        self.run(commands).await
    }

    async fn run<O>(&self, commands: Vec<ActionCommand>) -> Vec<Outcome<O>> {
        let messages = Box::pin(stream::iter(commands.into_iter().map(Ok)));
        match start(&self.services, messages).await {
            Answer::One(response) => response.await.into_iter().map(outcome).collect(),
            Answer::Many(responses) => responses.map(outcome).collect().await,
        }
    }
}

fn opening<O>(call: &Call<O>) -> ActionCommand {
    ActionCommand {
        service_name: call.service().to_owned(),
        name: call.command().to_owned(),
        payload: None,
        metadata: Some(call.metadata().clone()),
    }
}

fn only<O>(mut outcomes: Vec<Outcome<O>>) -> Outcome<O> {
    match (outcomes.pop(), outcomes.len()) {
        (Some(outcome), 0) => outcome,
        (last, before) => panic!(
            "expected one response, but got {}",
            before + usize::from(last.is_some())
        ),
    }
}

fn outcome<O>(response: ActionResponse) -> Outcome<O> {
    let action = response.response.map(|response| match response {
        Response::Reply(reply) => Action::Reply(reply),
        Response::Forward(forward) => Action::Forward(forward),
        Response::Failure(failure) => Action::Failure(failure),
    });
    Outcome::new(
        action.map(|action| ClientAction { action: Some(action) }),
        response.side_effects,
    )
}
