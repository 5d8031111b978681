//! Messages of the proxy, decoded without copying what a handler may never look at.
//!
//! On the wire, text, bytes and nested messages look the same. These types have the field numbers of the protocol's
//! own, but keep ids and names as slices of the received buffer and leave metadata encoded: a command then costs no
//! allocation before its handler runs. The protocol's types are the measure in the tests.

use std::cell::OnceCell;

use bytes::Bytes;
use cloudstate_protocol::Metadata;
use cloudstate_protocol::eventsourced::{EventSourcedEvent, EventSourcedInit};
use cloudstate_protocol::valueentity::ValueEntityInit;
use prost::{Message, Oneof};

/// `cloudstate.eventsourced.EventSourcedStreamIn`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EventSourcedIn {
    #[prost(oneof = "EventSourcedMessage", tags = "1, 2, 3")]
    pub(crate) message: Option<EventSourcedMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum EventSourcedMessage {
    #[prost(message, tag = "1")]
    Init(EventSourcedInit),
    #[prost(message, tag = "2")]
    Event(EventSourcedEvent),
    #[prost(message, tag = "3")]
    Command(Command),
}

/// `cloudstate.valueentity.ValueEntityStreamIn`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueEntityIn {
    #[prost(oneof = "ValueEntityMessage", tags = "1, 2")]
    pub(crate) message: Option<ValueEntityMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ValueEntityMessage {
    #[prost(message, tag = "1")]
    Init(ValueEntityInit),
    #[prost(message, tag = "2")]
    Command(Command),
}

/// `cloudstate.Command`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) entity_id: Bytes,
    #[prost(int64, tag = "2")]
    pub(crate) id: i64,
    #[prost(bytes = "bytes", tag = "3")]
    name: Bytes,
    #[prost(message, optional, tag = "4")]
    pub(crate) payload: Option<Payload>,
    #[prost(bytes = "bytes", tag = "6")]
    pub(crate) metadata: Bytes,
}

impl Command {
    /// The method's name; empty, which no method is called, if it is not UTF-8.
    pub(crate) fn name(&self) -> &str {
        std::str::from_utf8(&self.name).unwrap_or_default()
    }
}

/// A `google.protobuf.Any` of which only the value matters: the method says how to decode it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// Metadata that is decoded when somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct LazyMetadata {
    encoded: Bytes,
    decoded: OnceCell<Box<Metadata>>,
}

impl LazyMetadata {
    pub(crate) fn new(encoded: Bytes) -> Self {
        LazyMetadata {
            encoded,
            decoded: OnceCell::new(),
        }
    }

    pub(crate) fn get(&self) -> &Metadata {
        self.decoded.get_or_init(|| {
            Box::new(Metadata::decode(self.encoded.clone()).unwrap_or_else(|error| {
                tracing::error!("the proxy sent malformed metadata, which is taken as empty: {error}");
                Metadata::default()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
