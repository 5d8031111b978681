//! The plan and prost-reflect take the same inputs and give the same results.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use common::{
    Choices, descriptor, meaning, messages, oracle_read, oracle_written, read, texts, wires, written,
};
use proptest::prelude::*;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::Value;

/// The types that are compared, and how deep their messages nest.
const TYPES: [(&str, usize); 15] = [
    ("shapes.Scalars", 1),
    ("shapes.Optionals", 1),
    ("shapes.Lists", 1),
    ("shapes.Maps", 2),
    ("shapes.Oneofs", 2),
    ("shapes.Tree", 3),
    ("shapes.WellKnown", 1),
    ("shapes.Names", 1),
    ("shapes.Everything", 1),
    ("shapes2.Old", 2),
    ("google.protobuf.Value", 1),
    ("google.protobuf.Timestamp", 1),
    ("google.protobuf.BytesValue", 1),
    ("google.protobuf.Empty", 1),
    ("google.protobuf.Any", 1),
];

/// A message.
fn one() -> impl Strategy<Value = Typed> {
    proptest::sample::select(&TYPES).prop_flat_map(|(name, depth)| {
        let message = messages::arbitrary(descriptor(name), depth);
        message.prop_map(move |message| Typed { name, message })
    })
}

/// Two messages of one type.
fn two() -> impl Strategy<Value = [Typed; 2]> {
    proptest::sample::select(&TYPES).prop_flat_map(|(name, depth)| {
        let message = messages::arbitrary(descriptor(name), depth);
        let typed = message.prop_map(move |message| Typed { name, message });
        [typed.clone(), typed]
    })
}

/// A message of a type. Printed as JSON, since a descriptor that refers to itself has no end.
#[derive(Clone)]
struct Typed {
    name: &'static str,
    message: DynamicMessage,
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wire = self.message.encode_to_vec();
        match oracle_written(self.name, &wire) {
            Ok(json) => write!(f, "{} {json}", self.name),
            Err(error) => write!(f, "{} {wire:02x?} ({error})", self.name),
        }
    }
}

/// Compares what the two make of a message on the wire.
fn compare_written(name: &str, wire: &[u8]) -> Result<(), TestCaseError> {
    match (written(name, wire), oracle_written(name, wire)) {
        (Ok(ours), Ok(theirs)) => {
            let [our_value, their_value] =
                [&ours, &theirs].map(|text| without_infinity(serde_json::from_str(text).unwrap()));
            prop_assert_eq!(&our_value, &their_value, "{}\n{}", ours, theirs);
            // Nothing is there twice, which the values would hide.
            let differ = ours.contains("NaN") || ours.contains("Infinity");
            prop_assert!(differ || ours.len() == theirs.len(), "{ours}\n{theirs}");
        }
        (Err(_), Err(_)) => {}
        (Ok(ours), Err(theirs)) => {
            prop_assert!(theirs.contains("unsupported type url ''"), "{ours}\n{theirs}")
        }
        // See `differences.rs`.
        (Err(ours), Ok(theirs)) => {
            let is_known = ["wire type", "nanoseconds"]
                .iter()
                .any(|known| ours.reason.contains(known));
            prop_assert!(is_known, "{ours}\n{theirs}");
        }
    }
    Ok(())
}

/// prost-reflect writes numbers that are not finite as `null` where they are wrapped.
fn without_infinity(value: Value) -> Value {
    match value {
        Value::String(text) if ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()) => Value::Null,
        Value::Array(elements) => elements.into_iter().map(without_infinity).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, without_infinity(value)))
            .collect(),
        other => other,
    }
}

/// Compares what the two make of a text.
fn compare_read(name: &str, text: &str) -> Result<(), TestCaseError> {
    match (read(name, text), oracle_read(name, text)) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(meaning(&ours), meaning(&theirs), "{}", text),
        (Err(_), Err(_)) => {}
        (Ok(ours), Err(theirs)) => {
            prop_assert!(is_laxer(&theirs), "{theirs} for\n{text}\nis taken as {ours}")
        }
        (Err(ours), Ok(_)) => prop_assert!(is_stricter(&ours.reason), "{ours} for\n{text}"),
    }
    Ok(())
}

