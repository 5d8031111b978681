//! References to commands of services of this function.

use std::borrow::Cow;
use std::marker::PhantomData;

use cloudstate_protocol::{Any, Forward, Metadata, SideEffect};
use prost::Message;

/// A command for one of this function's services, whose reply has type `O`. The proxy runs it: as a forward
/// ([`Reply::forward`](crate::Reply::forward)) or as a side effect ([`Reply::with_effect`](crate::Reply::with_effect)).
///
/// Generated code has a constructor for every method, in the module `calls` of the service.
#[derive(Debug, Clone)]
pub struct Call<O> {
    service: Cow<'static, str>,
    command: Cow<'static, str>,
    payload: Any,
    metadata: Metadata,
    reply: PhantomData<fn() -> O>,
}

impl<O> Call<O> {
    /// A command of a service known at compile time; `type_url` is that of the message.
    pub fn new(
        service: &'static str,
        command: &'static str,
        type_url: &'static str,
        message: &impl Message,
    ) -> Self {
        let payload = Any {
            type_url: type_url.to_owned(),
            value: message.encode_to_vec().into(),
        };
        Call {
            service: service.into(),
            command: command.into(),
            ..Call::named("", "", payload)
        }
    }

    /// A command of a service known at run time. Whether it exists, and replies with an `O`, is not checked here: the
    /// proxy reports an unknown one.
    pub fn named(service: impl Into<String>, command: impl Into<String>, payload: Any) -> Self {
        let (service, command) = (Cow::Owned(service.into()), Cow::Owned(command.into()));
        Call {
            service,
            command,
            payload,
            metadata: Metadata::default(),
            reply: PhantomData,
        }
    }

    /// Sends metadata with the command.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Full name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Simple name of the method.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The encoded message.
    pub fn payload(&self) -> &Any {
        &self.payload
    }

    /// The metadata that goes with the command.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn into_forward(self) -> Forward {
        Forward {
            service_name: self.service.into_owned(),
            command_name: self.command.into_owned(),
            payload: Some(self.payload),
            metadata: present(self.metadata),
        }
    }

    pub(crate) fn into_effect(self, synchronous: bool) -> SideEffect {
        SideEffect {
            service_name: self.service.into_owned(),
            command_name: self.command.into_owned(),
            payload: Some(self.payload),
            synchronous,
            metadata: present(self.metadata),
        }
    }
}

/// Empty metadata is left out of messages.
pub(crate) fn present(metadata: Metadata) -> Option<Metadata> {
    (!metadata.is_empty()).then_some(metadata)
}
