//! `google.protobuf.Any`: a message of the type that its member `@type` names.

use std::fmt;

use prost::encoding::WireType;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{MessageSeed, Object};
use super::{Sink, reason};
use crate::reflect;
use crate::types::{Message, Shape};

const TYPE_URL: u32 = 1;
const VALUE: u32 = 2;

/// Reads an `Any` and writes its fields. Without members it is empty.
pub(super) struct AnyMessage<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
}

impl<'de> Visitor<'de> for AnyMessage<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a member @type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut after: A) -> Result<(), A::Error> {
        let sink = self.sink;
        // The type mostly comes first. What comes before it waits until it is known.
        let mut before = Vec::new();
        let type_url = loop {
            match after.next_key::<String>()? {
                Some(name) if name == "@type" => break after.next_value::<String>()?,
                Some(name) => before.push((name, after.next_value::<Box<RawValue>>()?)),
                None if before.is_empty() => return Ok(()),
                None => {
                    return Err(A::Error::custom(
                        "a member @type must name the type of the message",
                    ));
                }
            }
        };
        let index = sink.types.by_url(&type_url).map_err(A::Error::custom)?;
        let message = &sink.types.messages[index];
        sink.tag(TYPE_URL, WireType::LengthDelimited);
        sink.bytes(type_url.as_bytes());
        sink.tag(VALUE, WireType::LengthDelimited);
        let start = sink.open();
        let members = Members {
            before: before.into_iter(),
            waiting: None,
            after,
        };
        content(sink, message, members)?;
        sink.close(start);
        Ok(())
    }
}

fn content<'de, 'p, A: MapAccess<'de>>(
    sink: &mut Sink<'p>,
    message: &'p Message,
    members: Members<A>,
) -> Result<(), A::Error> {
    if message.is_value_in_any() {
        return value(sink, message, members);
    }
    sink.descend()?;
    match message.shape {
        Shape::Reflected => {
            let members = MapAccessDeserializer::new(members);
            reflect::to_wire(&message.descriptor, members, &mut sink.out)?;
        }
        _ => Object { sink, message }.visit_map(members)?,
    }
    sink.ascend();
    Ok(())
}

/// Reads a message that is no object from the member `value`.
fn value<'de, 'p, A: MapAccess<'de>>(
    sink: &mut Sink<'p>,
    message: &'p Message,
    mut members: Members<A>,
) -> Result<(), A::Error> {
    let name = message.descriptor.full_name();
    let mut is_there = false;
    while let Some(member) = members.next_key::<String>()? {
        if member != "value" || is_there {
            return Err(A::Error::custom(format_args!(
                "beside @type {name} has one member, value"
            )));
        }
        members.next_value_seed(MessageSeed { sink, message })?;
        is_there = true;
    }
    if is_there || message.is_empty_type() {
        return Ok(());
    }
    Err(A::Error::custom(format_args!(
        "the member value is missing, the {name}"
    )))
}

/// Members that were kept, and after them those that are still to be read.
struct Members<A> {
    before: std::vec::IntoIter<(String, Box<RawValue>)>,
    /// The value of the name that was given last, if it was kept.
    waiting: Option<(String, Box<RawValue>)>,
    after: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.waiting = self.before.next();
        match &self.waiting {
            Some((name, _)) => seed.deserialize(name.as_str().into_deserializer()).map(Some),
            None => self.after.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let Some((name, text)) = self.waiting.take() else {
            return self.after.next_value_seed(seed);
        };
        // It outlives nothing that is read from it: no visitor here borrows.
        let mut reader = serde_json::Deserializer::from_reader(text.get().as_bytes());
        seed.deserialize(&mut reader)
            .map_err(|error| A::Error::custom(format_args!("in the member [{name}]: {}", reason(&error))))
    }
}
