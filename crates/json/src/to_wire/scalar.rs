//! Numbers, text and bytes.

use std::fmt;

use prost::encoding::{WireType, encode_varint};
use serde::de::{Error, Unexpected, Visitor};

use super::Sink;
use crate::base64;
use crate::types::Kind;

/// Writes a scalar.
pub(super) struct Scalar<'a, 'p> {
    pub(super) sink: &'a mut Sink<'p>,
    pub(super) kind: Kind,
    /// The number of the field, if a tag is to be written.
    pub(super) tag: Option<u32>,
    /// Whether nothing is written for the default value.
    pub(super) skip_default: bool,
}

impl Visitor<'_> for Scalar<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = range(self.kind);
        f.write_str(match self.kind {
            Kind::Double | Kind::Float => "a number",
            Kind::Bool => "true or false",
            Kind::String => "a string",
            Kind::Bytes => "base64 in a string",
            Kind::Enum(index) if self.sink.types.enums[index].is_null => "null",
            Kind::Enum(_) => "the name or number of an enum value",
            _ => return write!(f, "a whole number from {} to {}", range.0, range.1),
        })
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        match self.kind {
            Kind::Enum(index) if self.sink.types.enums[index].is_null => {
                self.varint(0);
                Ok(())
            }
            _ => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool => {
                self.varint(value.into());
                Ok(())
            }
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        match self.kind {
            Kind::Double => self.double(value as f64),
            Kind::Float => self.float(value as f32),
            _ => return self.integer(value.into(), Unexpected::Unsigned(value)),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        match self.kind {
            Kind::Double => self.double(value as f64),
            Kind::Float => self.float(value as f32),
            _ => return self.integer(value.into(), Unexpected::Signed(value)),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        match self.kind {
            Kind::Double => self.double(value),
            Kind::Float if value.abs() <= f32::MAX.into() => self.float(value as f32),
            Kind::Float => return Err(E::invalid_value(Unexpected::Float(value), &"a number of 32 bits")),
            Kind::Bool | Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) => {
                return Err(E::invalid_type(Unexpected::Float(value), &self));
            }
            // Beyond 128 bits the conversion gives the largest number, which is out of every range.
            _ if value.fract() == 0.0 => return self.integer(value as i128, Unexpected::Float(value)),
            _ => return Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        let refused = |this: &Self| E::invalid_value(Unexpected::Str(text), this);
        match self.kind {
            Kind::String => self.text(text.as_bytes()),
            Kind::Bytes => {
                return self
                    .base64(text)
                    .map_err(|error| E::custom(format_args!("not base64: {error}")));
            }
            Kind::Double => match double(text) {
                Some(value) => self.double(value),
                None => return Err(refused(&self)),
            },
            Kind::Float => match float(text) {
                Some(value) => self.float(value),
                None => return Err(refused(&self)),
            },
            Kind::Enum(index) => match self.sink.types.enums[index].by_name(text) {
                Some(number) => self.varint(i64::from(number) as u64),
                None => return Err(refused(&self)),
            },
            Kind::Bool | Kind::Message(_) => return Err(E::invalid_type(Unexpected::Str(text), &self)),
            _ => match integer(self.kind, text) {
                Some(value) => return self.integer(value, Unexpected::Str(text)),
                None => return Err(refused(&self)),
            },
        }
        Ok(())
    }
}

impl Scalar<'_, '_> {
    fn integer<E: Error>(&mut self, value: i128, found: Unexpected<'_>) -> Result<(), E> {
        let (min, max) = range(self.kind);
        match self.kind {
            Kind::Double | Kind::Float | Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) => {
                return Err(E::invalid_type(found, self));
            }
            Kind::Enum(index) if self.sink.types.enums[index].is_null => {
                return Err(E::invalid_type(found, self));
            }
            _ if !(min..=max).contains(&value) => return Err(E::invalid_value(found, self)),
            Kind::Sint32 | Kind::Sint64 => self.varint(zigzag(value as i64)),
            Kind::Fixed32 | Kind::Sfixed32 => {
                self.fixed(value == 0, WireType::ThirtyTwoBit, &(value as u32).to_le_bytes())
            }
            Kind::Fixed64 | Kind::Sfixed64 => {
                self.fixed(value == 0, WireType::SixtyFourBit, &(value as u64).to_le_bytes())
            }
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Enum(_) => {
                self.varint(value as u64)
            }
        }
        Ok(())
    }

    /// Zero is the default, and minus zero is not.
    fn double(&mut self, value: f64) {
        self.fixed(value.to_bits() == 0, WireType::SixtyFourBit, &value.to_le_bytes());
    }

    fn float(&mut self, value: f32) {
        self.fixed(value.to_bits() == 0, WireType::ThirtyTwoBit, &value.to_le_bytes());
    }

    pub(super) fn varint(&mut self, value: u64) {
        if self.begin(value == 0, WireType::Varint) {
            encode_varint(value, &mut self.sink.out);
        }
    }

    fn fixed(&mut self, is_default: bool, wire_type: WireType, bytes: &[u8]) {
        if self.begin(is_default, wire_type) {
            self.sink.out.extend_from_slice(bytes);
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        if self.begin(bytes.is_empty(), WireType::LengthDelimited) {
            self.sink.bytes(bytes);
        }
    }

    fn base64(&mut self, text: &str) -> Result<(), ::base64::DecodeError> {
        if self.begin(text.is_empty(), WireType::LengthDelimited) {
            let start = self.sink.open();
            base64::decode(text, &mut self.sink.out)?;
            self.sink.close(start);
        }
        Ok(())
    }

    /// Writes the tag, unless nothing is to be written.
    fn begin(&mut self, is_default: bool, wire_type: WireType) -> bool {
        if is_default && self.skip_default {
            return false;
        }
        if let Some(number) = self.tag {
            self.sink.tag(number, wire_type);
        }
        true
    }
}

/// The least and the greatest integer of a kind; enum values are such of 32 bits.
fn range(kind: Kind) -> (i128, i128) {
    match kind {
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        Kind::Uint64 | Kind::Fixed64 => (0, u64::MAX.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        _ => (i32::MIN.into(), i32::MAX.into()),
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// An integer as text. Unsigned ones take no sign but `+`, as Rust reads them. An exponent is rare and worked out exactly.
fn integer(kind: Kind, text: &str) -> Option<i128> {
    let plain = match range(kind).0 {
        0 => text.parse::<u64>().map(i128::from).ok(),
        _ => text.parse::<i64>().map(i128::from).ok(),
    };
    plain.or_else(|| scientific(text))
}

/// Reads such as `1.5e3`, if it is whole.
fn scientific(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !is_digits(unsigned) || !is_digits(fraction) {
        return None;
    }
    // Zeros at the end of the fraction are nothing, so that what is left of it has to be made whole by the exponent.
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = [whole, fraction].concat().parse().ok()?;
    let scale = exponent.parse::<i64>().ok()?.checked_sub(fraction.len() as i64)?;
    let power = |scale: u64| 10_i128.checked_pow(u32::try_from(scale).ok()?);
    match scale {
        _ if digits == 0 => Some(0),
        0.. => digits.checked_mul(power(scale.unsigned_abs())?),
        _ => {
            let divisor = power(scale.unsigned_abs())?;
            (digits % divisor == 0).then_some(digits / divisor)
        }
    }
}

/// A number as text. Of what Rust reads beyond digits, the mapping has three names.
fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        digits => digits.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn float(text: &str) -> Option<f32> {
    match text {
        "NaN" => Some(f32::NAN),
        "Infinity" => Some(f32::INFINITY),
        "-Infinity" => Some(f32::NEG_INFINITY),
        digits => digits.parse().ok().filter(|value: &f32| value.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::scientific;

    #[test]
    fn exponents_are_worked_out_exactly() {
        for (text, value) in [
            ("1e5", 100_000),
            ("1E+2", 100),
            ("-1.5e1", -15),
            ("1500e-2", 15),
            ("1.50e1", 15),
            ("9007199254740993e0", 9_007_199_254_740_993),
            ("0e99999", 0),
            ("-0.0e-9", 0),
        ] {
            assert_eq!(scientific(text), Some(value), "{text}");
        }
        for text in [
            "1",
            "1.5",
            "1e",
            "e1",
            "1e1.0",
            "1.5e0",
            "15e-2",
            "1.e1",
            ".5e1",
            "1e536870000",
            "1e-536870000",
            "1e40",
            "1e99999999999999999999",
            "--1e1",
            "+1e1",
            "0x1e1",
            "1e1e1",
            " 1e1",
            "1\u{663}e1",
            "inf",
        ] {
            assert_eq!(scientific(text), None, "{text}");
        }
    }
}
