//! gRPC frames, plain and in the text form of gRPC-Web.

use std::io::Write;

use arbitrary::{Arbitrary, Unstructured};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloudstate_gateway::fuzzing::{Framing, messages, only_message};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A request body, and how it arrives.
#[derive(Debug, Arbitrary)]
struct Request<'a> {
    gzip: bool,
    text: bool,
    limit: u8,
    /// The length of each piece that arrives; the greatest stands for a moment in which nothing does.
    cuts: Vec<u8>,
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Part<'a> {
    /// A message.
    Plain(&'a [u8]),
    /// A message, compressed.
    Gzip(&'a [u8]),
    /// A prefix of any flag and length, and what follows it.
    Prefixed(u8, u32, &'a [u8]),
    /// Bytes as they are; in the text form characters as they are.
    Raw(&'a [u8]),
}

/// Reads a request body however it is cut: what is read does not depend on the cuts, is what was written, and keeps to the
/// limit.
pub fn grpc_frames(data: &[u8]) {
    let Ok(request) = Request::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let framing = Framing {
        gzip: request.gzip,
        text: request.text,
        limit: usize::from(request.limit),
    };
    let body = request.body();
    let whole = messages(vec![Some(body.clone())], framing);
    let pieces = cut(body.clone(), &request.cuts);
    let cut = messages(pieces.clone(), framing);
    assert_eq!(whole.1.is_none(), cut.1.is_none(), "{whole:?}\n{cut:?}");
    // A fault in base64 ends the whole before its first message, but not what arrived before the fault.
    if whole.1.is_none() || !framing.text {
        assert_eq!(whole, cut);
    }
    let (read, error) = cut;
    assert!(read.iter().all(|message| message.len() <= framing.limit));
    if error.is_none() && !framing.gzip {
        assert_eq!(read, model(&body, framing.text));
    }
    if let Some(written) = request.well_formed() {
        assert_eq!(error, None);
        assert_eq!(read, written);
    }
    match only_message(pieces, framing) {
        Ok(only) => assert_eq!((read, error), (vec![only], None)),
        Err(_) => assert!(read.len() != 1 || error.is_some(), "{read:?}"),
    }
}

impl<'a> Request<'a> {
    /// What is sent. In the text form each part ends with its padding, as after a flush.
    fn body(&self) -> Bytes {
        let parts = self.parts.iter().map(|part| match (part, self.text) {
            (Part::Raw(_), _) | (_, false) => part.bytes(),
            (_, true) => STANDARD.encode(part.bytes()).into_bytes(),
        });
        parts.collect::<Vec<_>>().concat().into()
    }

    /// The messages, if nothing is wrong with the request.
    fn well_formed(&self) -> Option<Vec<&'a [u8]>> {
        let limit = usize::from(self.limit);
        let message = |part: &Part<'a>| match *part {
            Part::Plain(message) if message.len() <= limit => Some(message),
            Part::Gzip(message) if self.gzip && message.len().max(gzip(message).len()) <= limit => {
                Some(message)
            }
            _ => None,
        };
        self.parts.iter().map(message).collect()
    }
}

impl Part<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Part::Plain(message) => framed(0, message.len() as u32, message),
            Part::Gzip(message) => {
                let packed = gzip(message);
                framed(1, packed.len() as u32, &packed)
            }
            Part::Prefixed(flag, length, rest) => framed(*flag, *length, rest),
            Part::Raw(bytes) => bytes.to_vec(),
        }
    }
}

fn framed(flag: u8, length: u32, rest: &[u8]) -> Vec<u8> {
    [&[flag][..], &length.to_be_bytes(), rest].concat()
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

fn cut(mut body: Bytes, cuts: &[u8]) -> Vec<Option<Bytes>> {
    let mut pieces = Vec::new();
    for length in cuts {
        pieces.push(match *length {
            u8::MAX => None,
            length => Some(body.split_to(usize::from(length).min(body.len()))),
        });
    }
    pieces.push(Some(body));
    pieces
}

/// The messages of a body that is known to be correct and not compressed.
fn model(body: &[u8], text: bool) -> Vec<Bytes> {
    let groups = body.chunks(4).flat_map(|group| STANDARD.decode(group).unwrap());
    let bytes = if text { groups.collect() } else { body.to_vec() };
    let mut rest = bytes.as_slice();
    let mut messages = Vec::new();
    while let Some(([0, length @ ..], after)) = rest.split_first_chunk::<5>() {
        let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(Bytes::copy_from_slice(message));
        rest = after;
    }
    assert_eq!(rest, b"", "only whole messages with the flag 0");
    messages
}
