//! Walks an encoded message and keeps the last value of each key field.

use super::{KeyError, KeyField};

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// How deep groups may nest; the limit of other protobuf readers.
const GROUP_DEPTH_MAX: usize = 100;

/// A field's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum RawValue<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl RawValue<'_> {
    pub(super) const fn wire_type(&self) -> u8 {
        match self {
            RawValue::Varint(_) => VARINT,
            RawValue::Fixed64(_) => FIXED64,
            RawValue::Fixed32(_) => FIXED32,
            RawValue::Bytes(_) => LENGTH_DELIMITED,
        }
    }
}

/// Why the walk ended early. Small, so that it travels in registers; [`KeyError`] is made of it at the end.
#[derive(Debug, Clone, Copy)]
enum Fault {
    TruncatedNumber,
    LongNumber,
    TruncatedField,
    FieldNumber,
    UnknownWireType,
    GroupEnd,
    GroupWithoutEnd,
    GroupDepth,
    /// The tag of a key field with another wire type.
    WireType(u64),
}

/// The last value of one field.
#[inline]
pub(super) fn scan_one<'a>(field: &KeyField, request: &'a [u8]) -> Result<Option<RawValue<'a>>, KeyError> {
    let mut found = None;
    scan(std::slice::from_ref(field), request, |_, value| found = value)?;
    Ok(found)
}

/// The last value of each of the fields, in their order.
pub(super) fn scan_all<'a>(
    fields: &[KeyField],
    request: &'a [u8],
) -> Result<Vec<Option<RawValue<'a>>>, KeyError> {
    let mut found = vec![None; fields.len()];
    scan(fields, request, |index, value| found[index] = value)?;
    Ok(found)
}

/// Calls `put` with the index of a field and each value, or `None` where another member of its oneof follows.
///
/// Inlined into its two callers: with one field there is no loop over fields, and the state stays in registers.
#[inline(always)]
fn scan<'a>(
    fields: &[KeyField],
    request: &'a [u8],
    mut put: impl FnMut(usize, Option<RawValue<'a>>),
) -> Result<(), KeyError> {
    let mut reader = Reader { rest: request };
    match walk(fields, &mut reader, &mut put) {
        Ok(()) => Ok(()),
        Err(fault) => Err(fault.explain(fields, request.len() - reader.rest.len())),
    }
}

#[inline(always)]
fn walk<'a>(
    fields: &[KeyField],
    reader: &mut Reader<'a>,
    put: &mut impl FnMut(usize, Option<RawValue<'a>>),
) -> Result<(), Fault> {
    'fields: while !reader.rest.is_empty() {
        let start = *reader;
        let tag = reader.varint()?;
        for (index, field) in fields.iter().enumerate() {
            if field.tag == tag {
                put(index, Some(reader.value((tag & 7) as u8)?));
                continue 'fields;
            }
        }
        let Some(number) = field_number(tag) else {
            *reader = start;
            return Err(Fault::FieldNumber);
        };
        for (index, field) in fields.iter().enumerate() {
            if u64::from(number) == field.tag >> 3 {
                return Err(Fault::WireType(tag));
            }
            if !field.rivals.is_empty() && field.rivals.contains(&number) {
                put(index, None);
            }
        }
        reader.skip(tag)?;
    }
    Ok(())
}

#[inline]
fn field_number(tag: u64) -> Option<u32> {
    u32::try_from(tag)
        .ok()
        .map(|tag| tag >> 3)
        .filter(|number| *number != 0)
}

impl Fault {
    #[cold]
    fn explain(self, fields: &[KeyField], position: usize) -> KeyError {
        let reason = match self {
            Fault::TruncatedNumber => "truncated number",
            Fault::LongNumber => "number of more than 64 bits",
            Fault::TruncatedField => "truncated field",
            Fault::FieldNumber => "invalid field number",
            Fault::UnknownWireType => "unknown wire type",
            Fault::GroupEnd => "unexpected end of a group",
            Fault::GroupWithoutEnd => "group without end",
            Fault::GroupDepth => "groups nested too deeply",
            Fault::WireType(tag) => match fields.iter().find(|field| field.tag >> 3 == tag >> 3) {
                Some(field) => {
                    return KeyError::WireType {
                        field: field.name.to_string(),
                        found: (tag & 7) as u8,
                        expected: field.scalar_type.wire_type(),
                    };
                }
                None => "unknown wire type",
            },
        };
        KeyError::Malformed { reason, position }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Fault> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for index in 0..10 {
            let Some(&byte) = self.rest.get(index) else {
                self.rest = &[];
                return Err(Fault::TruncatedNumber);
            };
            // The tenth byte has room for one more bit.
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Fault::LongNumber)
    }

    #[inline(always)]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or(Fault::TruncatedField)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Fault::TruncatedField)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The value of a field that is no group.
    #[inline(always)]
    fn value(&mut self, wire_type: u8) -> Result<RawValue<'a>, Fault> {
        Ok(match wire_type {
            LENGTH_DELIMITED => {
                let length = self.varint()?;
                RawValue::Bytes(self.take(length)?)
            }
            VARINT => RawValue::Varint(self.varint()?),
            FIXED64 => RawValue::Fixed64(u64::from_le_bytes(self.array()?)),
            FIXED32 => RawValue::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Fault::UnknownWireType),
        })
    }

    /// Skips the value behind a tag.
    #[inline(always)]
    fn skip(&mut self, tag: u64) -> Result<(), Fault> {
        match (tag & 7) as u8 {
            GROUP_START => self.skip_group(tag),
            GROUP_END => Err(Fault::GroupEnd),
            wire_type => self.value(wire_type).map(|_| ()),
        }
    }

    /// Skips to the end of a group whose start was read.
    fn skip_group(&mut self, start: u64) -> Result<(), Fault> {
        let mut open = vec![start];
        while let Some(&innermost) = open.last() {
            if self.rest.is_empty() {
                return Err(Fault::GroupWithoutEnd);
            }
            let tag = self.varint()?;
            field_number(tag).ok_or(Fault::FieldNumber)?;
            match (tag & 7) as u8 {
                GROUP_START if open.len() < GROUP_DEPTH_MAX => open.push(tag),
                GROUP_START => return Err(Fault::GroupDepth),
                // A start and its end differ in the lowest bits only, which are 3 and 4.
                GROUP_END if tag == innermost + 1 => drop(open.pop()),
                _ => self.skip(tag)?,
            }
        }
        Ok(())
    }
}
