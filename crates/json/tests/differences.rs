//! Where the plan differs from prost-reflect on purpose. Anything else is a fault: see `like_prost_reflect.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use common::{descriptor, meaning, oracle_read, oracle_written, read, written};
use prost::Message;
use prost::encoding::{WireType, encode_key};
use prost_reflect::{DynamicMessage, Value};
use serde_json::json;

/// What the plan refuses and prost-reflect takes, with the reason for the refusal.
fn stricter(name: &str, json: &str, reason: &str) {
    let error = read(name, json).expect_err(json);
    assert!(error.reason.contains(reason), "{json}: {error}");
    assert!(oracle_read(name, json).is_ok(), "{json} is no difference");
}

/// The mapping leaves it open what the second of two equal names means. One of the two was a mistake, and silently taking
/// either would hide it.
#[test]
fn a_field_given_twice_is_refused() {
    stricter("shapes.Tree", r#"{"name": "a", "name": "b"}"#, "given twice");
    stricter("shapes.Tree", r#"{"name": "a", "name": null}"#, "given twice");
    stricter(
        "shapes.Names",
        r#"{"long_snake_case_name": "a", "longSnakeCaseName": "b"}"#,
        "given twice",
    );
    stricter(
        "shapes.Tree",
        r#"{"named": {"a": {}, "b": {}, "a": {}}}"#,
        "given twice",
    );
    stricter("shapes.Maps", r#"{"int32s": {"1": 0, "01": 0}}"#, "given twice");
    stricter("google.protobuf.Struct", r#"{"a": 1, "a": 1}"#, "given twice");
    stricter("google.protobuf.Value", r#"[{"a": 1, "a": 1}]"#, "given twice");
}

/// Written as floating point, the first number beyond 64 bits slips through prost-reflect's comparison and becomes the
/// greatest number within.
#[test]
fn the_first_integer_out_of_range_is_out_of_range() {
    stricter(
        "shapes.Scalars",
        r#"{"uint64": 18446744073709551616}"#,
        "a whole number from 0 to",
    );
    stricter(
        "shapes.Scalars",
        r#"{"int64": 9223372036854775808.0}"#,
        "a whole number from -9223372036854775808",
    );
    stricter(
        "shapes.Scalars",
        r#"{"sfixed64": 9.223372036854775808e18}"#,
        "a whole number from",
    );
}

/// As text, numbers beyond their range must not become infinite; the mapping has other words for that.
#[test]
fn infinity_is_never_meant_by_a_number() {
    stricter("shapes.Scalars", r#"{"double": "1e400"}"#, "a number");
    stricter("shapes.Scalars", r#"{"float": "-3.5e38"}"#, "a number");
}

/// Rust reads more spellings than the three of the mapping.
#[test]
fn only_the_names_of_the_mapping_are_numbers() {
    for name in ["inf", "-inf", "infinity", "-INFINITY", "nan", "-NaN", "+Infinity"] {
        stricter(
            "shapes.Scalars",
            &format!(r#"{{"double": "{name}"}}"#),
            "a number",
        );
        stricter(
            "shapes.Lists",
            &format!(r#"{{"floats": ["{name}"]}}"#),
            "a number",
        );
    }
}

/// Minus zero is not the default value: protobuf compares bits. prost-reflect loses it when it encodes.
#[test]
fn minus_zero_reaches_the_wire() {
    let json = r#"{"double": -0.0, "float": -0.0}"#;
    let message = read("shapes.Scalars", json).unwrap();
    let field = |message: &DynamicMessage, name| message.get_field_by_name(name).unwrap().into_owned();
    assert!(matches!(field(&message, "double"), Value::F64(value) if value.is_sign_negative()));
    assert!(matches!(field(&message, "float"), Value::F32(value) if value.is_sign_negative()));
    assert!(
        oracle_read("shapes.Scalars", json)
            .unwrap()
            .encode_to_vec()
            .is_empty()
    );
}

/// Wrappers are written as what they wrap. prost-reflect writes `null`, which is absence.
#[test]
fn wrapped_numbers_that_are_not_finite_have_their_names() {
    let mut message = DynamicMessage::new(descriptor("google.protobuf.FloatValue"));
    message.set_field_by_name("value", Value::F32(f32::NEG_INFINITY));
    let wire = message.encode_to_vec();
    assert_eq!(
        written("google.protobuf.FloatValue", &wire).unwrap(),
        "\"-Infinity\""
    );
    assert_eq!(
        oracle_written("google.protobuf.FloatValue", &wire).unwrap(),
        "null"
    );
    let mut message = DynamicMessage::new(descriptor("google.protobuf.DoubleValue"));
    message.set_field_by_name("value", Value::F64(f64::NAN));
    assert_eq!(
        written("google.protobuf.DoubleValue", &message.encode_to_vec()).unwrap(),
        "\"NaN\""
    );
}

/// `null` is a value for a `google.protobuf.Value`, but a list of such is absent, as any list. prost-reflect puts the one in
/// the place of the other, and panics in debug builds.
#[test]
fn null_for_a_list_of_values_is_no_list() {
    let message = read("shapes.Nulls", r#"{"values": null, "nothings": null}"#).unwrap();
    assert_eq!(meaning(&message), json!({}));
    let message = read("shapes.Nulls", r#"{"values": [null], "nothings": [null, null]}"#).unwrap();
    assert_eq!(
        meaning(&message),
        json!({"values": [null], "nothings": [null, null]})
    );
}

/// prost-reflect does not look at the wire type of a map's record.
#[test]
fn a_map_needs_the_wire_type_of_messages() {
    let mut wire = Vec::new();
    encode_key(1, WireType::Varint, &mut wire);
    wire.extend_from_slice(&[2, 0x08, 5]);
    let error = written("shapes.Maps", &wire).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field [int32s] at byte 1: it cannot have the wire type Varint"
    );
    assert_eq!(error.offset, Some(1));
    assert!(oracle_written("shapes.Maps", &wire).is_ok());
}

/// Map entries are messages, and other readers count them. prost-reflect does not.
#[test]
fn map_entries_count_for_the_depth() {
    let nested = |levels: usize| {
        [
            r#"{"named":{"a":"#.repeat(levels),
            "{}".to_owned(),
            "}}".repeat(levels),
        ]
        .concat()
    };
    let wire = read("shapes.Tree", &nested(50)).unwrap().encode_to_vec();
    assert!(written("shapes.Tree", &wire).is_ok());
    stricter("shapes.Tree", &nested(51), "messages nest deeper than 100");
    let wire = oracle_read("shapes.Tree", &nested(51)).unwrap().encode_to_vec();
    let error = written("shapes.Tree", &wire).unwrap_err();
    assert_eq!(error.reason, "messages nest deeper than 100");
    assert!(oracle_written("shapes.Tree", &wire).is_ok());
}

/// The mapping takes exponents in integers that are text, as in those that are not.
#[test]
fn integers_as_text_may_have_an_exponent() {
    let json = r#"{"int32": "1e5", "uint64": "1.5E1", "sint64": "-2e0"}"#;
    let message = read("shapes.Scalars", json).unwrap();
    assert_eq!(
        meaning(&message),
        json!({"int32": 100_000, "uint64": "15", "sint64": "-2"})
    );
    assert!(oracle_read("shapes.Scalars", json).is_err());
    assert!(read("shapes.Scalars", r#"{"uint32": "-1e0"}"#).is_err());
    assert!(read("shapes.Scalars", r#"{"int32": "1e10"}"#).is_err());
}

/// Protobuf has no leap seconds and counts to the nanosecond, and offsets are those of clocks.
#[test]
fn times_are_those_of_protobuf() {
    stricter(
        "google.protobuf.Timestamp",
        r#""2016-12-31T23:59:60Z""#,
        "a time such as",
    );
    stricter(
        "google.protobuf.Timestamp",
        r#""1970-01-01T00:00:00.1234567890Z""#,
        "a time such as",
    );
    stricter(
        "google.protobuf.Duration",
        r#""0.1234567890s""#,
        "seconds such as",
    );
}

/// What a text could not tell is not made fit to be told.
#[test]
fn nanoseconds_that_are_none_have_no_text() {
    for (name, seconds, nanos) in [
        ("google.protobuf.Duration", 1, -1),
        ("google.protobuf.Duration", -1, 1),
        ("google.protobuf.Timestamp", 5000, -1),
        ("google.protobuf.Timestamp", 5000, 1_000_000_000),
    ] {
        let mut message = DynamicMessage::new(descriptor(name));
        message.set_field_by_name("seconds", Value::I64(seconds));
        message.set_field_by_name("nanos", Value::I32(nanos));
        let wire = message.encode_to_vec();
        let error = written(name, &wire).unwrap_err();
        assert!(error.reason.contains("nanoseconds"), "{error}");
        assert!(oracle_written(name, &wire).is_ok(), "{name} {seconds} {nanos}");
    }
}

/// The mapping writes an `Any` without a type as an empty object, and an `Empty` in one needs no value.
#[test]
fn any_may_be_empty() {
    let of = "google.protobuf.Any";
    assert_eq!(meaning_of_any("{}"), (String::new(), 0));
    assert_eq!(written(of, &[]).unwrap(), "{}");
    assert!(oracle_read(of, "{}").is_err() && oracle_written(of, &[]).is_err());
    let empty = r#"{"@type": "x/google.protobuf.Empty"}"#;
    assert_eq!(meaning_of_any(empty), ("x/google.protobuf.Empty".to_owned(), 0));
    assert!(oracle_read(of, empty).is_err());
}

fn meaning_of_any(json: &str) -> (String, usize) {
    let message = read("google.protobuf.Any", json).unwrap();
    let field = |name| message.get_field_by_name(name).unwrap().into_owned();
    let url = field("type_url").as_str().unwrap().to_owned();
    (url, field("value").as_bytes().unwrap().len())
}
