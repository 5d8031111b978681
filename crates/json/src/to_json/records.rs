//! Where the fields of a message stand on the wire.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::Writer;
use crate::error::{Fault, WireError};
use crate::types::{Layout, Message};

/// Where a field stands, in bytes from the start of its message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slot {
    None,
    /// The value of a singular field, after its tag.
    One(usize),
    /// The tags of the first and the last record of a list or map. Records of other fields may lie between.
    Many {
        first: usize,
        last: usize,
    },
}

impl Slot {
    pub(super) fn is_empty(self) -> bool {
        self == Slot::None
    }
}

impl Writer<'_> {
    /// Fills one slot for each field, and after them one for each oneof. Returns the index of the first slot; `None` if a
    /// singular field occurs twice, or two fields of a oneof.
    pub(super) fn locate(&mut self, message: &Message, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let slots = self.slots.len();
        let oneofs = slots + message.fields.len();
        self.slots.resize(oneofs + message.oneofs.len(), Slot::None);
        let (mut rest, mut guess) = (bytes, 0);
        while !rest.is_empty() {
            let record = bytes.len() - rest.len();
            let (number, wire_type) = decode_key(&mut rest)?;
            let value = bytes.len() - rest.len();
            let Some(index) = message.by_number(number, guess) else {
                skip(wire_type, number, &mut rest)?;
                continue;
            };
            let field = &message.fields[index];
            let skipped = match field.accepts(wire_type) {
                true => skip(wire_type, number, &mut rest),
                false => Err(WireError::new(format_args!(
                    "it cannot have the wire type {wire_type:?}"
                ))),
            };
            skipped.map_err(|fault| fault.within(&field.name, self.offset(&bytes[value..])))?;
            let slot = &mut self.slots[slots + index];
            *slot = match (*slot, field.layout) {
                (Slot::One(_), _) => return Ok(None),
                (Slot::None, Layout::Singular) => Slot::One(value),
                (Slot::Many { first, .. }, _) => Slot::Many { first, last: record },
                (Slot::None, _) => Slot::Many {
                    first: record,
                    last: record,
                },
            };
            if let Some(oneof) = field.oneof
                && std::mem::replace(&mut self.slots[oneofs + oneof], Slot::One(value)) != Slot::None
            {
                return Ok(None);
            }
            guess = index;
        }
        Ok(Some(slots))
    }
}

/// Passes over a value.
pub(super) fn skip(wire_type: WireType, number: u32, rest: &mut &[u8]) -> Result<(), Fault> {
    Ok(skip_field(wire_type, number, rest, DecodeContext::default())?)
}

/// Takes what stands behind a length.
pub(super) fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = decode_varint(rest)?;
    let split = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (taken, after) = split.ok_or_else(|| WireError::new("it goes beyond the end"))?;
    *rest = after;
    Ok(taken)
}

/// Takes what stands before the end tag of a group.
pub(super) fn group<'a>(number: u32, rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let start = *rest;
    loop {
        let end = start.len() - rest.len();
        match decode_key(rest)? {
            (ended, WireType::EndGroup) if ended == number => return Ok(&start[..end]),
            (inner, wire_type) => skip(wire_type, inner, rest)?,
        }
    }
}

/// Takes a number of fixed length.
pub(super) fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (taken, after) = rest
        .split_first_chunk()
        .ok_or_else(|| WireError::new("it goes beyond the end"))?;
    *rest = after;
    Ok(*taken)
}
