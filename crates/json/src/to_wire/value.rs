//! What a field holds: one value, a list or a map.

use std::fmt;

use prost::encoding::WireType;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Sink;
use super::message::MessageSeed;
use super::scalar::Scalar;
use crate::types::{Field, Kind, Layout, Message};

/// Reads the value of a field and writes its records. `null` is no such value.
pub(super) struct FieldValue<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) field: &'p Field,
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let FieldValue { sink, field } = self;
        match (field.layout, field.kind) {
            (Layout::Map, Kind::Message(entry)) => {
                let entry = &sink.types.messages[entry];
                reader.deserialize_map(Map { sink, field, entry })
            }
            (Layout::List { packed }, _) => reader.deserialize_seq(List { sink, field, packed }),
            _ => single(sink, field, !field.presence, reader),
        }
    }
}

/// Reads a single value and writes it with its tag; not, if `skip_default` is set and it is the default value.
fn single<'de, D: Deserializer<'de>>(
    sink: &mut Sink<'_>,
    field: &Field,
    skip_default: bool,
    reader: D,
) -> Result<(), D::Error> {
    let Kind::Message(index) = field.kind else {
        return reader.deserialize_any(Scalar {
            sink,
            kind: field.kind,
            tag: Some(field.number),
            skip_default,
        });
    };
    let message = &sink.types.messages[index];
    if field.group {
        sink.tag(field.number, WireType::StartGroup);
        MessageSeed { sink, message }.deserialize(reader)?;
        sink.tag(field.number, WireType::EndGroup);
    } else {
        sink.tag(field.number, WireType::LengthDelimited);
        let start = sink.open();
        MessageSeed { sink, message }.deserialize(reader)?;
        sink.close(start);
    }
    Ok(())
}

pub(super) struct List<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) field: &'p Field,
    pub(super) packed: bool,
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let List { sink, field, packed } = self;
        if !packed {
            while elements.next_element_seed(Element { sink, field })?.is_some() {}
            return Ok(());
        }
        let before = sink.out.len();
        sink.tag(field.number, WireType::LengthDelimited);
        let start = sink.open();
        while elements
            .next_element_seed(Packed {
                sink,
                kind: field.kind,
            })?
            .is_some()
        {}
        if sink.out.len() == start {
            sink.out.truncate(before);
        } else {
            sink.close(start);
        }
        Ok(())
    }
}

/// An element with a record of its own.
struct Element<'a, 'p> {
    sink: &'a mut Sink<'p>,
    field: &'p Field,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        single(self.sink, self.field, false, reader)
    }
}

/// An element that shares its record with others.
struct Packed<'a, 'p> {
    sink: &'a mut Sink<'p>,
    kind: Kind,
}

impl<'de> DeserializeSeed<'de> for Packed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(Scalar {
            sink: self.sink,
            kind: self.kind,
            tag: None,
            skip_default: false,
        })
    }
}

pub(super) struct Map<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) field: &'p Field,
    pub(super) entry: &'p Message,
}

impl<'de> Visitor<'de> for Map<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object for a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Map { sink, field, entry } = self;
        let [key, value] = entry.fields.as_slice() else {
            return Err(A::Error::custom("a map entry has a key and a value"));
        };
        let keys = sink.keys.len();
        sink.descend()?;
        while let Some(start) = members.next_key_seed(Key {
            sink,
            number: field.number,
            key,
        })? {
            let end = sink.out.len();
            members.next_value_seed(Element { sink, field: value })?;
            let moved = sink.close(start);
            sink.keys.push((start + moved, end + moved));
        }
        sink.ascend();
        refuse_repeats(&mut sink.keys[keys..], &sink.out)?;
        sink.keys.truncate(keys);
        Ok(())
    }
}

/// On the wire the last of equal keys wins; in a text they are a mistake.
fn refuse_repeats<E: Error>(keys: &mut [(usize, usize)], out: &[u8]) -> Result<(), E> {
    let of = |&(start, end): &(usize, usize)| &out[start..end];
    if keys.len() > 1 {
        keys.sort_unstable_by(|one, other| of(one).cmp(of(other)));
    }
    if keys.windows(2).any(|pair| of(&pair[0]) == of(&pair[1])) {
        return Err(E::custom("a key of the map is given twice"));
    }
    Ok(())
}

/// The key of a map entry: begins the entry and returns where.
struct Key<'a, 'p> {
    sink: &'a mut Sink<'p>,
    number: u32,
    key: &'p Field,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<usize, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        let Key { sink, number, key } = self;
        sink.tag(number, WireType::LengthDelimited);
        let start = sink.open();
        let mut scalar = Scalar {
            sink,
            kind: key.kind,
            tag: Some(key.number),
            skip_default: false,
        };
        match (key.kind, text) {
            (Kind::Bool, "true" | "false") => scalar.varint(u64::from(text == "true")),
            (Kind::Bool, _) => return Err(E::custom("expected true or false as key")),
            _ => scalar.visit_str(text)?,
        }
        Ok(start)
    }
}
