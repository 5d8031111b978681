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

/// Fills `found`, which runs parallel to `fields`.
#[inline]
pub(super) fn scan<'a>(
    fields: &[KeyField],
    request: &'a [u8],
    found: &mut [Option<RawValue<'a>>],
) -> Result<(), KeyError> {
    let mut reader = Reader {
        bytes: request,
        position: 0,
    };
    while reader.position < request.len() {
        let (number, wire_type) = reader.tag()?;
        let mut value = None;
        for (field, slot) in fields.iter().zip(found.iter_mut()) {
            if field.number == number {
                let expected = field.scalar_type.wire_type();
                if wire_type != expected {
                    return Err(KeyError::WireType {
                        field: field.name.to_string(),
                        found: wire_type,
                        expected,
                    });
                }
                let read = reader.value(number, wire_type)?;
                value = read;
                *slot = read;
            } else if field.rivals.contains(&number) {
                *slot = None;
            }
        }
        if value.is_none() {
            reader.skip(number, wire_type)?;
        }
    }
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self, reason: &'static str) -> KeyError {
        KeyError::Malformed {
            reason,
            position: self.position,
        }
    }

    /// A field number and wire type.
    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), KeyError> {
        let start = self.position;
        let tag = self.varint()?;
        let number = u32::try_from(tag).unwrap_or(0) >> 3;
        if number == 0 {
            return Err(KeyError::Malformed {
                reason: "invalid field number",
                position: start,
            });
        }
        Ok((number, (tag & 7) as u8))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, KeyError> {
        if let Some(&byte) = self.bytes.get(self.position)
            && byte < 0x80
        {
            self.position += 1;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, KeyError> {
        let mut value = 0_u64;
        for index in 0..10 {
            let Some(&byte) = self.bytes.get(self.position + index) else {
                self.position = self.bytes.len();
                return Err(self.malformed("truncated number"));
            };
            // The tenth byte has room for one more bit.
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        Err(self.malformed("number of more than 64 bits"))
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], KeyError> {
        let rest = &self.bytes[self.position..];
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => {
                self.position += length;
                Ok(&rest[..length])
            }
            _ => Err(self.malformed("truncated field")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// The value of a field; `None` if it is a group, which is skipped.
    #[inline]
    fn value(&mut self, number: u32, wire_type: u8) -> Result<Option<RawValue<'a>>, KeyError> {
        Ok(Some(match wire_type {
            LENGTH_DELIMITED => {
                let length = self.varint()?;
                RawValue::Bytes(self.take(length)?)
            }
            VARINT => RawValue::Varint(self.varint()?),
            FIXED64 => RawValue::Fixed64(u64::from_le_bytes(self.array()?)),
            FIXED32 => RawValue::Fixed32(u32::from_le_bytes(self.array()?)),
            GROUP_START => {
                self.skip_group(number)?;
                return Ok(None);
            }
            GROUP_END => return Err(self.malformed("unexpected end of a group")),
            _ => return Err(self.malformed("unknown wire type")),
        }))
    }

    #[inline]
    fn skip(&mut self, number: u32, wire_type: u8) -> Result<(), KeyError> {
        self.value(number, wire_type).map(|_| ())
    }

    /// Skips to the end of a group whose start was read.
    fn skip_group(&mut self, number: u32) -> Result<(), KeyError> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            if self.position >= self.bytes.len() {
                return Err(self.malformed("group without end"));
            }
            match self.tag()? {
                (number, GROUP_START) if open.len() < GROUP_DEPTH_MAX => open.push(number),
                (_, GROUP_START) => return Err(self.malformed("groups nested too deeply")),
                (number, GROUP_END) if number == innermost => drop(open.pop()),
                (number, wire_type) => self.skip(number, wire_type)?,
            }
        }
        Ok(())
    }
}
