//! Where the fields of a message stand on the wire.
//!
//! The small readers are inlined wherever they are used: as calls they cost a tenth of the whole conversion.

use prost::encoding::{self, DecodeContext, WireType, decode_key};

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
            let (number, wire_type) = tag(&mut rest)?;
            let value = bytes.len() - rest.len();
            let Some(index) = message.by_number(number, guess) else {
                skip(wire_type, number, &mut rest)?;
                continue;
            };
            let field = &message.fields[index];
            let skipped = match field.accepts(wire_type) {
                true => skip(wire_type, number, &mut rest),
                false => Err(wrong(wire_type)),
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

#[cold]
fn wrong(wire_type: WireType) -> Fault {
    WireError::new(format_args!("it cannot have the wire type {wire_type:?}"))
}

/// Takes a varint. Most have one byte.
#[inline(always)]
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    if let [byte @ 0..0x80, after @ ..] = *rest {
        *rest = after;
        return Ok(u64::from(*byte));
    }
    Ok(encoding::decode_varint(rest)?)
}

/// Takes a tag. Most have one byte.
#[inline(always)]
pub(super) fn tag(rest: &mut &[u8]) -> Result<(u32, WireType), Fault> {
    if let [byte @ 8..0x80, after @ ..] = *rest
        && let Ok(wire_type) = WireType::try_from(u64::from(*byte & 7))
    {
        *rest = after;
        return Ok((u32::from(*byte >> 3), wire_type));
    }
    Ok(decode_key(rest)?)
}

/// Passes over a value.
#[inline(always)]
pub(super) fn skip(wire_type: WireType, number: u32, rest: &mut &[u8]) -> Result<(), Fault> {
    match wire_type {
        WireType::Varint => varint(rest).map(drop),
        WireType::LengthDelimited => delimited(rest).map(drop),
        WireType::ThirtyTwoBit => fixed::<4>(rest).map(drop),
        WireType::SixtyFourBit => fixed::<8>(rest).map(drop),
        WireType::StartGroup | WireType::EndGroup => Ok(encoding::skip_field(
            wire_type,
            number,
            rest,
            DecodeContext::default(),
        )?),
    }
}

/// Takes what stands behind a length.
#[inline(always)]
pub(super) fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = varint(rest)?;
    let split = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (taken, after) = split.ok_or_else(beyond_the_end)?;
    *rest = after;
    Ok(taken)
}

#[cold]
fn beyond_the_end() -> Fault {
    WireError::new("it goes beyond the end")
}

/// Takes what stands before the end tag of a group.
pub(super) fn group<'a>(number: u32, rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let start = *rest;
    loop {
        let end = start.len() - rest.len();
        match tag(rest)? {
            (ended, WireType::EndGroup) if ended == number => return Ok(&start[..end]),
            (inner, wire_type) => skip(wire_type, inner, rest)?,
        }
    }
}

/// Takes a number of fixed length.
#[inline(always)]
pub(super) fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (taken, after) = rest.split_first_chunk().ok_or_else(beyond_the_end)?;
    *rest = after;
    Ok(*taken)
}
