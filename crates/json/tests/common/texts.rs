//! The same message as JSON in many forms, and JSON that is nearly of a message.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::{Choices, as_json};

/// One of the texts that mean the message; `None` if it has none.
pub fn varied(message: &DynamicMessage, choices: &mut Choices) -> Option<String> {
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(choices.once_in(2))
        .use_enum_numbers(choices.once_in(2))
        .use_proto_field_name(choices.once_in(3))
        .skip_default_fields(choices.once_in(2));
    let value: Value = serde_json::from_str(&as_json(message, &options).ok()?).ok()?;
    let mut text = String::new();
    write(
        &value,
        Some(&prost_reflect::ReflectMessage::descriptor(message)),
        &mut text,
        choices,
    );
    Some(text)
}

/// A text with the members of both messages, none twice, so that it may set several fields of a oneof.
pub fn joined(one: &DynamicMessage, other: &DynamicMessage, choices: &mut Choices) -> Option<String> {
    let mut members = Vec::new();
    for message in [one, other] {
        let json = as_json(message, &SerializeOptions::new()).ok()?;
        let Ok(Value::Object(object)) = serde_json::from_str(&json) else {
            return None;
        };
        members.extend(object);
    }
    choices.shuffle(&mut members);
    Some(Value::Object(members.into_iter().collect()).to_string())
}

fn write(value: &Value, of: Option<&MessageDescriptor>, text: &mut String, choices: &mut Choices) {
    let of = of.filter(|of| !of.full_name().starts_with("google.protobuf."));
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Option<Value>)> = members
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect();
            if let Some(of) = of {
                add_nulls(&mut members, of, choices);
            }
            choices.shuffle(&mut members);
            text.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                space(text, choices);
                string(name, text, choices);
                space(text, choices);
                text.push(':');
                space(text, choices);
                let field = of.and_then(|of| named(of, name));
                match value {
                    Some(value) => write_field(value, field.as_ref(), text, choices),
                    None => text.push_str("null"),
                }
                space(text, choices);
            }
            text.push('}');
        }
        other => write_plain(other, text, choices),
    }
}

fn named(of: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    of.get_field_by_json_name(name)
        .or_else(|| of.get_field_by_name(name))
}

/// `null` for fields that are not there.
fn add_nulls(members: &mut Vec<(String, Option<Value>)>, of: &MessageDescriptor, choices: &mut Choices) {
    for field in of.fields() {
        let is_there = members
            .iter()
            .any(|(name, _)| named(of, name).as_ref() == Some(&field));
        let is_value = match field.kind() {
            Kind::Message(of) => of.full_name() == "google.protobuf.Value",
            Kind::Enum(of) => of.full_name() == "google.protobuf.NullValue",
            _ => false,
        };
        if !is_there && !is_value && choices.once_in(6) {
            members.push((field.json_name().to_owned(), None));
        }
    }
}

fn write_field(value: &Value, field: Option<&FieldDescriptor>, text: &mut String, choices: &mut Choices) {
    let kind = field.map(FieldDescriptor::kind);
    match (value, kind) {
        (Value::Object(members), Some(Kind::Message(entry))) if entry.is_map_entry() => {
            let of = entry.map_entry_value_field();
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                string(key, text, choices);
                text.push(':');
                write_value(value, Some(&of.kind()), text, choices);
            }
            text.push('}');
        }
        (Value::Array(elements), kind) if field.is_some_and(FieldDescriptor::is_list) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write_value(element, kind.as_ref(), text, choices);
                space(text, choices);
            }
            text.push(']');
        }
        (value, kind) => write_value(value, kind.as_ref(), text, choices),
    }
}

