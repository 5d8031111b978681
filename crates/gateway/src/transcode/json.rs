//! The proto3 JSON mapping of request and reply messages.

use bytes::Bytes;
use cloudstate_runtime::Code;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, MessageDescriptor, SerializeOptions,
};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::locate;
use crate::status::Status;

const READ: DeserializeOptions = DeserializeOptions::new().deny_unknown_fields(true);
/// Default-valued fields are printed: a client sees every field that a reply can have.
const WRITE: SerializeOptions = SerializeOptions::new().skip_default_fields(false);

/// Reads a message. INVALID_ARGUMENT names the field at fault and its position; `prefix` is the path of the message itself.
pub(super) fn parse(of: &MessageDescriptor, text: &[u8], prefix: &str) -> Result<DynamicMessage, Status> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    DynamicMessage::deserialize_with_options(of.clone(), &mut reader, &READ)
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| malformed(&error, of.full_name(), text, prefix))
}

/// Reads the value of one field, of any type, and gives a message that has only this field.
pub(super) fn parse_field(field: &FieldDescriptor, text: &[u8]) -> Result<DynamicMessage, Status> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let only = OnlyField {
        name: Some(field.name()),
        value: &mut reader,
    };
    DynamicMessage::deserialize_with_options(field.parent_message().clone(), only, &READ)
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| malformed(&error, field.full_name(), text, field.name()))
}

/// Reads like an object with a single field, whose value the reader gives.
struct OnlyField<'a, R> {
    /// `None` once it was read.
    name: Option<&'a str>,
    value: &'a mut serde_json::Deserializer<R>,
}

impl<'de, R: serde_json::de::Read<'de>> Deserializer<'de> for OnlyField<'_, R> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, R: serde_json::de::Read<'de>> MapAccess<'de> for OnlyField<'_, R> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        seed.deserialize(&mut *self.value)
    }
}

/// `of` names what the text should have been, `prefix` where it stands.
fn malformed(error: &serde_json::Error, of: &str, text: &[u8], prefix: &str) -> Status {
    let invalid = |text: String| Status::new(Code::InvalidArgument, text);
    if text.trim_ascii().is_empty() {
        return invalid(format!("the request body is empty, but must be JSON for {of}"));
    }
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let why = full
        .strip_suffix(&format!(" at line {line} column {column}"))
        .unwrap_or(&full);
    let place = format!("line {line}, column {column}");
    if !error.is_data() {
        return invalid(format!("malformed JSON at {place}: {why}"));
    }
    let path = locate::path_at(text, line, column);
    let field = match (prefix, path.as_str()) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) if path.starts_with('[') => [prefix, path].concat(),
        (prefix, path) => [prefix, ".", path].concat(),
    };
    if field.is_empty() {
        return invalid(format!("the JSON at {place} is no {of}: {why}"));
    }
    let mut status = invalid(format!("field [{field}] at {place}: {why}"));
    status.violation = Some((field, format!("{why} ({place})")));
    status
}

/// Writes a message, without insignificant white space.
pub(super) fn write(message: &DynamicMessage) -> Result<Bytes, serde_json::Error> {
    let mut text = serde_json::Serializer::new(Vec::with_capacity(128));
    message.serialize_with_options(&mut text, &WRITE)?;
    Ok(text.into_inner().into())
}

/// Writes one field of a message as it stands within the whole; `null` if it is a field that is not set.
pub(super) fn write_field(
    message: &DynamicMessage,
    field: &FieldDescriptor,
) -> Result<Bytes, serde_json::Error> {
    let whole = write(message)?;
    let fields: std::collections::HashMap<&str, &RawValue> = serde_json::from_slice(&whole)?;
    let text = fields.get(field.json_name()).map_or("null", |value| value.get());
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}
