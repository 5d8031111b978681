//! The types of the tests, and prost-reflect as the oracle.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod messages;
pub mod texts;
pub mod wires;

use std::sync::LazyLock;

use cloudstate_json::{JsonError, Plan, Root, WireError};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let set = protox::compile(["shapes.proto", "shapes2.proto"], [directory]).unwrap();
    DescriptorPool::from_file_descriptor_set(set).unwrap()
});

/// Everything compiled at once, as an API is.
static PLANS: LazyLock<Vec<(MessageDescriptor, Plan)>> = LazyLock::new(|| {
    let messages: Vec<_> = POOL.all_messages().collect();
    let plans = Plan::compile(messages.iter().cloned().map(Root::Message));
    messages.into_iter().zip(plans).collect()
});

/// A message type by its full name.
pub fn descriptor(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(name).unwrap()
}

pub fn plan(name: &str) -> &'static Plan {
    let found = PLANS.iter().find(|(of, _)| of.full_name() == name);
    &found.unwrap().1
}

/// The plan that shows one field.
pub fn field_plan(of: &str, field: &str) -> Plan {
    let field = descriptor(of).get_field_by_name(field).unwrap();
    Plan::new(&Root::Field(field))
}

/// JSON to the wire and back into a message, by the plan.
pub fn read(name: &str, json: &str) -> Result<DynamicMessage, JsonError> {
    let wire = plan(name).to_wire(json.as_bytes())?;
    Ok(DynamicMessage::decode(descriptor(name), wire.as_slice()).expect("what is written is a message"))
}

/// A message on the wire to JSON, by the plan.
pub fn written(name: &str, wire: &[u8]) -> Result<String, WireError> {
    let json = plan(name).to_json(wire)?;
    Ok(String::from_utf8(json).expect("JSON is UTF-8"))
}

/// As [`read`], by prost-reflect.
pub fn oracle_read(name: &str, json: &str) -> Result<DynamicMessage, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message = DynamicMessage::deserialize_with_options(descriptor(name), &mut reader, &options);
    message
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| error.to_string())
}

/// As [`written`], by prost-reflect.
pub fn oracle_written(name: &str, wire: &[u8]) -> Result<String, String> {
    let message = DynamicMessage::decode(descriptor(name), wire).map_err(|error| error.to_string())?;
    as_json(&message, &SerializeOptions::new().skip_default_fields(false))
}

pub fn as_json(message: &DynamicMessage, options: &SerializeOptions) -> Result<String, String> {
    let mut writer = serde_json::Serializer::new(Vec::new());
    message
        .serialize_with_options(&mut writer, options)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8(writer.into_inner()).unwrap())
}

/// What a message says: the fields that are there. Tells apart all that protobuf tells apart, except zero and minus zero, and
/// does not care for the order of maps.
pub fn meaning(message: &DynamicMessage) -> Value {
    let json = as_json(message, &SerializeOptions::new()).expect("it was JSON before");
    serde_json::from_str(&json).unwrap()
}

/// Random choices that shrink with their seed.
pub struct Choices(pub u64);

impl Choices {
    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}
