//! Messages and their fields.

use std::fmt;

use prost::Message as _;
use prost::encoding::WireType;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::Sink;
use super::any::AnyMessage;
use super::any_value::AnyValue;
use super::value::FieldValue;
use crate::types::{Field, Kind, Layout, Message, Shape};
use crate::{reflect, well_known};

/// Reads a message and writes its fields.
pub(super) struct MessageSeed<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) message: &'p Message,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let MessageSeed { sink, message } = self;
        sink.descend()?;
        match message.shape {
            Shape::Object | Shape::Entry => reader.deserialize_map(Object { sink, message })?,
            Shape::Field(shown) => {
                let field = &message.fields[shown];
                FieldValue { sink, field }.deserialize(reader)?;
            }
            Shape::Value => reader.deserialize_any(AnyValue { sink, message })?,
            Shape::Timestamp | Shape::Duration | Shape::FieldMask => {
                let shape = message.shape;
                reader.deserialize_str(Text { sink, shape })?;
            }
            Shape::Any => reader.deserialize_map(AnyMessage { sink })?,
            Shape::Reflected => reflect::to_wire(&message.descriptor, reader, &mut sink.out)?,
        }
        sink.ascend();
        Ok(())
    }
}

/// Messages that are objects.
pub(super) struct Object<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) message: &'p Message,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object for {}", self.message.descriptor.full_name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Object { sink, message } = self;
        let seen = sink.seen.len();
        let oneofs = seen + message.fields.len();
        sink.seen.resize(oneofs + message.oneofs.len(), false);
        let mut guess = 0;
        while let Some(index) = members.next_key_seed(Name { message, guess })? {
            let field = &message.fields[index];
            if std::mem::replace(&mut sink.seen[seen + index], true) {
                return Err(A::Error::custom("the field is given twice"));
            }
            let member = Member {
                sink,
                field,
                oneof: field.oneof.map(|oneof| (oneofs + oneof, &*message.oneofs[oneof])),
            };
            members.next_value_seed(member)?;
            guess = index + 1;
        }
        sink.seen.truncate(seen);
        Ok(())
    }
}

/// The name of a member, to the index of its field.
struct Name<'p> {
    message: &'p Message,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<usize, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let of = self.message.descriptor.full_name();
        self.message
            .by_name(name, self.guess)
            .ok_or_else(|| E::custom(format_args!("{of} has no field of this name")))
    }
}

/// A member of an object, which is absent if it is `null`.
struct Member<'a, 'p> {
    sink: &'a mut Sink<'p>,
    field: &'p Field,
    /// Where it is noted whether its oneof is set, and the oneof's name.
    oneof: Option<(usize, &'p str)>,
}

impl Member<'_, '_> {
    fn claim_oneof<E: Error>(&mut self) -> Result<(), E> {
        let Some((place, name)) = self.oneof else {
            return Ok(());
        };
        if std::mem::replace(&mut self.sink.seen[place], true) {
            return Err(E::custom(format_args!(
                "another field of the oneof [{name}] is given"
            )));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Member<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Member<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_some<D: Deserializer<'de>>(mut self, reader: D) -> Result<(), D::Error> {
        self.claim_oneof()?;
        let Member { sink, field, .. } = self;
        FieldValue { sink, field }.deserialize(reader)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    /// Two types have `null` as a value.
    fn visit_none<E: Error>(mut self) -> Result<(), E> {
        let types = self.sink.types;
        match (self.field.layout, self.field.kind) {
            (Layout::Singular, Kind::Enum(index)) if types.enums[index].is_null => {
                self.claim_oneof()?;
                if self.field.presence {
                    self.sink.tag(self.field.number, WireType::Varint);
                    self.sink.out.push(0);
                }
            }
            (Layout::Singular, Kind::Message(index)) if types.messages[index].shape == Shape::Value => {
                self.claim_oneof()?;
                self.sink.tag(self.field.number, WireType::LengthDelimited);
                let start = self.sink.open();
                AnyValue::null(self.sink);
                self.sink.close(start);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Messages that are text.
struct Text<'a, 'p> {
    sink: &'a mut Sink<'p>,
    shape: Shape,
}

impl Visitor<'_> for Text<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.shape {
            Shape::Timestamp => "a time as text",
            Shape::Duration => "a time span as text",
            _ => "a field mask as text",
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let out = &mut self.sink.out;
        match self.shape {
            Shape::Timestamp => well_known::timestamp(text).map(|message| message.encode_raw(out)),
            Shape::Duration => well_known::duration(text).map(|message| message.encode_raw(out)),
            _ => well_known::field_mask(text).map(|message| message.encode_raw(out)),
        }
        .map_err(E::custom)
    }
}
