//! Merges serialized descriptor sets without decoding what is in them.
//!
//! Decoding a file descriptor into typed structs would drop the extension options that the proxy reads, so files are
//! handled as the bytes they are.

use std::collections::HashSet;

use bytes::{Buf, Bytes};
use prost::DecodeError;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

/// `FileDescriptorSet.file` and `FileDescriptorProto.name` both have this number.
const FIELD: u32 = 1;

/// One set with every file of the given sets; of files with the same name, the first.
pub(crate) fn merge(sets: impl IntoIterator<Item = &'static [u8]>) -> Result<Vec<u8>, DecodeError> {
    let mut names = HashSet::new();
    let mut merged = Vec::new();
    for set in sets {
        for file in fields(Bytes::from_static(set))? {
            let name = fields(file.clone())?.pop().unwrap_or_default();
            if names.insert(name) {
                encode_key(FIELD, WireType::LengthDelimited, &mut merged);
                encode_varint(file.len() as u64, &mut merged);
                merged.extend_from_slice(&file);
            }
        }
    }
    Ok(merged)
}

/// The contents of every length-delimited field 1, in order.
fn fields(mut message: Bytes) -> Result<Vec<Bytes>, DecodeError> {
    let mut found = Vec::new();
    while message.has_remaining() {
        let (tag, wire) = decode_key(&mut message)?;
        if tag == FIELD && wire == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
            if length > message.len() {
                // Fails with the decoder's own error for truncated input.
                return skip_field(
                    WireType::ThirtyTwoBit,
                    tag,
                    &mut Bytes::new(),
                    DecodeContext::default(),
                )
                .map(|()| found);
            }
            found.push(message.split_to(length));
        } else {
            skip_field(wire, tag, &mut message, DecodeContext::default())?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
