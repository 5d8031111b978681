//! JSON bodies and replies.

use cloudstate_catalog::http::{HttpBinding, RequestBody};
use cloudstate_gateway::transcode_reply;
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::api::{CATALOG, as_json, is_empty_any, meaning, post};

/// The first byte selects a binding and a direction. The rest is a request body in JSON, or a reply in wire format. Both are
/// read as prost-reflect reads them, and back again.
pub fn json(data: &[u8]) {
    let Some((choice, input)) = data.split_first() else {
        return;
    };
    let bindings: Vec<&HttpBinding> = CATALOG
        .http_bindings()
        .iter()
        .map(|binding| &**binding)
        .filter(|binding| binding.body != RequestBody::Ignored)
        .collect();
    let binding = bindings[usize::from(choice >> 1) % bindings.len()];
    if choice & 1 == 0 {
        request(binding, input);
    } else {
        reply(binding, input);
    }
}

fn request(binding: &HttpBinding, body: &[u8]) {
    let of = binding.method.input();
    let expected = (binding.body == RequestBody::Message).then(|| oracle_reads(&of, body));
    let call = match post(binding, body) {
        Ok(call) => call,
        Err(refused) => {
            assert_eq!(refused.status, 400, "{refused}");
            if let Some(Ok(message)) = expected {
                let meant = as_json(&message, &SerializeOptions::new()).unwrap();
                assert!(
                    is_stricter(&refused.message, &meant),
                    "{refused}, but it is {meant}"
                );
            }
            return;
        }
    };
    let read = meaning(of.clone(), &call.message);
    match expected {
        None => {}
        Some(Ok(expected)) => {
            let expected = as_json(&expected, &SerializeOptions::new()).ok();
            assert_eq!(read, expected);
        }
        Some(Err(error)) => assert!(is_laxer(&error), "{error}, but it is taken as {read:?}"),
    }
    let json = transcode_reply(binding, call.message.into()).expect("what was read has a JSON form");
    let again = post(binding, &json).unwrap_or_else(|refused| panic!("{refused}\n{json:?}"));
    assert_eq!(meaning(of, &again.message), read, "{json:?}");
}

fn reply(binding: &HttpBinding, wire: &[u8]) {
    let of = binding.method.output();
    let expected = (binding.response_body.is_none()).then(|| oracle_writes(&of, wire));
    let json = match transcode_reply(binding, wire.to_vec().into()) {
        Ok(json) => json,
        Err(refused) => {
            assert_eq!(refused.status, 500, "{refused}");
            if let Some(Ok(json)) = expected {
                assert!(is_refused_wire(&refused.message), "{refused}, but it is {json}");
            }
            return;
        }
    };
    let written: Value = serde_json::from_slice(&json).expect("it is JSON");
    match expected {
        None => {}
        Some(Ok(expected)) => assert_eq!(without_infinity(written), without_infinity(expected)),
        Some(Err(error)) => assert!(is_empty_any(&error), "{error}, but it is written as {written}"),
    }
}

fn oracle_reads(of: &MessageDescriptor, body: &[u8]) -> Result<DynamicMessage, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(of.clone(), &mut reader, &options)
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| error.to_string())
        // Messages that cannot be read on the wire again, for their depth.
        .and_then(|message| {
            let wire = message.encode_to_vec();
            DynamicMessage::decode(of.clone(), wire.as_slice()).map_err(|error| error.to_string())
        })
}

fn oracle_writes(of: &MessageDescriptor, wire: &[u8]) -> Result<Value, String> {
    let message = DynamicMessage::decode(of.clone(), wire).map_err(|error| error.to_string())?;
    let options = SerializeOptions::new().skip_default_fields(false);
    as_json(&message, &options).map_err(|error| error.to_string())
}

/// Whether the refusal of a text is one of those that prost-reflect lacks; `tests/differences.rs` of `cloudstate-json` has the
/// reasons.
fn is_stricter(refusal: &str, meant: &Value) -> bool {
    let meant = meant.to_string();
    let numbers = ["9223372036854775807", "18446744073709551615"];
    let beyond =
        refusal.contains("a whole number from") && numbers.iter().any(|number| meant.contains(number));
    let names = ["Infinity", "NaN"];
    let not_finite = refusal.contains("a number") && names.iter().any(|name| meant.contains(name));
    let others = ["given twice", "nest deeper", "a time such as", "seconds such as"];
    beyond || not_finite || others.iter().any(|other| refusal.contains(other))
}

/// Whether the refusal of a text is one of prost-reflect alone: an integer as text with an exponent, an `Any` that is empty.
fn is_laxer(error: &str) -> bool {
    let others = [
        "invalid digit found in string",
        "expected '@type' field",
        "expected 'value' field",
    ];
    others.iter().any(|other| error.contains(other))
}

/// The same of bytes.
fn is_refused_wire(refusal: &str) -> bool {
    let others = ["wire type", "nest deeper", "nanoseconds"];
    others.iter().any(|other| refusal.contains(other))
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
