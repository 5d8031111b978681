//! Arbitrary messages of any type.

use std::collections::HashMap;

use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// Messages with messages in them down to a depth.
pub fn arbitrary(of: MessageDescriptor, depth: usize) -> BoxedStrategy<DynamicMessage> {
    if let Some(special) = special(&of) {
        return special;
    }
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    let values: Vec<BoxedStrategy<Option<Value>>> = fields
        .iter()
        .map(|field| match field_value(field, depth) {
            Some(values) => proptest::option::weighted(0.4, values).boxed(),
            None => Just(None).boxed(),
        })
        .collect();
    values
        .prop_map(move |values| {
            let mut message = DynamicMessage::new(of.clone());
            for (field, value) in fields.iter().zip(values) {
                if let Some(value) = value {
                    message.set_field(field, value);
                }
            }
            message
        })
        .boxed()
}

/// Types that are better not filled field by field.
fn special(of: &MessageDescriptor) -> Option<BoxedStrategy<DynamicMessage>> {
    let json = |values: BoxedStrategy<serde_json::Value>| {
        let of = of.clone();
        let message = move |value| DynamicMessage::deserialize(of.clone(), value).unwrap();
        Some(values.prop_map(message).boxed())
    };
    match of.full_name() {
        "google.protobuf.Timestamp" => pair(of, -62_135_596_800..=253_402_300_799, 0..=999_999_999),
        "google.protobuf.Duration" => {
            pair(of, -315_576_000_000..=315_576_000_000, -999_999_999..=999_999_999)
        }
        "google.protobuf.FieldMask" => json(
            "[a-z]{0,3}(\\.[a-z]{1,3}([A-Z][a-z]{1,2})?)?(,[a-z]{1,3}){0,2}"
                .prop_map(Into::into)
                .boxed(),
        ),
        "google.protobuf.Value" => json(json_value()),
        "google.protobuf.Struct" => json(
            proptest::collection::btree_map("[a-c]{0,2}", json_value(), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
                .boxed(),
        ),
        "google.protobuf.ListValue" => json(
            proptest::collection::vec(json_value(), 0..4)
                .prop_map(serde_json::Value::from)
                .boxed(),
        ),
        "google.protobuf.Any" => any_message(of),
        _ => None,
    }
}

/// Seconds and nanoseconds, now and then beyond their ranges.
fn pair(
    of: &MessageDescriptor,
    seconds: std::ops::RangeInclusive<i64>,
    nanos: std::ops::RangeInclusive<i32>,
) -> Option<BoxedStrategy<DynamicMessage>> {
    let seconds = prop_oneof![8 => seconds, 4 => -2i64..3, 1 => any::<i64>()];
    let nanos =
        prop_oneof![4 => nanos, 2 => Just(0), 2 => Just(5_000_000), 2 => Just(7_000), 1 => any::<i32>()];
    let is_span = of.name() == "Duration";
    let of = of.clone();
    let message = move |(seconds, nanos): (i64, i32)| {
        let mut message = DynamicMessage::new(of.clone());
        // Of a time span both mostly have one sign, as they must.
        let nanos: i32 = match is_span && nanos % 8 != 0 && seconds != 0 {
            true => nanos.saturating_abs() * seconds.signum() as i32,
            false => nanos,
        };
        message.set_field_by_name("seconds", Value::I64(seconds));
        message.set_field_by_name("nanos", Value::I32(nanos));
        message
    };
    Some((seconds, nanos).prop_map(message).boxed())
}

fn json_value() -> BoxedStrategy<serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        finite().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-c]{0,2}", inner, 0..3)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Of known and unknown types, with whole and broken messages.
fn any_message(of: &MessageDescriptor) -> Option<BoxedStrategy<DynamicMessage>> {
    let types = vec!["shapes.Tree", "google.protobuf.Duration", "shapes.Scalars"];
    let known = proptest::sample::select(types).prop_flat_map(|name| {
        let message = arbitrary(super::descriptor(name), 0);
        message.prop_map(move |message| (format!("type.googleapis.com/{name}"), message.encode_to_vec()))
    });
    let unknown = ("[a-z/.]{0,8}", proptest::collection::vec(any::<u8>(), 0..4));
    let of = of.clone();
    let message = move |(type_url, value): (String, Vec<u8>)| {
        let mut message = DynamicMessage::new(of.clone());
        message.set_field_by_name("type_url", Value::String(type_url));
        message.set_field_by_name("value", Value::Bytes(value.into()));
        message
    };
    Some(prop_oneof![9 => known, 1 => unknown].prop_map(message).boxed())
}

