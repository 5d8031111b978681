//! Values, lists and maps.

use std::fmt::Display;
use std::io::Write;

use prost::encoding::WireType;
use serde::Serialize;

use super::records::{delimited, fixed, group, skip, tag, varint};
use super::{Attempt, Writer};
use crate::base64;
use crate::error::{Fault, WireError};
use crate::types::{Enum, Field, Kind};

impl<'p> Writer<'p> {
    /// Writes the value at the start of `rest`, and takes it from there.
    pub(super) fn value(&mut self, field: &'p Field, rest: &mut &[u8]) -> Result<(), Fault> {
        match field.kind {
            Kind::Double => self.double(f64::from_le_bytes(fixed(rest)?)),
            Kind::Float => self.float(f32::from_le_bytes(fixed(rest)?)),
            Kind::Bool => self.plain(&(varint(rest)? != 0)),
            Kind::String => self.string(text(rest)?),
            Kind::Bytes => {
                self.out.push(b'"');
                base64::encode(delimited(rest)?, &mut self.out);
                self.out.push(b'"');
            }
            Kind::Enum(index) => self.enumeration(&self.types.enums[index], varint(rest)? as i32),
            Kind::Message(index) if field.group => self.message(index, group(field.number, rest)?)?,
            Kind::Message(index) => self.message(index, delimited(rest)?)?,
            kind => match integer(kind, rest)? {
                Integer::Short(value) => self.plain(&value),
                Integer::Signed(value) => self.quoted(&value),
                Integer::Unsigned(value) => self.quoted(&value),
            },
        }
        Ok(())
    }

    /// Writes the key of a map entry: always text.
    pub(super) fn key(&mut self, field: &'p Field, mut bytes: &[u8]) -> Result<(), Fault> {
        let rest = &mut bytes;
        match field.kind {
            Kind::String => self.string(text(rest)?),
            Kind::Bool => self.quoted(&(varint(rest)? != 0)),
            kind => match integer(kind, rest)? {
                Integer::Short(value) => self.quoted(&value),
                Integer::Signed(value) => self.quoted(&value),
                Integer::Unsigned(value) => self.quoted(&value),
            },
        }
        Ok(())
    }

    /// Writes the key of a map entry that has none.
    pub(super) fn empty_key(&mut self, field: &Field) {
        let text = field.default.trim_matches('"');
        self.string(text);
    }

