//! From the wire format to JSON.
//!
//! A message is walked twice: once over its records, to note where each field's last value stands, then over the fields of
//! the type, to write them in order. Nested messages are skipped by the first walk and written by the second, so that each
//! byte is looked at about twice however deep it lies.

mod any;
mod records;
mod value;

use prost_types::FieldMask;

use crate::DEPTH_MAX;
use crate::error::{Fault, WireError};
use crate::reflect;
use crate::types::{Field, Kind, Layout, Message, Shape, Types};
use crate::well_known;
use records::Slot;

/// Writes a message as JSON.
pub(crate) fn message(types: &Types, index: usize, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut writer = Writer {
        types,
        // JSON of common messages is about twice as long.
        out: Vec::with_capacity(2 * bytes.len() + 64),
        slots: Vec::new(),
        keys: Vec::new(),
        depth: 0,
        merged: false,
        start: bytes.as_ptr().addr(),
        length: bytes.len(),
    };
    match writer.message(index, bytes) {
        Ok(()) => Ok(writer.out),
        Err(fault) => Err(*fault),
    }
}

struct Writer<'p> {
    types: &'p Types,
    out: Vec<u8>,
    /// Where the fields of the open messages stand; a stack.
    slots: Vec<Slot>,
    /// Where the keys of the open maps stand in `out`; a stack.
    keys: Vec<(usize, usize)>,
    /// Messages around the one that is written.
    depth: usize,
    /// Whether what is written was merged, so that nothing in it is there twice.
    merged: bool,
    /// Address and length of the whole message, to tell positions in it.
    start: usize,
    length: usize,
}

/// Whether a message could be written.
#[derive(PartialEq)]
enum Attempt {
    Done,
    /// It holds something twice, or may do so, and has to be merged first.
    Repeats,
}

