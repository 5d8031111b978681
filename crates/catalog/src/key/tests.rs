use std::borrow::Cow;
use std::sync::LazyLock;

use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};

use super::{Key, KeyError};
use crate::testing::{compile_file, pool};

/// One message a type, each with the key field `key` of number 2 between others.
const SCALARS: &[&str] = &[
    "string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "float", "double", "Color",
];

static KEYS: LazyLock<Vec<(Key, MessageDescriptor)>> = LazyLock::new(|| {
    let messages: String = SCALARS
        .iter()
        .map(|scalar| {
            let name = scalar.to_uppercase();
            format!(
                "message {name} {{ int64 before = 1; {scalar} key = 2 [(cloudstate.entity_key) = true]; \
                 repeated fixed32 after = 3; {name} nested = 16; }}"
            )
        })
        .collect();
    let methods: String = SCALARS
        .iter()
        .map(|scalar| format!("rpc M{}({}) returns (Many);", scalar, scalar.to_uppercase()))
        .collect();
    let text = format!(
        "enum Color {{ option allow_alias = true; RED = 0; GREEN = 1; ALSO_GREEN = 1; DARK = -1; }} {messages}
        message Many {{
            string text = 9 [(cloudstate.entity_key) = true]; int32 number = 2 [(cloudstate.legacy_entity_key) = true];
            string plain = 3; bytes raw = 1 [(cloudstate.entity_key) = true];
        }}
        message Choice {{ oneof which {{ string key = 1 [(cloudstate.entity_key) = true]; int32 other = 2; }} }}
        message Two {{ string a = 1 [(cloudstate.entity_key) = true]; string b = 2 [(cloudstate.entity_key) = true]; }}
        service Service {{ {methods} rpc Many(Many) returns (Many); rpc Choice(Choice) returns (Many); rpc Two(Two) returns (Two); }}"
    );
    let service = pool(&text).get_service_by_name("test.Service").unwrap();
    service
        .methods()
        .map(|method| (Key::of(&method).unwrap(), method.input()))
        .collect()
});

fn key_of(message: &str) -> &'static (Key, MessageDescriptor) {
    KEYS.iter().find(|(_, input)| input.name() == message).unwrap()
}

fn id(message: &str, set: impl FnOnce(&mut DynamicMessage)) -> Result<String, KeyError> {
    let (key, input) = key_of(message);
    let mut request = DynamicMessage::new(input.clone());
    set(&mut request);
    let request = prost::Message::encode_to_vec(&request);
    key.extract(&request).map(Cow::into_owned)
}

fn id_of(message: &str, value: Value) -> Result<String, KeyError> {
    id(message, |request| request.set_field_by_name("key", value))
}

#[test]
fn every_scalar_type_has_its_text() {
    let text = |message, value| id_of(message, value).unwrap();
    assert_eq!(text("STRING", Value::String("a-b/ü%".into())), "a-b/ü%");
    assert_eq!(text("BYTES", Value::Bytes(b"\xff\xfe?"[..].into())), "__4_");
    assert_eq!(text("BYTES", Value::Bytes(b"a"[..].into())), "YQ");
    assert_eq!(text("BOOL", Value::Bool(true)), "true");
    assert_eq!(text("BOOL", Value::Bool(false)), "false");
    assert_eq!(text("INT32", Value::I32(-7)), "-7");
    assert_eq!(text("INT64", Value::I64(i64::MIN)), "-9223372036854775808");
    assert_eq!(text("UINT32", Value::U32(u32::MAX)), "4294967295");
    assert_eq!(text("UINT64", Value::U64(u64::MAX)), "18446744073709551615");
    assert_eq!(text("SINT32", Value::I32(i32::MIN)), "-2147483648");
    assert_eq!(text("SINT64", Value::I64(i64::MIN)), "-9223372036854775808");
    assert_eq!(text("FIXED32", Value::U32(u32::MAX)), "4294967295");
    assert_eq!(text("FIXED64", Value::U64(u64::MAX)), "18446744073709551615");
    assert_eq!(text("SFIXED32", Value::I32(-1)), "-1");
    assert_eq!(text("SFIXED64", Value::I64(-1)), "-1");
    assert_eq!(
        text("COLOR", Value::EnumNumber(1)),
        "GREEN",
        "of aliases the first counts"
    );
    assert_eq!(text("COLOR", Value::EnumNumber(-1)), "DARK");
    assert_eq!(text("COLOR", Value::EnumNumber(5)), "5");
}

