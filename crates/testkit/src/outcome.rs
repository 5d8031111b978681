//! What became of one command.

use std::marker::PhantomData;

use cloudstate_protocol::client_action::Action;
use cloudstate_protocol::{Any, ClientAction, Forward, Metadata, SideEffect};
use cloudstate_sdk::Payload;
use prost::Message;

/// The outcome of a command whose reply has type `O`. The accessors that name one kind of outcome panic with a
/// description of the actual one, as assertions do.
#[derive(Debug, Clone)]
pub struct Outcome<O> {
    pub(crate) answer: Answer,
    pub(crate) effects: Vec<SideEffect>,
    pub(crate) events: Vec<Any>,
    pub(crate) snapshot: Option<Any>,
    pub(crate) change: Change,
    pub(crate) restarted: bool,
    pub(crate) reply_type: PhantomData<fn() -> O>,
}

/// What the client, or for a crash the proxy, is told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Client(Option<Action>),
    Crash(String),
}

/// What a command did to a value entity.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    None,
    Update(Any),
    Delete,
}

impl<O: Message + Default> Outcome<O> {
    /// The reply.
    ///
    /// # Panics
    /// If there is none, or it does not decode.
    #[track_caller]
    pub fn reply(&self) -> O {
        let Answer::Client(Some(Action::Reply(reply))) = &self.answer else {
            self.complain("a reply")
        };
        let payload = reply.payload.clone().unwrap_or_default();
        match O::decode(payload.value) {
            Ok(message) => message,
            Err(error) => panic!("the reply of type {} does not decode: {error}", payload.type_url),
        }
    }
}

impl<O> Outcome<O> {
    pub(crate) fn new(action: Option<ClientAction>, effects: Vec<SideEffect>) -> Self {
        Outcome {
            answer: Answer::Client(action.and_then(|action| action.action)),
            effects,
            events: Vec::new(),
            snapshot: None,
            change: Change::None,
            restarted: false,
            reply_type: PhantomData,
        }
    }

    pub(crate) fn crash(description: String) -> Self {
        Outcome {
            answer: Answer::Crash(description),
            restarted: true,
            ..Outcome::new(None, Vec::new())
        }
    }

    #[track_caller]
    fn complain(&self, expected: &str) -> ! {
        panic!("expected {expected}, but the outcome is {:?}", self.answer)
    }

    /// The metadata of the reply.
    ///
    /// # Panics
    /// If there is no reply.
    #[track_caller]
    pub fn metadata(&self) -> Metadata {
        let Answer::Client(Some(Action::Reply(reply))) = &self.answer else {
            self.complain("a reply")
        };
        reply.metadata.clone().unwrap_or_default()
    }

    /// The forward that answers in place of a reply.
    ///
    /// # Panics
    /// If the command was answered otherwise.
    #[track_caller]
    pub fn forward(&self) -> &Forward {
        let Answer::Client(Some(Action::Forward(forward))) = &self.answer else {
            self.complain("a forward")
        };
        forward
    }

    /// The text of the failure that the client sees.
    ///
    /// # Panics
    /// If the command did not fail, or failed unexpectedly ([`crashed`](Self::crashed)).
    #[track_caller]
    pub fn failure(&self) -> &str {
        let Answer::Client(Some(Action::Failure(failure))) = &self.answer else {
            self.complain("a failure")
        };
        &failure.description
    }

    /// The text in the log of an entity that broke: it panicked, or the protocol was violated.
    ///
    /// # Panics
    /// If the entity did not break.
    #[track_caller]
    pub fn crashed(&self) -> &str {
        let Answer::Crash(description) = &self.answer else {
            self.complain("a crash")
        };
        description
    }

    /// Whether there is neither reply nor forward nor failure.
    pub fn is_nothing(&self) -> bool {
        matches!(self.answer, Answer::Client(None))
    }

    /// Whether the entity was loaded afresh after this command.
    pub fn restarted(&self) -> bool {
        self.restarted
    }

    /// The side effects, in order.
    pub fn effects(&self) -> &[SideEffect] {
        &self.effects
    }

    /// The events that were stored, in order.
    ///
    /// # Panics
    /// If one is not an `E`.
    #[track_caller]
    pub fn events<E: Payload>(&self) -> Vec<E> {
        self.events.iter().map(unpack).collect()
    }

    /// The snapshot that was stored.
    ///
    /// # Panics
    /// If it is not an `S`.
    #[track_caller]
    pub fn snapshot<S: Payload>(&self) -> Option<S> {
        self.snapshot.as_ref().map(unpack)
    }

    /// The value that a value entity was set to, if it was.
    ///
    /// # Panics
    /// If it is not an `S`.
    #[track_caller]
    pub fn updated<S: Payload>(&self) -> Option<S> {
        match &self.change {
            Change::Update(value) => Some(unpack(value)),
            Change::None | Change::Delete => None,
        }
    }

    /// Whether a value entity's value was deleted.
    pub fn deleted(&self) -> bool {
        matches!(self.change, Change::Delete)
    }
}

#[track_caller]
pub(crate) fn unpack<P: Payload>(any: &Any) -> P {
    match P::from_any(any) {
        Ok(value) => value,
        Err(error) => panic!("a payload is not what the test expects: {error}"),
    }
}

#[track_caller]
pub(crate) fn pack<P: Payload>(value: &P) -> Any {
    match value.to_any() {
        Ok(any) => any,
        Err(error) => panic!("a payload cannot be stored: {error}"),
    }
}