impl<'p> Writer<'p> {
    fn message(&mut self, index: usize, bytes: &[u8]) -> Result<(), Fault> {
        let message = &self.types.messages[index];
        if self.depth > DEPTH_MAX {
            return Err(WireError::new(format_args!(
                "messages nest deeper than {DEPTH_MAX}"
            )));
        }
        self.depth += 1;
        match message.shape {
            Shape::Timestamp => self.display(decode(bytes, well_known::checked_timestamp)?),
            Shape::Duration => self.display(decode(bytes, well_known::checked_duration)?),
            Shape::FieldMask => self.string(&decode(bytes, |mask: FieldMask| {
                well_known::field_mask_text(&mask)
            })?),
            Shape::Any => self.any(bytes)?,
            Shape::Reflected => reflect::to_json(&message.descriptor, bytes, &mut self.out)?,
            Shape::Object | Shape::Field(_) | Shape::Entry | Shape::Value => {
                self.by_fields(message, bytes)?
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn by_fields(&mut self, message: &'p Message, bytes: &[u8]) -> Result<(), Fault> {
        let (text, slots) = (self.out.len(), self.slots.len());
        let mut attempt = self.attempt(message, bytes)?;
        if attempt == Attempt::Repeats {
            self.out.truncate(text);
            self.slots.truncate(slots);
            let merged = reflect::merged(&message.descriptor, bytes)?;
            let outside = std::mem::replace(&mut self.merged, true);
            let second = self.attempt(message, &merged);
            self.merged = outside;
            attempt = second?;
        }
        self.slots.truncate(slots);
        match attempt {
            Attempt::Done => Ok(()),
            Attempt::Repeats => Err(WireError::new("what it holds twice cannot be merged")),
        }
    }

    fn attempt(&mut self, message: &'p Message, bytes: &[u8]) -> Result<Attempt, Fault> {
        let Some(slots) = self.locate(message, bytes)? else {
            return Ok(Attempt::Repeats);
        };
        match message.shape {
            Shape::Field(shown) => self.field(&message.fields[shown], slots + shown, bytes),
            Shape::Entry => self.entry(message, slots, bytes),
            Shape::Value => self.any_value(message, slots, bytes),
            _ => self.object(message, slots, bytes),
        }
    }

    fn object(&mut self, message: &'p Message, slots: usize, bytes: &[u8]) -> Result<Attempt, Fault> {
        self.out.push(b'{');
        let mut comma = 1;
        for (index, field) in message.fields.iter().enumerate() {
            if field.presence && self.slots[slots + index].is_empty() {
                continue;
            }
            self.out.extend_from_slice(&field.key.as_bytes()[comma..]);
            comma = 0;
            if self.field(field, slots + index, bytes)? == Attempt::Repeats {
                return Ok(Attempt::Repeats);
            }
        }
        self.out.push(b'}');
        Ok(Attempt::Done)
    }

    fn any_value(&mut self, message: &'p Message, slots: usize, bytes: &[u8]) -> Result<Attempt, Fault> {
        let mut fields = message.fields.iter().enumerate();
        let Some((index, field)) = fields.find(|(index, _)| !self.slots[slots + index].is_empty()) else {
            self.out.extend_from_slice(b"null");
            return Ok(Attempt::Done);
        };
        let text = self.out.len();
        let attempt = self.field(field, slots + index, bytes)?;
        // Infinity would come back as a string.
        if field.kind == Kind::Double && self.out.get(text) == Some(&b'"') {
            return Err(WireError::new(
                "a google.protobuf.Value cannot be NaN or infinite",
            ));
        }
        Ok(attempt)
    }

    fn entry(&mut self, message: &'p Message, slots: usize, bytes: &[u8]) -> Result<Attempt, Fault> {
        let [key, value] = message.fields.as_slice() else {
            return Err(WireError::new("a map entry has a key and a value"));
        };
        let start = self.out.len();
        if let Slot::One(at) = self.slots[slots] {
            self.key(key, &bytes[at..])?;
        } else {
            self.empty_key(key);
        }
        let end = self.out.len();
        self.keys.push((start, end));
        self.out.push(b':');
        let written = match (self.slots[slots + 1], value.kind) {
            (Slot::None, Kind::Message(index)) => self.message(index, &[]).map(|()| Attempt::Done),
            (Slot::None, _) => self.default(value),
            (slot, _) => self.occupied(value, slot, bytes),
        };
        written.map_err(|fault| {
            let key = String::from_utf8_lossy(&self.out[start..end]);
            fault.within(key.trim_matches('"'), None)
        })
    }

    /// Writes a field, wherever it stands.
    #[inline]
    fn field(&mut self, field: &'p Field, slot: usize, bytes: &[u8]) -> Result<Attempt, Fault> {
        match self.slots[slot] {
            Slot::None if field.presence => {
                self.out.extend_from_slice(b"null");
                Ok(Attempt::Done)
            }
            Slot::None => self.default(field),
            slot => {
                let at = match slot {
                    Slot::One(at) | Slot::Many { first: at, .. } => at,
                    Slot::None => 0,
                };
                self.occupied(field, slot, bytes)
                    .map_err(|fault| fault.within(&field.name, self.offset(&bytes[at..])))
            }
        }
    }

    fn default(&mut self, field: &Field) -> Result<Attempt, Fault> {
        self.out.extend_from_slice(field.default.as_bytes());
        Ok(Attempt::Done)
    }

    #[inline]
    fn occupied(&mut self, field: &'p Field, slot: Slot, bytes: &[u8]) -> Result<Attempt, Fault> {
        match slot {
            Slot::None => return self.default(field),
            Slot::One(at) => self.value(field, &mut &bytes[at..])?,
            Slot::Many { first, last } => match (field.layout, field.kind) {
                (Layout::Map, Kind::Message(entry)) => {
                    return self.map(field, entry, &bytes[first..], last - first);
                }
                _ => self.list(field, &bytes[first..], last - first)?,
            },
        }
        Ok(Attempt::Done)
    }

    /// Where some bytes stand in the whole message; `None` for bytes from elsewhere.
    fn offset(&self, bytes: &[u8]) -> Option<usize> {
        let offset = bytes.as_ptr().addr().checked_sub(self.start)?;
        (offset <= self.length).then_some(offset)
    }
}

/// Decodes a message of which there is a Rust type.
fn decode<M: prost::Message + Default, T>(
    bytes: &[u8],
    check: impl FnOnce(M) -> Result<T, &'static str>,
) -> Result<T, Fault> {
    check(M::decode(bytes)?).map_err(WireError::new)
}
