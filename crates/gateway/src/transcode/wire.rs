//! Fields in wire format, appended to a message.
//!
//! Appending is how the parts of a request are put together: a reader takes the last value of a singular field, merges
//! messages and collects repeated ones. Values are always written, also default ones, since they have to win.

use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::FieldDescriptor;

/// Appends a field of bytes: a string, bytes or an encoded message.
pub(super) fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    // A length in memory fits.
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a message field of this content.
pub(super) fn put_message(field: &FieldDescriptor, content: &[u8], out: &mut Vec<u8>) {
    if field.is_group() {
        encode_key(field.number(), WireType::StartGroup, out);
        out.extend_from_slice(content);
        encode_key(field.number(), WireType::EndGroup, out);
    } else {
        put_bytes(field.number(), content, out);
    }
}

/// Appends an encoded field that stands inside messages, given from the outermost on.
pub(super) fn put_within(messages: &[FieldDescriptor], field: Vec<u8>, out: &mut Vec<u8>) {
    let Some((outermost, inner)) = messages.split_first() else {
        out.extend_from_slice(&field);
        return;
    };
    let mut content = field;
    for message in inner.iter().rev() {
        let mut outer = Vec::with_capacity(content.len() + 8);
        put_message(message, &content, &mut outer);
        content = outer;
    }
    put_message(outermost, &content, out);
}
