//! Fields from the text of path variables and query parameters.

use std::str::FromStr;

use cloudstate_json::{JsonError, Plan, Root};
use prost::encoding::{
    bool, double, fixed32, fixed64, float, int32, int64, sfixed32, sfixed64, sint32, sint64, uint32, uint64,
};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax};

use super::wire;
use crate::base64;

/// Reads one value of a field and appends it in wire format. `Err` says what was expected; nothing is appended then.
pub(super) fn append(field: &FieldDescriptor, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let number = field.number();
    match field.kind() {
        Kind::String => wire::put_bytes(number, text.as_bytes(), out),
        Kind::Bytes => wire::put_bytes(number, &bytes(text)?, out),
        Kind::Bool => bool::encode(number, &boolean(text)?, out),
        Kind::Int32 => int32::encode(number, &i32(text)?, out),
        Kind::Sint32 => sint32::encode(number, &i32(text)?, out),
        Kind::Sfixed32 => sfixed32::encode(number, &i32(text)?, out),
        Kind::Int64 => int64::encode(number, &i64(text)?, out),
        Kind::Sint64 => sint64::encode(number, &i64(text)?, out),
        Kind::Sfixed64 => sfixed64::encode(number, &i64(text)?, out),
        Kind::Uint32 => uint32::encode(number, &u32(text)?, out),
        Kind::Fixed32 => fixed32::encode(number, &u32(text)?, out),
        Kind::Uint64 => uint64::encode(number, &u64(text)?, out),
        Kind::Fixed64 => fixed64::encode(number, &u64(text)?, out),
        Kind::Float => float::encode(number, &real(text, f32::is_infinite)?, out),
        Kind::Double => double::encode(number, &real(text, f64::is_infinite)?, out),
        Kind::Enum(of) => int32::encode(number, &enum_value(&of, text)?, out),
        Kind::Message(of) => wire::put_message(field, &well_known(&of, text)?, out),
    }
    Ok(())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Both alphabets, padded or not.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let standard = text.replace('-', "+").replace('_', "/");
    base64::decode(standard.as_bytes()).ok_or_else(|| "expected base64".to_owned())
}

fn i32(text: &str) -> Result<i32, String> {
    integer(text, i32::MIN, i32::MAX)
}

fn i64(text: &str) -> Result<i64, String> {
    integer(text, i64::MIN, i64::MAX)
}

fn u32(text: &str) -> Result<u32, String> {
    integer(text, u32::MIN, u32::MAX)
}

fn u64(text: &str) -> Result<u64, String> {
    integer(text, u64::MIN, u64::MAX)
}

/// In the range of its type, which the text of an error names.
fn integer<N: FromStr + std::fmt::Display + Copy>(text: &str, min: N, max: N) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from {min} to {max}"))
}

/// A number, or the three names that JSON has for those that are none. Rust reads more names than these, and what is too
/// large as infinity.
fn real<N: FromStr + Copy>(text: &str, is_infinite: impl Fn(N) -> bool) -> Result<N, String> {
    let is_named = matches!(text, "NaN" | "Infinity" | "-Infinity");
    let is_digits = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse() {
        Ok(number) if is_named || is_digits && !is_infinite(number) => Ok(number),
        Ok(_) if is_digits => Err("out of range".to_owned()),
        _ => Err("expected a number, NaN, Infinity or -Infinity".to_owned()),
    }
}

/// By name or by number. A number without a name is kept where the language keeps such, which proto2 does not.
fn enum_value(of: &EnumDescriptor, text: &str) -> Result<i32, String> {
    let is_closed = of.parent_file().syntax() == Syntax::Proto2;
    let known = |number: &i32| !is_closed || of.get_value(*number).is_some();
    of.get_value_by_name(text)
        .map(|value| value.number())
        .or_else(|| text.parse().ok().filter(known))
        .ok_or_else(|| format!("no value of the enum {} has this name or number", of.full_name()))
}

/// The content of a message that has a text: those that are a text or number in JSON as that, and those that are any JSON as
/// JSON.
fn well_known(of: &MessageDescriptor, text: &str) -> Result<Vec<u8>, String> {
    let name = of.full_name().strip_prefix("google.protobuf.");
    match name.unwrap_or_default() {
        "Timestamp" | "Duration" | "FieldMask" => {
            let json = serde_json::Value::from(text).to_string();
            from_json(of, &json).map_err(|error| error.reason)
        }
        "Value" | "Struct" | "ListValue" => {
            from_json(of, text).map_err(|error| format!("expected JSON: {}", error.reason))
        }
        "BoolValue" | "BytesValue" | "StringValue" | "Int32Value" | "Int64Value" | "UInt32Value"
        | "UInt64Value" | "FloatValue" | "DoubleValue" => {
            let mut content = Vec::new();
            if let Some(field) = of.get_field_by_name("value") {
                append(&field, text, &mut content)?;
            }
            Ok(content)
        }
        _ => Err(format!(
            "it is a message of type {}, which text cannot express; name a field inside it after a dot",
            of.full_name()
        )),
    }
}

fn from_json(of: &MessageDescriptor, json: &str) -> Result<Vec<u8>, JsonError> {
    Plan::new(&Root::Message(of.clone())).to_wire(json.as_bytes())
}
