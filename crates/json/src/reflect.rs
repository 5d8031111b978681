//! What is left to prost-reflect: messages that are not worth a plan, and merging.

use prost::{DecodeError, Message};
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::Deserializer;

use crate::error::{Fault, WireError};

const READ: DeserializeOptions = DeserializeOptions::new().deny_unknown_fields(true);
/// Default-valued fields are written, as plans write them.
const WRITE: SerializeOptions = SerializeOptions::new().skip_default_fields(false);

/// Reads a message from JSON and appends it in wire format.
pub(crate) fn to_wire<'de, D: Deserializer<'de>>(
    of: &MessageDescriptor,
    reader: D,
    out: &mut Vec<u8>,
) -> Result<(), D::Error> {
    let message = DynamicMessage::deserialize_with_options(of.clone(), reader, &READ)?;
    message.encode_raw(out);
    Ok(())
}

/// Reads a message in wire format and appends it as JSON.
pub(crate) fn to_json(of: &MessageDescriptor, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let message = DynamicMessage::decode(of.clone(), bytes)?;
    message
        .serialize_with_options(&mut serde_json::Serializer::new(out), &WRITE)
        .map_err(WireError::new)
}

/// The same message with each singular field, and each key of a map, there once.
pub(crate) fn merged(of: &MessageDescriptor, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(DynamicMessage::decode(of.clone(), bytes)?.encode_to_vec())
}
