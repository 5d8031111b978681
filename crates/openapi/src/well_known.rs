//! Scalars and well-known types as proto3 JSON writes them.
//!
//! Replies are of exactly this form. Requests are understood in more forms than are told, such as 64-bit integers as
//! numbers, since one way to write each value is what a client needs to know.

use prost_reflect::Kind;

use crate::model::{Map, Schema, Types};

/// A duration in seconds, with a fraction or without.
const DURATION: &str = r"^-?[0-9]+(\.[0-9]{1,9})?s$";

fn of_type(name: &'static str) -> Schema {
    Schema {
        types: Some(Types::One(name)),
        ..Schema::default()
    }
}

fn formatted(name: &'static str, format: &'static str) -> Schema {
    Schema {
        format: Some(format),
        ..of_type(name)
    }
}

pub(crate) fn text() -> Schema {
    of_type("string")
}

pub(crate) fn object() -> Schema {
    of_type("object")
}

pub(crate) fn array(items: Schema) -> Schema {
    Schema {
        items: Some(Box::new(items)),
        ..of_type("array")
    }
}

/// A scalar, string or bytes value. `None` for messages and enums.
pub(crate) fn scalar(kind: &Kind) -> Option<Schema> {
    Some(match kind {
        Kind::String => text(),
        Kind::Bool => of_type("boolean"),
        Kind::Bytes => Schema {
            content_encoding: Some("base64"),
            ..text()
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => formatted("integer", "int32"),
        Kind::Uint32 | Kind::Fixed32 => Schema {
            minimum: Some(0),
            maximum: Some(u32::MAX),
            ..formatted("integer", "uint32")
        },
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Schema {
            pattern: Some("^-?[0-9]+$"),
            ..formatted("string", "int64")
        },
        Kind::Uint64 | Kind::Fixed64 => Schema {
            pattern: Some("^[0-9]+$"),
            ..formatted("string", "uint64")
        },
        Kind::Float => floating("float"),
        Kind::Double => floating("double"),
        Kind::Message(_) | Kind::Enum(_) => return None,
    })
}

/// JSON has no number for these three.
fn floating(format: &'static str) -> Schema {
    let names = Schema {
        values: ["NaN", "Infinity", "-Infinity"].map(str::to_owned).to_vec(),
        ..text()
    };
    Schema {
        one_of: vec![formatted("number", format), names],
        ..Schema::default()
    }
}

/// The schema of a type whose JSON is not an object of its fields, and of the empty message. `None` for all others.
pub(crate) fn message(full_name: &str) -> Option<Schema> {
    let name = full_name.strip_prefix("google.protobuf.")?;
    if let Some(wrapped) = wrapped(name) {
        return scalar(&wrapped).map(nullable);
    }
    Some(match name {
        "Empty" => object(),
        "Timestamp" => formatted("string", "date-time"),
        "Duration" => Schema {
            pattern: Some(DURATION),
            ..text()
        },
        "FieldMask" => Schema {
            description: Some("Paths of fields, joined by commas.".to_owned()),
            ..text()
        },
        "Struct" => with_any_property(object()),
        "Value" => Schema::default(),
        "ListValue" => array(Schema::default()),
        "Any" => with_any_property(Schema {
            properties: Map::one("@type", text()),
            ..object()
        }),
        _ => return None,
    })
}

fn with_any_property(object: Schema) -> Schema {
    Schema {
        additional_properties: Some(Box::default()),
        ..object
    }
}

/// The schema of an enum that is not written by name.
pub(crate) fn enumeration(full_name: &str) -> Option<Schema> {
    (full_name == "google.protobuf.NullValue").then(|| of_type("null"))
}

/// How a query parameter expresses a message.
pub(crate) enum TextForm {
    /// As the text of its JSON, without quotes.
    Plain(Schema),
    /// As JSON.
    Json(Schema),
}

/// How text alone can express a message; `None` if it cannot.
pub(crate) fn text_form(full_name: &str) -> Option<TextForm> {
    match full_name.strip_prefix("google.protobuf.")? {
        "Timestamp" | "Duration" | "FieldMask" => message(full_name).map(TextForm::Plain),
        "Struct" | "Value" | "ListValue" => message(full_name).map(TextForm::Json),
        name => scalar(&wrapped(name)?).map(TextForm::Plain),
    }
}

pub(crate) fn json_text() -> Schema {
    Schema {
        content_media_type: Some("application/json"),
        ..text()
    }
}

fn wrapped(name: &str) -> Option<Kind> {
    Some(match name {
        "BoolValue" => Kind::Bool,
        "BytesValue" => Kind::Bytes,
        "StringValue" => Kind::String,
        "Int32Value" => Kind::Int32,
        "Int64Value" => Kind::Int64,
        "UInt32Value" => Kind::Uint32,
        "UInt64Value" => Kind::Uint64,
        "FloatValue" => Kind::Float,
        "DoubleValue" => Kind::Double,
        _ => return None,
    })
}

fn nullable(mut schema: Schema) -> Schema {
    match schema.types {
        Some(Types::One(name)) => schema.types = Some(Types::Either([name, "null"])),
        _ => schema.one_of.push(of_type("null")),
    }
    schema
}
