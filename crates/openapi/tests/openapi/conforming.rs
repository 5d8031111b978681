//! What the proxy really writes as JSON, held to the schemas of the document by a published validator.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use cloudstate_protocol::names;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value};
use serde_json::json;

use crate::support;

/// As the gateway prints replies.
const WRITE: SerializeOptions = SerializeOptions::new().skip_default_fields(false);
const OF: &str = "library.Everything";

/// Picks a value of each kind by a number: extremes first.
fn scalar(kind: &Kind, pick: usize) -> Value {
    let of = |values: &[Value]| values[pick % values.len()].clone();
    match kind {
        Kind::Double => of(&[f64::NAN, f64::NEG_INFINITY, 1e300, -0.5, 7.0].map(Value::F64)),
        Kind::Float => of(&[f32::INFINITY, f32::NAN, 1e-30, 7.0].map(Value::F32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => of(&[i32::MIN, i32::MAX, 0].map(Value::I32)),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => of(&[i64::MIN, i64::MAX, 0].map(Value::I64)),
        Kind::Uint32 | Kind::Fixed32 => of(&[u32::MAX, 0].map(Value::U32)),
        Kind::Uint64 | Kind::Fixed64 => of(&[u64::MAX, 0].map(Value::U64)),
        Kind::Bool => of(&[true, false].map(Value::Bool)),
        Kind::String => of(&["", "text", "\u{0}\"ü"].map(|text| Value::String(text.to_owned()))),
        Kind::Bytes => of(&[&b""[..], b"\xff\xfe", b"abc"].map(|bytes| Value::Bytes(bytes.into()))),
        Kind::Enum(of_enum) => {
            let numbers: Vec<i32> = of_enum.values().map(|value| value.number()).collect();
            Value::EnumNumber(numbers[pick % numbers.len()])
        }
        Kind::Message(_) => unreachable!("messages are made by `message`"),
    }
}

/// Keeps well-known types within what their JSON form allows.
fn message(of: &MessageDescriptor, pick: usize, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    let mut set = |name: &str, value: Value| message.set_field_by_name(name, value);
    match of.full_name() {
        "google.protobuf.Timestamp" => set(
            "seconds",
            Value::I64([0, -62_135_596_800, 253_402_300_799][pick % 3]),
        ),
        "google.protobuf.Duration" => {
            set("seconds", Value::I64([0, -315_576_000_000, 1][pick % 3]));
            set("nanos", Value::I32([0, 0, 5][pick % 3]));
        }
        "google.protobuf.FieldMask" => {
            let paths = ["a_b.c", "d"].map(|path| Value::String(path.to_owned()));
            set("paths", Value::List(paths.to_vec()));
        }
        "google.protobuf.Any" => set(
            "type_url",
            Value::String("type.googleapis.com/google.protobuf.Empty".to_owned()),
        ),
        "google.protobuf.Value" => set("number_value", Value::F64(1.5)),
        _ => {
            let depth = depth + 1;
            for (index, field) in of.fields().enumerate() {
                // Of a oneof, the last one set stays.
                if !(pick + index).is_multiple_of(5)
                    && let Some(value) = content(&field, pick + index, depth)
                {
                    message.set_field(&field, value);
                }
            }
        }
    }
    message
}

fn content(field: &FieldDescriptor, pick: usize, depth: usize) -> Option<Value> {
    let value = |kind: &Kind, pick: usize| match kind {
        Kind::Message(of) if depth < 4 => Some(Value::Message(message(of, pick, depth))),
        Kind::Message(_) => None,
        kind => Some(scalar(kind, pick)),
    };
    Some(match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let key = scalar(&entry.map_entry_key_field().kind(), pick).into_map_key()?;
            let value = value(&entry.map_entry_value_field().kind(), pick)?;
            Value::Map([(key, value)].into())
        }
        kind if field.is_list() => Value::List(vec![value(&kind, pick)?, value(&kind, pick + 1)?]),
        kind => value(&kind, pick)?,
    })
}

#[test]
fn replies_are_as_the_schemas_say() {
    let test = "replies_are_as_the_schemas_say";
    let Some(validator) = cloudstate_test_support::program(test, "openapi-spec-validator") else {
        return;
    };
    let catalog = support::catalog(include_str!("library.proto"), &[(names::ACTION, "library.Desk")]);
    let of = catalog.pool().get_message_by_name(OF).unwrap();
    let good: Vec<serde_json::Value> = (0..60)
        .map(|pick| {
            let message = message(&of, pick, 0);
            message
                .serialize_with_options(serde_json::value::Serializer, &WRITE)
                .unwrap()
        })
        .collect();
    let bad = [
        json!({"aDouble": "1.5"}),
        json!({"anInt32": "1"}),
        json!({"aUint32": -1}),
        json!({"anInt64": 1}),
        json!({"aUint64": "-1"}),
        json!({"someBytes": 1}),
        json!({"one": "", "other": ""}),
        json!({"duration": "1"}),
        json!({"null": 0}),
        json!({"int32Value": "null"}),
        json!({"byBool": {"yes": {}}}),
        json!({"byInt": {"1.5": "NOVEL"}}),
        json!({"byInt": {"1": "novel"}}),
        json!({"all": {}}),
        json!({"inner": {"nested": 7}}),
    ];
    let document = support::json(&catalog);
    let input = json!({"document": document, "of": OF, "good": good, "bad": bad});
    // The interpreter beside the validator has the library that the validator is made of.
    let python = fs::canonicalize(validator).unwrap().with_file_name("python3");
    let mut child = Command::new(python)
        .args(["-c", include_str!("conforming.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let said = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "75 checked\n");
    assert!(said.status.success());
}