#[test]
fn floats_have_one_text_each() {
    for (value, expected) in [
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (0.0, "0.0"),
        (100.0, "100.0"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1.25e10, "1.25E10"),
        (0.001, "0.001"),
        (0.0125, "0.0125"),
        (0.000_999, "9.99E-4"),
        (f64::MAX, "1.7976931348623157E308"),
        (5e-324, "5.0E-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(id_of("DOUBLE", Value::F64(value)).unwrap(), expected);
    }
    assert_eq!(
        id_of("FLOAT", Value::F32(0.1)).unwrap(),
        "0.1",
        "the shortest text of a float, not of a double"
    );
    assert_eq!(id_of("FLOAT", Value::F32(f32::MAX)).unwrap(), "3.4028235E38");
}

#[test]
fn an_absent_field_has_the_text_of_its_default() {
    let absent = |message| id(message, |_| ());
    for (message, text) in [
        ("INT32", "0"),
        ("BOOL", "false"),
        ("DOUBLE", "0.0"),
        ("COLOR", "RED"),
    ] {
        assert_eq!(absent(message).unwrap(), text);
    }
    for message in ["STRING", "BYTES"] {
        let error = absent(message).unwrap_err();
        assert_eq!(error, KeyError::Empty { field: "key".into() });
        assert_eq!(error.to_string(), "the entity key field [key] is empty");
    }
}

#[test]
fn declared_defaults_of_proto2_count() {
    let files = compile_file(
        r#"syntax = "proto2"; package test; import "cloudstate/entity_key.proto";
        message Request { optional string id = 1 [(cloudstate.entity_key) = true, default = "main"]; }
        service Service { rpc Call(Request) returns (Request); }"#,
    );
    let pool = prost_reflect::DescriptorPool::decode(files).unwrap();
    let method = pool
        .get_service_by_name("test.Service")
        .unwrap()
        .methods()
        .next()
        .unwrap();
    let key = Key::of(&method).unwrap();
    assert_eq!(key.extract(b"").unwrap(), "main");
    assert_eq!(key.extract(b"\x0a\x01x").unwrap(), "x");
    assert!(
        matches!(key.extract(b"\x0a\x00"), Err(KeyError::Empty { .. })),
        "set to empty is not absent"
    );
}

#[test]
fn several_fields_are_joined_in_the_order_of_declaration() {
    let joined = id("Many", |request| {
        request.set_field_by_name("text", Value::String("50%-off".into()));
        request.set_field_by_name("number", Value::I32(-3));
        request.set_field_by_name("raw", Value::Bytes(b"\xfb"[..].into()));
    });
    assert_eq!(joined.unwrap(), "50%25%2Doff-%2D3-%2Dw");
    let defaults = id("Many", |_| ());
    assert_eq!(defaults.unwrap(), "-0-", "an integer is never empty");
}

#[test]
fn several_fields_that_are_all_empty_make_no_id() {
    let error = id("Two", |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the entity key field [a, b] is empty");
}

#[test]
fn the_last_occurrence_wins() {
    let (key, _) = key_of("STRING");
    assert_eq!(key.extract(b"\x12\x01a\x08\x05\x12\x01b").unwrap(), "b");
}

#[test]
fn a_later_member_of_the_oneof_clears_the_key() {
    let (key, _) = key_of("Choice");
    assert_eq!(key.extract(b"\x10\x05\x0a\x01a").unwrap(), "a");
    assert!(matches!(
        key.extract(b"\x0a\x01a\x10\x05"),
        Err(KeyError::Empty { .. })
    ));
}

#[test]
fn ids_over_the_limit_are_refused() {
    assert_eq!(
        id_of("STRING", Value::String("x".repeat(1024))).unwrap().len(),
        1024
    );
    assert_eq!(
        id_of("STRING", Value::String("x".repeat(1025)))
            .unwrap_err()
            .to_string(),
        "the entity key field [key] makes an entity id of 1025 bytes, but at most 1024 are allowed"
    );
}

#[test]
fn malformed_requests_are_refused() {
    let (key, _) = key_of("STRING");
    let refused = |request: &[u8]| key.extract(request).unwrap_err().to_string();
    assert_eq!(
        refused(b"\x10\x05"),
        "the entity key field [key] has wire type 0, but its declared type has wire type 2"
    );
    assert_eq!(
        refused(b"\x12\x02\xff\xfe"),
        "the entity key field [key] is not valid UTF-8"
    );
    for (request, reason, position) in [
        (&b"\x12\x05ab"[..], "truncated field", 2),
        (b"\x12", "truncated number", 1),
        (b"\x08\xff", "truncated number", 2),
        (b"\x09abc", "truncated field", 1),
        (b"\x02", "invalid field number", 0),
        (b"\x0f", "unknown wire type", 1),
        (b"\x0c", "unexpected end of a group", 1),
        (b"\x0b\x08\x01", "group without end", 3),
        (
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            "number of more than 64 bits",
            1,
        ),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "invalid field number",
            0,
        ),
    ] {
        assert_eq!(
            key.extract(request),
            Err(KeyError::Malformed { reason, position }),
            "{request:?}"
        );
    }
    assert_eq!(
        refused(b"\x12\x05ab"),
        "the request is not a valid protobuf message: truncated field at byte 2"
    );
}

#[test]
fn groups_are_skipped_but_not_without_limit() {
    let (key, _) = key_of("STRING");
    // Field 2 inside of a group is another field.
    assert_eq!(key.extract(b"\x12\x01a\x2b\x12\x01b\x33\x34\x2c").unwrap(), "a");
    let deep = |depth: usize| {
        [
            b"\x12\x01a".to_vec(),
            b"\x2b".repeat(depth),
            b"\x2c".repeat(depth),
        ]
        .concat()
    };
    assert_eq!(key.extract(&deep(100)).unwrap(), "a");
    assert!(matches!(key.extract(&deep(101)), Err(KeyError::Malformed { .. })));
    assert!(
        matches!(key.extract(b"\x2b\x34"), Err(KeyError::Malformed { .. })),
        "ends of another group"
    );
}

#[test]
fn a_method_without_key_fields_has_an_empty_id() {
    assert_eq!(Key::default().extract(b"anything").unwrap(), "");
}

/// The text of a decoded value, written from the documentation of [`Key`].
fn oracle_text(field: &prost_reflect::FieldDescriptor, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::EnumNumber(number) => field
            .kind()
            .as_enum()
            .and_then(|names| {
                names
                    .values()
                    .find(|known| known.number() == *number && known.name() != "ALSO_GREEN")
            })
            .map_or(number.to_string(), |known| known.name().to_owned()),
        Value::Bytes(bytes) => bytes
            .chunks(3)
            .flat_map(|chunk| {
                let bits = chunk
                    .iter()
                    .chain([&0; 2])
                    .take(3)
                    .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                (0..=chunk.len()).map(move |i| char::from(alphabet[bits >> (18 - 6 * i) & 63]))
            })
            .collect(),
        other => panic!("not for this oracle: {other:?}"),
    }
}