fn field_value(field: &FieldDescriptor, depth: usize) -> Option<BoxedStrategy<Value>> {
    if field.is_map() {
        let entry = field.kind().as_message().unwrap().clone();
        let keys = value(&entry.map_entry_key_field().kind(), 0)?.prop_map(key);
        let values = value(&entry.map_entry_value_field().kind(), depth)?;
        let entries = proptest::collection::vec((keys, values), 0..4);
        let map = entries.prop_map(|entries| Value::Map(HashMap::from_iter(entries)));
        Some(map.boxed())
    } else if field.is_list() {
        let values = proptest::collection::vec(value(&field.kind(), depth)?, 0..4);
        Some(values.prop_map(Value::List).boxed())
    } else {
        value(&field.kind(), depth)
    }
}

fn key(value: Value) -> MapKey {
    match value {
        Value::Bool(value) => MapKey::Bool(value),
        Value::I32(value) => MapKey::I32(value),
        Value::I64(value) => MapKey::I64(value),
        Value::U32(value) => MapKey::U32(value),
        Value::U64(value) => MapKey::U64(value),
        Value::String(value) => MapKey::String(value),
        other => panic!("{other:?} is no key"),
    }
}

fn value(kind: &Kind, depth: usize) -> Option<BoxedStrategy<Value>> {
    Some(match kind {
        Kind::Double => prop_oneof![finite(), any::<f64>(), special_number()]
            .prop_map(Value::F64)
            .boxed(),
        Kind::Float => prop_oneof![any::<f32>(), special_number().prop_map(|value| value as f32)]
            .prop_map(Value::F32)
            .boxed(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            prop_oneof![any::<i32>(), -2..3, Just(i32::MIN), Just(i32::MAX)]
                .prop_map(Value::I32)
                .boxed()
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            prop_oneof![any::<i64>(), -2i64..3, Just(i64::MIN), Just(i64::MAX)]
                .prop_map(Value::I64)
                .boxed()
        }
        Kind::Uint32 | Kind::Fixed32 => prop_oneof![any::<u32>(), 0u32..3, Just(u32::MAX)]
            .prop_map(Value::U32)
            .boxed(),
        Kind::Uint64 | Kind::Fixed64 => prop_oneof![any::<u64>(), 0u64..3, Just(u64::MAX)]
            .prop_map(Value::U64)
            .boxed(),
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::String => text().prop_map(Value::String).boxed(),
        Kind::Bytes => prop_oneof![
            8 => proptest::collection::vec(any::<u8>(), 0..6),
            1 => proptest::collection::vec(any::<u8>(), 120..200),
        ]
        .prop_map(|bytes| Value::Bytes(bytes.into()))
        .boxed(),
        Kind::Enum(of) => {
            let known: Vec<i32> = of.values().map(|value| value.number()).collect();
            prop_oneof![8 => proptest::sample::select(known), 1 => any::<i32>()]
                .prop_map(Value::EnumNumber)
                .boxed()
        }
        Kind::Message(of) if depth == 0 && special(of).is_none() && of.fields().len() > 1 => return None,
        Kind::Message(of) => arbitrary(of.clone(), depth.saturating_sub(1))
            .prop_map(Value::Message)
            .boxed(),
    })
}

fn finite() -> BoxedStrategy<f64> {
    proptest::num::f64::NORMAL.boxed()
}

fn special_number() -> BoxedStrategy<f64> {
    proptest::sample::select(vec![
        0.0,
        -0.0,
        1.0,
        1e300,
        f64::MAX,
        5e-324,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ])
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![8 => "[a-c]{0,3}", 4 => ".{0,5}", 2 => "[\\x00-\\x7f]{0,6}", 1 => "[é😀\"\\\\/]{100,150}"]
        .boxed()
}