fn write_value(value: &Value, kind: Option<&Kind>, text: &mut String, choices: &mut Choices) {
    match (value, kind) {
        (value, Some(Kind::Message(of))) => write(value, Some(of), text, choices),
        (Value::String(base64), Some(Kind::Bytes)) => {
            let mut base64 = base64.clone();
            if choices.once_in(2) {
                base64 = base64.replace('+', "-").replace('/', "_");
            }
            if choices.once_in(2) {
                base64 = base64.trim_end_matches('=').to_owned();
            }
            string(&base64, text, choices);
        }
        (Value::Number(number), Some(Kind::Enum(_))) => text.push_str(&number.to_string()),
        (Value::Number(number), Some(_)) => match choices.below(6) {
            0 => string(&number.to_string(), text, choices),
            1 if number
                .as_f64()
                .is_some_and(|float| float.fract() == 0.0 && float.abs() < 1e15) =>
            {
                text.push_str(&format!("{}.0", number.as_f64().unwrap() as i64));
            }
            2 if number
                .as_i64()
                .is_some_and(|whole| whole % 100 == 0 && whole.abs() < 1 << 50) =>
            {
                text.push_str(&format!("{}e2", number.as_i64().unwrap() / 100));
            }
            _ => text.push_str(&number.to_string()),
        },
        (value, _) => write_plain(value, text, choices),
    }
}

fn write_plain(value: &Value, text: &mut String, choices: &mut Choices) {
    match value {
        Value::String(content) => string(content, text, choices),
        other => text.push_str(&other.to_string()),
    }
}

fn space(text: &mut String, choices: &mut Choices) {
    text.push_str(["", "", "", " ", "\n", "\t\r\n  "][choices.below(6)]);
}

fn string(content: &str, text: &mut String, choices: &mut Choices) {
    if choices.once_in(4) {
        text.push('"');
        for unit in content.encode_utf16() {
            text.push_str(&format!("\\u{unit:04X}"));
        }
        text.push('"');
    } else {
        text.push_str(&Value::from(content).to_string());
    }
}

/// Pieces that are put into texts to break them, or to make them other texts.
const PIECES: [&str; 44] = [
    "null",
    "true",
    "0",
    "-0",
    "1.5",
    "-1",
    "1e2",
    "1E+2",
    "1e-2",
    "1e400",
    "4294967296",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "3.5e38",
    "01",
    "+1",
    "\"\"",
    "\"x\"",
    "\"1\"",
    "\"-0\"",
    "\"+1\"",
    "\"01\"",
    "\"1.0\"",
    "\"NaN\"",
    "\"Infinity\"",
    "\"inf\"",
    "\"1e400\"",
    "\"AA==\"",
    "\"RED\"",
    "\"NULL_VALUE\"",
    "\"1970-01-01T00:00:00Z\"",
    "\"1s\"",
    "{}",
    "[]",
    "[[]]",
    "{\"a\":1}",
    ",",
    ":",
    "\\",
    "\u{1}",
];

/// A text that differs in some places.
pub fn mutated(text: &str, choices: &mut Choices) -> String {
    let mut text = text.to_owned();
    for _ in 0..=choices.below(2) {
        mutate(&mut text, choices);
    }
    text
}

fn mutate(text: &mut String, choices: &mut Choices) {
    let boundary = |text: &str, mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let at = boundary(text, choices.below(text.len() + 1));
    match choices.below(6) {
        // Put another value in the place of one: what stands between a colon and the next comma or bracket.
        0..=2 => {
            let Some(colon) = text[at..].find([':', '[']).map(|found| at + found + 1) else {
                return;
            };
            let end = text[colon..]
                .find([',', '}', ']'])
                .map_or(text.len(), |found| colon + found);
            text.replace_range(colon..end, PIECES[choices.below(PIECES.len())]);
        }
        // Repeat a member.
        3 => {
            let Some(start) = text[at..].find(['{', ',']).map(|found| at + found + 1) else {
                return;
            };
            let end = text[start..]
                .find([',', '}'])
                .map_or(text.len(), |found| start + found);
            let member = format!("{},", &text[start..end]);
            text.insert_str(start, &member);
        }
        4 => {
            let end = boundary(text, (at + 1 + choices.below(3)).min(text.len()));
            text.replace_range(at..end.max(at), "");
        }
        _ => text.insert_str(at, PIECES[choices.below(PIECES.len())]),
    }
}
