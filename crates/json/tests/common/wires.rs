//! The same message in many wire forms, and bytes that are nearly a message.

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost_reflect::{Kind, MessageDescriptor};

use super::Choices;

/// A field's record: number, wire type, and what follows the tag.
type Record = (u32, WireType, Vec<u8>);

fn records(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).unwrap();
        let start = bytes;
        skip_field(wire_type, number, &mut bytes, DecodeContext::default()).unwrap();
        records.push((number, wire_type, start[..start.len() - bytes.len()].to_vec()));
    }
    records
}

fn joined(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, wire_type, content) in records {
        encode_key(*number, *wire_type, &mut bytes);
        bytes.extend_from_slice(content);
    }
    bytes
}

fn content(mut record: &[u8]) -> &[u8] {
    decode_varint(&mut record).unwrap();
    record
}

fn delimited(content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    encode_varint(content.len() as u64, &mut record);
    record.extend_from_slice(content);
    record
}

/// Another wire form of a whole message: records in another order, lists packed or not, unknown fields between.
pub fn varied(of: &MessageDescriptor, bytes: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut varied = Vec::new();
    for record in records(bytes) {
        let known = of
            .get_field(record.0)
            .map(|field| (field.kind(), field.is_list()));
        match (known, record.1) {
            (Some((Kind::Message(inner), _)), WireType::LengthDelimited) => {
                let inside = self::varied(&inner, content(&record.2), choices);
                varied.push((record.0, record.1, delimited(&inside)));
            }
            (Some((kind, true)), WireType::LengthDelimited)
                if kind.wire_type() != WireType::LengthDelimited =>
            {
                unpacked(&mut varied, &record, &kind, choices);
            }
            _ => varied.push(record),
        }
        if choices.once_in(8) {
            varied.push(unknown(choices));
        }
    }
    shuffle_apart(&mut varied, choices);
    joined(&varied)
}

/// Takes a packed record apart into records of one or several elements.
fn unpacked(into: &mut Vec<Record>, record: &Record, kind: &Kind, choices: &mut Choices) {
    let mut rest = content(&record.2);
    while !rest.is_empty() {
        let start = rest;
        skip_field(kind.wire_type(), 1, &mut rest, DecodeContext::default()).unwrap();
        let element = &start[..start.len() - rest.len()];
        if choices.once_in(2) {
            into.push((record.0, kind.wire_type(), element.to_vec()));
        } else {
            into.push((record.0, WireType::LengthDelimited, delimited(element)));
        }
    }
}

fn unknown(choices: &mut Choices) -> Record {
    match choices.below(5) {
        0 => (90_000, WireType::Varint, vec![0x80, 1]),
        1 => (90_000, WireType::SixtyFourBit, vec![1; 8]),
        2 => (90_000, WireType::ThirtyTwoBit, vec![1; 4]),
        3 => (90_001, WireType::LengthDelimited, delimited(b"\x0a\xff")),
        _ => {
            let mut group = joined(&[(1, WireType::Varint, vec![1])]);
            encode_key(90_002, WireType::EndGroup, &mut group);
            (90_002, WireType::StartGroup, group)
        }
    }
}

/// Any order, but records of one field stay in theirs: those of a list mean something.
fn shuffle_apart(records: &mut Vec<Record>, choices: &mut Choices) {
    if choices.once_in(2) {
        return;
    }
    let mut order: Vec<u32> = records.iter().map(|record| record.0).collect();
    choices.shuffle(&mut order);
    *records = order
        .into_iter()
        .map(|number| {
            let first = records.iter().position(|record| record.0 == number).unwrap();
            records.remove(first)
        })
        .collect();
}

/// Bytes that differ in some places.
pub fn mutated(bytes: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=choices.below(3) {
        let at = choices.below(bytes.len() + 1);
        match choices.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, choices.next() as u8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            // One bit, which turns field numbers and wire types into their neighbours.
            3 if at < bytes.len() => bytes[at] ^= 1 << choices.below(8),
            _ if at < bytes.len() => {
                let end = at + choices.below(bytes.len() - at + 1);
                let part = bytes[at..end].to_vec();
                bytes.extend(part);
            }
            _ => {}
        }
    }
    bytes
}
