//! Compression of gRPC messages: identity and gzip.

use std::io::{Read, Write};

use bytes::Bytes;
use cloudstate_runtime::Code;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue};

use super::frame::MalformedFrame;
use crate::status::Status;

/// How the compressed messages of a call are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
}

/// The encodings that requests may use, for `grpc-accept-encoding`.
pub(crate) const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip");

impl Encoding {
    /// The encoding of the request's messages; UNIMPLEMENTED if it is none that is known.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Self, Status> {
        match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Encoding::Identity),
            Some(b"gzip") => Ok(Encoding::Gzip),
            Some(other) => Err(Status::new(
                Code::Unimplemented,
                format!(
                    "grpc-encoding [{}] is not known; use identity or gzip",
                    String::from_utf8_lossy(other)
                ),
            )),
        }
    }

    /// Gzip if the client accepts it, else identity.
    pub(crate) fn for_reply(headers: &HeaderMap) -> Self {
        let accepts_gzip = headers
            .get_all("grpc-accept-encoding")
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|name| name.trim_ascii() == b"gzip");
        if accepts_gzip {
            Encoding::Gzip
        } else {
            Encoding::Identity
        }
    }
}

/// Unpacks a message; what it holds must not exceed `limit` bytes, so that a small message cannot fill the memory.
pub(crate) fn gunzip(message: &[u8], limit: usize) -> Result<Bytes, MalformedFrame> {
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(message)
        .take(limit as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| MalformedFrame::Gzip(error.to_string()))?;
    if unpacked.len() > limit {
        let length = unpacked.len();
        Err(MalformedFrame::TooLarge { length, limit })
    } else {
        Ok(unpacked.into())
    }
}

/// Packs a message. `None` if that failed, which leaves the message to be sent as it is.
pub(crate) fn gzip(message: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 2), Compression::fast());
    encoder.write_all(message).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