    /// Writes a list whose first record is at the start of `bytes`, and whose last one is at `last`.
    pub(super) fn list(&mut self, field: &'p Field, bytes: &[u8], last: usize) -> Result<(), Fault> {
        self.out.push(b'[');
        let (mut rest, mut index) = (bytes, 0);
        while bytes.len() - rest.len() <= last {
            match tag(&mut rest)? {
                (number, wire_type) if number != field.number => skip(wire_type, number, &mut rest)?,
                (_, WireType::LengthDelimited) if field.kind.is_packable() => {
                    let mut packed = delimited(&mut rest)?;
                    while !packed.is_empty() {
                        self.element(field, &mut packed, &mut index)?;
                    }
                }
                _ => self.element(field, &mut rest, &mut index)?,
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn element(&mut self, field: &'p Field, rest: &mut &[u8], index: &mut usize) -> Result<(), Fault> {
        if *index > 0 {
            self.out.push(b',');
        }
        let start = *rest;
        self.value(field, rest)
            .map_err(|fault| fault.within(&format!("[{index}]"), self.offset(start)))?;
        *index += 1;
        Ok(())
    }

    /// As [`list`](Self::list), for a map whose entries are messages of the index `entry`.
    pub(super) fn map(
        &mut self,
        field: &'p Field,
        entry: usize,
        bytes: &[u8],
        last: usize,
    ) -> Result<Attempt, Fault> {
        self.out.push(b'{');
        let (mut rest, keys, depth) = (bytes, self.keys.len(), self.depth);
        while bytes.len() - rest.len() <= last {
            let (number, wire_type) = tag(&mut rest)?;
            if number != field.number {
                skip(wire_type, number, &mut rest)?;
                continue;
            }
            if self.keys.len() > keys {
                self.out.push(b',');
            }
            match self.message(entry, delimited(&mut rest)?) {
                // Another entry may replace the one at fault.
                Err(_) if last > 0 && !self.merged => {
                    self.depth = depth;
                    self.keys.truncate(keys);
                    return Ok(Attempt::Repeats);
                }
                written => written?,
            }
        }
        self.out.push(b'}');
        let repeats = has_repeats(&mut self.keys[keys..], &self.out);
        self.keys.truncate(keys);
        Ok(if repeats { Attempt::Repeats } else { Attempt::Done })
    }

    fn double(&mut self, value: f64) {
        if value.is_finite() {
            self.plain(&value);
        } else {
            self.string(not_finite(value));
        }
    }

    fn float(&mut self, value: f32) {
        if value.is_finite() {
            self.plain(&value);
        } else {
            self.string(not_finite(value.into()));
        }
    }

    fn enumeration(&mut self, of: &Enum, number: i32) {
        match of.by_number(number) {
            Some(text) => self.out.extend_from_slice(text.as_bytes()),
            None if of.is_null => self.out.extend_from_slice(b"null"),
            None => self.plain(&number),
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        self.plain(text);
    }

    /// Writes what needs no escapes, in quotes.
    fn quoted(&mut self, value: &impl Serialize) {
        self.out.push(b'"');
        self.plain(value);
        self.out.push(b'"');
    }

    /// Writes as serde_json does, which takes no numbers that are not finite.
    fn plain<T: Serialize + ?Sized>(&mut self, value: &T) {
        let written = serde_json::to_writer(&mut self.out, value);
        debug_assert!(written.is_ok(), "a Vec takes everything");
    }

    /// Writes what needs no escapes as it displays itself, in quotes.
    pub(super) fn display(&mut self, value: impl Display) {
        let written = write!(self.out, "\"{value}\"");
        debug_assert!(written.is_ok(), "a Vec takes everything");
    }
}

/// An integer as JSON tells them apart: those of 64 bits are text.
enum Integer {
    Short(i64),
    Signed(i64),
    Unsigned(u64),
}

fn integer(kind: Kind, rest: &mut &[u8]) -> Result<Integer, Fault> {
    Ok(match kind {
        Kind::Fixed32 => Integer::Short(u32::from_le_bytes(fixed(rest)?).into()),
        Kind::Sfixed32 => Integer::Short(i32::from_le_bytes(fixed(rest)?).into()),
        Kind::Fixed64 => Integer::Unsigned(u64::from_le_bytes(fixed(rest)?)),
        Kind::Sfixed64 => Integer::Signed(i64::from_le_bytes(fixed(rest)?)),
        other => {
            // Of the short ones the low 32 bits count, as in every protobuf reader.
            let value = varint(rest)?;
            match other {
                Kind::Int32 => Integer::Short((value as i32).into()),
                Kind::Uint32 => Integer::Short((value as u32).into()),
                Kind::Sint32 => Integer::Short((unzigzag((value as u32).into()) as i32).into()),
                Kind::Sint64 => Integer::Signed(unzigzag(value)),
                Kind::Int64 => Integer::Signed(value as i64),
                _ => Integer::Unsigned(value),
            }
        }
    })
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Fault> {
    std::str::from_utf8(delimited(rest)?)
        .map_err(|error| WireError::new(format_args!("its text is no UTF-8: {error}")))
}

fn not_finite(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

/// Whether two of the keys have the same text.
fn has_repeats(keys: &mut [(usize, usize)], text: &[u8]) -> bool {
    let of = |&(start, end): &(usize, usize)| &text[start..end];
    if keys.len() > 1 {
        keys.sort_unstable_by(|one, other| of(one).cmp(of(other)));
    }
    keys.windows(2).any(|pair| of(&pair[0]) == of(&pair[1]))
}
