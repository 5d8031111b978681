//! The types that can be part of an entity id, and their text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost_reflect::{Kind, Value};

use super::scan::RawValue;

/// The declared type of a key field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ScalarType {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    /// Numbers and names, in the order of declaration: of aliases the first counts.
    Enum(Box<[(i32, Box<str>)]>),
}

/// A decoded value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    String(&'a str),
    Bytes(&'a [u8]),
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Enum(i32),
}

impl ScalarType {
    /// `None` for messages.
    pub(super) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::String => ScalarType::String,
            Kind::Bytes => ScalarType::Bytes,
            Kind::Bool => ScalarType::Bool,
            Kind::Int32 => ScalarType::Int32,
            Kind::Int64 => ScalarType::Int64,
            Kind::Uint32 => ScalarType::Uint32,
            Kind::Uint64 => ScalarType::Uint64,
            Kind::Sint32 => ScalarType::Sint32,
            Kind::Sint64 => ScalarType::Sint64,
            Kind::Fixed32 => ScalarType::Fixed32,
            Kind::Fixed64 => ScalarType::Fixed64,
            Kind::Sfixed32 => ScalarType::Sfixed32,
            Kind::Sfixed64 => ScalarType::Sfixed64,
            Kind::Float => ScalarType::Float,
            Kind::Double => ScalarType::Double,
            Kind::Enum(descriptor) => ScalarType::Enum(
                descriptor
                    .enum_descriptor_proto()
                    .value
                    .iter()
                    .map(|value| (value.number(), value.name().into()))
                    .collect(),
            ),
            Kind::Message(_) => return None,
        })
    }

    #[inline]
    pub(super) fn wire_type(&self) -> u8 {
        match self {
            ScalarType::String | ScalarType::Bytes => RawValue::Bytes(&[]).wire_type(),
            ScalarType::Fixed64 | ScalarType::Sfixed64 | ScalarType::Double => {
                RawValue::Fixed64(0).wire_type()
            }
            ScalarType::Fixed32 | ScalarType::Sfixed32 | ScalarType::Float => {
                RawValue::Fixed32(0).wire_type()
            }
            _ => RawValue::Varint(0).wire_type(),
        }
    }

    /// Decodes a value of this type's wire type. `None` if it is not UTF-8.
    ///
    /// Numbers wider than the type are cut to its width, as every protobuf reader does.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "see above")]
    pub(super) fn read<'a>(&self, value: RawValue<'a>) -> Option<Scalar<'a>> {
        Some(match (self, value) {
            (ScalarType::String, RawValue::Bytes(bytes)) => Scalar::String(std::str::from_utf8(bytes).ok()?),
            (_, RawValue::Bytes(bytes)) => Scalar::Bytes(bytes),
            (ScalarType::Bool, RawValue::Varint(bits)) => Scalar::Bool(bits != 0),
            (ScalarType::Int32, RawValue::Varint(bits)) => Scalar::Signed(i64::from(bits as i32)),
            (ScalarType::Uint32, RawValue::Varint(bits)) => Scalar::Unsigned(u64::from(bits as u32)),
            (ScalarType::Uint64, RawValue::Varint(bits)) => Scalar::Unsigned(bits),
            (ScalarType::Sint32, RawValue::Varint(bits)) => Scalar::Signed(zigzag(u64::from(bits as u32))),
            (ScalarType::Sint64, RawValue::Varint(bits)) => Scalar::Signed(zigzag(bits)),
            (ScalarType::Enum(_), RawValue::Varint(bits)) => Scalar::Enum(bits as i32),
            (_, RawValue::Varint(bits)) => Scalar::Signed(bits.cast_signed()),
            (ScalarType::Fixed32, RawValue::Fixed32(bits)) => Scalar::Unsigned(u64::from(bits)),
            (ScalarType::Float, RawValue::Fixed32(bits)) => Scalar::Float(f32::from_bits(bits)),
            (_, RawValue::Fixed32(bits)) => Scalar::Signed(i64::from(bits.cast_signed())),
            (ScalarType::Fixed64, RawValue::Fixed64(bits)) => Scalar::Unsigned(bits),
            (ScalarType::Double, RawValue::Fixed64(bits)) => Scalar::Double(f64::from_bits(bits)),
            (_, RawValue::Fixed64(bits)) => Scalar::Signed(bits.cast_signed()),
        })
    }
}

const fn zigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

impl<'a> Scalar<'a> {
    /// `None` for messages, lists and maps.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::String(text) => Scalar::String(text),
            Value::Bytes(bytes) => Scalar::Bytes(bytes),
            Value::Bool(value) => Scalar::Bool(*value),
            Value::I32(value) => Scalar::Signed(i64::from(*value)),
            Value::I64(value) => Scalar::Signed(*value),
            Value::U32(value) => Scalar::Unsigned(u64::from(*value)),
            Value::U64(value) => Scalar::Unsigned(*value),
            Value::F32(value) => Scalar::Float(*value),
            Value::F64(value) => Scalar::Double(*value),
            Value::EnumNumber(number) => Scalar::Enum(*number),
            Value::Message(_) | Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// The text that stands in an entity id.
    pub(super) fn text(self, scalar_type: &ScalarType) -> Cow<'a, str> {
        Cow::Owned(match self {
            Scalar::String(text) => return Cow::Borrowed(text),
            Scalar::Bytes(bytes) => URL_SAFE_NO_PAD.encode(bytes),
            Scalar::Bool(value) => return Cow::Borrowed(if value { "true" } else { "false" }),
            Scalar::Signed(value) => value.to_string(),
            Scalar::Unsigned(value) => value.to_string(),
            Scalar::Float(value) => decimal(f64::from(value), &format!("{value:e}")),
            Scalar::Double(value) => decimal(value, &format!("{value:e}")),
            Scalar::Enum(number) => match scalar_type {
                ScalarType::Enum(names) => names
                    .iter()
                    .find(|(known, _)| *known == number)
                    .map_or_else(|| number.to_string(), |(_, name)| name.to_string()),
                _ => number.to_string(),
            },
        })
    }
}

/// A float's text from its shortest form in scientific notation, such as `-1.25e-7`.
fn decimal(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        // Some writers send negative zero, others leave it out: both name the same entity.
        return "0.0".to_owned();
    }
    if (1e-3..1e7).contains(&value.abs()) {
        return plain(scientific);
    }
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific.to_owned(),
    }
}

/// `1.25e2` as `125.0`. Moves the point of the text, so that a `float` keeps its own shortest digits.
fn plain(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    // From -3 to 6 by the range above.
    let mut point = exponent.parse::<i32>().unwrap_or_default() + 1;
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).unwrap_or_default();
    while digits.len() <= point {
        digits.push('0');
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}
