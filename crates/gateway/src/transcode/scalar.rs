//! Fields from the text of path variables and query parameters.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as TextError, StrDeserializer};

use crate::base64;

/// Reads one value of a field. `Err` says what was expected.
pub(super) fn value(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => boolean(text).map(Value::Bool),
        Kind::Bytes => bytes(text).map(Value::Bytes),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(text, i32::MIN, i32::MAX).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(text, i64::MIN, i64::MAX).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => integer(text, u32::MIN, u32::MAX).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => integer(text, u64::MIN, u64::MAX).map(Value::U64),
        Kind::Float => float(text).map(Value::F32),
        Kind::Double => double(text).map(Value::F64),
        Kind::Enum(of) => {
            let by_name = of.get_value_by_name(text).map(|value| value.number());
            let number = by_name.or_else(|| text.parse().ok());
            number
                .map(Value::EnumNumber)
                .ok_or_else(|| format!("no value of the enum {} has this name", of.full_name()))
        }
        Kind::Message(of) => well_known(of, text).map(Value::Message),
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn bytes(text: &str) -> Result<prost::bytes::Bytes, String> {
    let standard = text.replace('-', "+").replace('_', "/");
    base64::decode(standard.as_bytes())
        .map(Into::into)
        .ok_or_else(|| "expected base64".to_owned())
}

fn integer<N: std::str::FromStr + std::fmt::Display + Copy>(text: &str, min: N, max: N) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from {min} to {max}"))
}

fn double(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

fn float(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let wide = double(text)?;
    if number.is_infinite() && wide.is_finite() {
        Err("out of range".to_owned())
    } else {
        Ok(number)
    }
}

/// Messages whose JSON form is one text or number can be given as text.
fn well_known(of: &MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    let name = of
        .full_name()
        .strip_prefix("google.protobuf.")
        .unwrap_or_default();
    match name {
        "Timestamp" | "Duration" | "FieldMask" => {
            let text: StrDeserializer<'_, TextError> = text.into_deserializer();
            DynamicMessage::deserialize(of.clone(), text).map_err(|error| error.to_string())
        }
        "BoolValue" | "BytesValue" | "StringValue" | "Int32Value" | "Int64Value" | "UInt32Value"
        | "UInt64Value" | "FloatValue" | "DoubleValue" => {
            let mut message = DynamicMessage::new(of.clone());
            if let Some(field) = of.get_field_by_name("value") {
                message.set_field(&field, value(&field.kind(), text)?);
            }
            Ok(message)
        }
        _ => Err(format!(
            "it is a message of type {}, which text cannot express",
            of.full_name()
        )),
    }
}

/// Sets the field at the end of the path; a repeated field grows.
pub(super) fn set(message: &mut DynamicMessage, fields: &[FieldDescriptor], value: Value) {
    let Some((field, rest)) = fields.split_first() else {
        return;
    };
    if rest.is_empty() {
        match message.get_field_mut(field) {
            Value::List(values) => values.push(value),
            place => *place = value,
        }
    } else if let Value::Message(inner) = message.get_field_mut(field) {
        set(inner, rest, value);
    }
}