/// Whether a refusal is one of `differences.rs`.
fn is_stricter(reason: &str) -> bool {
    let numbers = [
        "18446744073709551616",
        "9223372036854775808",
        "1.8446744073709552e+19",
        "9.223372036854775808e+18",
    ];
    let spellings = ["string \"inf\"", "string \"1e400\""];
    let beyond = numbers
        .iter()
        .chain(&spellings)
        .any(|number| reason.contains(number));
    let forms = [
        "given twice",
        "expected a time such as",
        "expected seconds such as",
    ];
    beyond || forms.iter().any(|form| reason.contains(form))
}

/// Whether prost-reflect refuses what `differences.rs` takes: integers as text with an exponent, and `Any` that is empty.
fn is_laxer(reason: &str) -> bool {
    let refused = [
        "invalid digit found in string",
        "expected '@type' field",
        "expected 'value' field",
    ];
    refused.iter().any(|refused| reason.contains(refused))
}

/// `PROPTEST_CASES` sets a quarter of the cases.
fn many() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: 4 * usual.cases,
        ..usual
    }
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn messages_are_written_alike(of in one()) {
        compare_written(of.name, &of.message.encode_to_vec())?;
    }

    #[test]
    fn every_wire_form_of_a_message_is_written_alike(of in one(), seed in any::<u64>()) {
        let wire = wires::varied(&descriptor(of.name), &of.message.encode_to_vec(), &mut Choices(seed));
        compare_written(of.name, &wire)?;
    }

    #[test]
    fn two_messages_in_one_are_merged_alike([one, other] in two(), seed in any::<u64>()) {
        let other = wires::varied(&descriptor(one.name), &other.message.encode_to_vec(), &mut Choices(seed));
        compare_written(one.name, &[one.message.encode_to_vec(), other].concat())?;
    }

    #[test]
    fn broken_messages_are_refused_alike(of in one(), seed in any::<u64>()) {
        let wire = wires::mutated(&of.message.encode_to_vec(), &mut Choices(seed));
        compare_written(of.name, &wire)?;
    }

    #[test]
    fn any_bytes_are_refused_alike(wire in proptest::collection::vec(any::<u8>(), 0..40)) {
        for (name, _) in TYPES {
            compare_written(name, &wire)?;
        }
    }

    #[test]
    fn every_text_of_a_message_is_read_alike(of in one(), seed in any::<u64>()) {
        if let Some(text) = texts::varied(&of.message, &mut Choices(seed)) {
            compare_read(of.name, &text)?;
            if oracle_read(of.name, &text).is_ok() {
                prop_assert!(read(of.name, &text).is_ok(), "{:?} for {text}", read(of.name, &text));
            }
        }
    }

    #[test]
    fn two_texts_in_one_are_refused_alike([one, other] in two(), seed in any::<u64>()) {
        let mut choices = Choices(seed);
        if let Some(text) = texts::joined(&one.message, &other.message, &mut choices) {
            compare_read(one.name, &text)?;
        }
    }

    #[test]
    fn broken_texts_are_refused_alike(of in one(), seed in any::<u64>()) {
        let mut choices = Choices(seed);
        if let Some(text) = texts::varied(&of.message, &mut choices) {
            compare_read(of.name, &texts::mutated(&text, &mut choices))?;
        }
    }

    #[test]
    fn any_text_is_refused_alike(text in "[\\[\\]{}:,\"a-e0-9.\\-n\\\\ ]{0,20}") {
        for name in ["shapes.Tree", "google.protobuf.Value", "google.protobuf.Int64Value"] {
            compare_read(name, &text)?;
        }
    }

    #[test]
    fn what_is_written_is_read_back(of in one()) {
        if let Ok(text) = written(of.name, &of.message.encode_to_vec()) {
            let back = read(of.name, &text).unwrap();
            let again = written(of.name, &back.encode_to_vec()).unwrap();
            let [text, again] = [text, again].map(|text| serde_json::from_str::<Value>(&text).unwrap());
            prop_assert_eq!(text, again);
        }
    }
}