/// A field as it may stand in a request, well-formed or nearly so.
fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![4 => Just(2_u32), 2 => 1..4_u32, 1 => Just(9_u32), 1 => Just(16_u32), 1 => 1..100_000_u32];
    let content = prop_oneof![
        (0..3_usize, any::<u64>()).prop_map(|(shift, bits)| (WireType::Varint, bits >> (shift * 24))),
        any::<u64>().prop_map(|bits| (WireType::SixtyFourBit, bits)),
        any::<u64>().prop_map(|bits| (WireType::ThirtyTwoBit, bits)),
        any::<u64>().prop_map(|bits| (WireType::LengthDelimited, bits)),
        any::<u64>().prop_map(|bits| (WireType::StartGroup, bits)),
    ];
    (number, content, "[a-z%-]{0,5}", any::<bool>()).prop_map(|(number, (wire_type, bits), text, broken)| {
        let mut field = Vec::new();
        encode_key(number, wire_type, &mut field);
        match wire_type {
            WireType::Varint => encode_varint(bits, &mut field),
            WireType::SixtyFourBit => field.extend(bits.to_le_bytes()),
            WireType::ThirtyTwoBit => field.extend(&bits.to_le_bytes()[..4]),
            WireType::LengthDelimited => {
                encode_varint(
                    text.len() as u64 + u64::from(broken && bits % 16 == 0),
                    &mut field,
                );
                field.extend(text.as_bytes());
            }
            WireType::StartGroup | WireType::EndGroup => {
                encode_key(7, WireType::Varint, &mut field);
                encode_varint(bits, &mut field);
                encode_key(number, WireType::EndGroup, &mut field);
            }
        }
        field
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn extraction_agrees_with_decoding(
        index in 0..KEYS.len(),
        fields in proptest::collection::vec(any_field(), 0..5),
    ) {
        let (key, input) = &KEYS[index];
        prop_assume!(!matches!(input.name(), "FLOAT" | "DOUBLE"));
        let request = fields.concat();
        if let Ok(decoded) = DynamicMessage::decode(input.clone(), request.as_slice()) {
            let texts: Vec<_> = key
                .field_names()
                .map(|name| {
                    let field = input.get_field_by_name(name).unwrap();
                    oracle_text(&field, &decoded.get_field(&field))
                })
                .collect();
            let expected = match texts.as_slice() {
                [text] => text.clone(),
                texts if texts.iter().all(String::is_empty) => String::new(),
                texts => texts
                    .iter()
                    .map(|text| text.replace('%', "%25").replace('-', "%2D"))
                    .collect::<Vec<_>>()
                    .join("-"),
            };
            match key.extract(&request) {
                Ok(id) => prop_assert_eq!(id, expected),
                Err(error) => {
                    let empty = matches!(error, KeyError::Empty { .. });
                    prop_assert!(empty, "{}", error);
                    prop_assert_eq!(expected, "");
                }
            }
        }
    }

    #[test]
    fn what_decodes_from_garbage_is_extracted_alike(
        index in 0..KEYS.len(),
        request in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let (key, input) = &KEYS[index];
        let extracted = key.extract(&request);
        if DynamicMessage::decode(input.clone(), request.as_slice()).is_ok() {
            let refused = matches!(extracted, Err(KeyError::Malformed { .. } | KeyError::WireType { .. }));
            prop_assert!(!refused, "{:?}", extracted);
        }
    }

    #[test]
    fn finite_doubles_read_back_from_their_text(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = id_of("DOUBLE", Value::F64(value)).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        prop_assert!(text.contains('.'));
    }

    #[test]
    fn different_keys_have_different_ids(a in "[ab%-]{0,4}", b in "[ab%-]{0,4}", c in "[ab%-]{0,4}", d in "[ab%-]{0,4}") {
        let joined = |first: &str, second: &str| id("Two", |request| {
            request.set_field_by_name("a", Value::String(first.to_owned()));
            request.set_field_by_name("b", Value::String(second.to_owned()));
        });
        prop_assert_eq!(joined(&a, &b) == joined(&c, &d), (&a, &b) == (&c, &d));
    }
}
