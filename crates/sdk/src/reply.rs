//! What a command handler returns.

use cloudstate_protocol::{Forward, Metadata, SideEffect};

use crate::Call;

/// A successful answer to a command: a message, or a forward to a command that answers in its place, with metadata for
/// the client and side effects. The proxy makes the command's state change durable first, then runs the effects in
/// order, then answers the client.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    pub(crate) content: Content<T>,
    pub(crate) metadata: Metadata,
    pub(crate) effects: Vec<SideEffect>,
}

#[derive(Debug, Clone)]
pub(crate) enum Content<T> {
    Message(T),
    Forward(Forward),
    Nothing,
}

impl<T> Reply<T> {
    /// Answers with a message.
    pub fn new(message: T) -> Self {
        Self::of(Content::Message(message))
    }

    /// Lets another command answer. It must reply with the same type, which the compiler checks.
    pub fn forward(call: Call<T>) -> Self {
        Self::of(Content::Forward(call.into_forward()))
    }

    /// Answers with no message at all. Only actions may: for example in a stream, where an input only has side effects.
    /// For entities this is an error.
    pub fn nothing() -> Self {
        Self::of(Content::Nothing)
    }

    fn of(content: Content<T>) -> Self {
        Reply {
            content,
            metadata: Metadata::default(),
            effects: Vec::new(),
        }
    }

    /// Sends metadata with the message; it becomes headers for the client. A forward has metadata of its own
    /// ([`Call::with_metadata`]).
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Adds a side effect: a command that runs once this one is durable. The client's answer does not wait for it.
    #[must_use]
    pub fn with_effect<E>(mut self, call: Call<E>) -> Self {
        self.effects.push(call.into_effect(false));
        self
    }

    /// Adds a side effect that the client's answer waits for. Its failure does not fail this command.
    #[must_use]
    pub fn with_synchronous_effect<E>(mut self, call: Call<E>) -> Self {
        self.effects.push(call.into_effect(true));
        self
    }
}

impl Reply<()> {
    /// Answers with `google.protobuf.Empty`.
    pub fn empty() -> Self {
        Self::new(())
    }
}

impl<T> From<T> for Reply<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// Declines a command. The client gets the text; the state stays as it was before the command.
///
/// For problems that are not the caller's, panic: the text then goes to the log only, and the entity is loaded afresh.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub(crate) description: String,
    pub(crate) effects: Vec<SideEffect>,
}

impl Failure {
    /// Declines with a text for the client.
    pub fn new(description: impl Into<String>) -> Self {
        Failure {
            description: description.into(),
            effects: Vec::new(),
        }
    }

    /// The text for the client.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Adds a side effect. Only actions keep it: a declined command of an entity has no consequences.
    #[must_use]
    pub fn with_effect<E>(mut self, call: Call<E>) -> Self {
        self.effects.push(call.into_effect(false));
        self
    }

    /// Adds a side effect that the client's answer waits for. Only actions keep it.
    #[must_use]
    pub fn with_synchronous_effect<E>(mut self, call: Call<E>) -> Self {
        self.effects.push(call.into_effect(true));
        self
    }
}

impl From<String> for Failure {
    fn from(description: String) -> Self {
        Failure::new(description)
    }
}

impl From<&str> for Failure {
    fn from(description: &str) -> Self {
        Failure::new(description)
    }
}
