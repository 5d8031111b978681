//! Any JSON.

use std::fmt;

use prost::encoding::WireType;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};

use super::Sink;
use super::value::{List, Map};
use crate::types::{Field, Message};

/// Any JSON, as a `google.protobuf.Value`. Its fields are those that its definition has.
pub(super) struct AnyValue<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) message: &'p Message,
}

const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: usize = 4;
const LIST: usize = 5;

impl<'p> AnyValue<'_, 'p> {
    /// Writes the value `null`.
    pub(super) fn null(sink: &mut Sink<'_>) {
        sink.tag(NULL, WireType::Varint);
        sink.out.push(0);
    }

    /// Begins the message in the field of an index, a Struct or ListValue, and returns its only field.
    fn begin<E: Error>(&mut self, index: usize) -> Result<(usize, &'p Field), E> {
        let field = self.message.fields.get(index);
        let inner = field.and_then(|field| Some((field.number, self.sink.message_of(field.kind)?)));
        let Some((number, [only])) = inner.map(|(number, inner)| (number, inner.fields.as_slice())) else {
            return Err(E::custom("google.protobuf.Value is not the one of protobuf"));
        };
        self.sink.descend()?;
        self.sink.tag(number, WireType::LengthDelimited);
        Ok((self.sink.open(), only))
    }
}

impl<'de> Visitor<'de> for AnyValue<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Self::null(self.sink);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.sink.tag(BOOL, WireType::Varint);
        self.sink.out.push(value.into());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.sink.tag(NUMBER, WireType::SixtyFourBit);
        self.sink.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.sink.tag(STRING, WireType::LengthDelimited);
        self.sink.bytes(text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, elements: A) -> Result<(), A::Error> {
        let (start, field) = self.begin(LIST)?;
        let sink = &mut *self.sink;
        List {
            sink,
            field,
            packed: false,
        }
        .visit_seq(elements)?;
        self.sink.close(start);
        self.sink.ascend();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, members: A) -> Result<(), A::Error> {
        let (start, field) = self.begin(STRUCT)?;
        let sink = &mut *self.sink;
        let Some(entry) = sink.message_of(field.kind) else {
            return Err(A::Error::custom(
                "google.protobuf.Struct is not the one of protobuf",
            ));
        };
        Map { sink, field, entry }.visit_map(members)?;
        self.sink.close(start);
        self.sink.ascend();
        Ok(())
    }
}
