//! From JSON to the wire format.
//!
//! serde_json reads the text and calls a visitor for each value; the visitor of a field writes it at once. What stands behind
//! a length is written after one byte of room for it, and moved when one is not enough.

mod any;
mod any_value;
mod message;
mod scalar;
mod value;

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use serde::de::{DeserializeSeed, Error};

use crate::types::{Kind, Message, Types};
use crate::{DEPTH_MAX, JsonError, locate};
use message::MessageSeed;

/// Reads a JSON text as a message.
pub(crate) fn message(types: &Types, index: usize, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut sink = Sink {
        types,
        // Names and quotes are longer than tags and lengths.
        out: Vec::with_capacity(json.len()),
        seen: Vec::new(),
        keys: Vec::new(),
        depth: 0,
    };
    let mut reader = serde_json::Deserializer::from_slice(json);
    let message = &types.messages[index];
    let seed = MessageSeed {
        sink: &mut sink,
        message,
    };
    seed.deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| refusal(&error, json))?;
    Ok(sink.out)
}

fn refusal(error: &serde_json::Error, json: &[u8]) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let reason = reason(error);
    // A number that no type can hold is JSON all the same.
    let malformed = !error.is_data() && reason != "number out of range";
    let path = match malformed {
        true => String::new(),
        false => locate::path_at(json, line, column),
    };
    JsonError {
        malformed,
        path,
        line,
        column,
        reason,
    }
}

/// The text of an error without the position at its end.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Where the message is written.
struct Sink<'p> {
    types: &'p Types,
    out: Vec<u8>,
    /// Which fields, and after them which oneofs, of the open messages are there; a stack.
    seen: Vec<bool>,
    /// Where the keys of the open maps stand in `out`; a stack.
    keys: Vec<(usize, usize)>,
    /// Messages around the one that is read.
    depth: usize,
}

impl<'p> Sink<'p> {
    fn descend<E: Error>(&mut self) -> Result<(), E> {
        if self.depth > DEPTH_MAX {
            return Err(E::custom(format_args!("messages nest deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        Ok(())
    }

    fn ascend(&mut self) {
        self.depth -= 1;
    }

    fn tag(&mut self, number: u32, wire_type: WireType) {
        encode_key(number, wire_type, &mut self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        encode_varint(bytes.len() as u64, &mut self.out);
        self.out.extend_from_slice(bytes);
    }

    /// Begins what stands behind a length. [`close`](Self::close) wants the result back.
    fn open(&mut self) -> usize {
        self.out.push(0);
        self.out.len()
    }

    /// Ends it. Returns by how many bytes it has moved.
    fn close(&mut self, start: usize) -> usize {
        let end = self.out.len();
        let length = end - start;
        if let Ok(short @ 0..0x80) = u8::try_from(length) {
            self.out[start - 1] = short;
            return 0;
        }
        let more = encoded_len_varint(length as u64) - 1;
        self.out.resize(end + more, 0);
        self.out.copy_within(start..end, start + more);
        encode_varint(length as u64, &mut &mut self.out[start - 1..]);
        more
    }

    /// The message that a field of a well-known type refers to.
    fn message_of(&self, kind: Kind) -> Option<&'p Message> {
        match kind {
            Kind::Message(index) => self.types.messages.get(index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_all_sizes_are_put_in_front() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_152] {
            let types = Types::default();
            let mut sink = Sink {
                types: &types,
                out: b"before".to_vec(),
                seen: Vec::new(),
                keys: Vec::new(),
                depth: 0,
            };
            let start = sink.open();
            let content: Vec<u8> = (0..length).map(|index| index as u8).collect();
            sink.out.extend_from_slice(&content);
            let moved = sink.close(start);
            let mut rest = &sink.out[6..];
            assert_eq!(prost::encoding::decode_varint(&mut rest), Ok(length as u64));
            assert_eq!(rest, content);
            assert_eq!(&sink.out[start + moved..], content);
        }
    }
}
