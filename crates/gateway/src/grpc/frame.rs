//! Cuts a stream of bytes into gRPC messages. Source: gRPC over HTTP/2, length-prefixed messages.

use bytes::{Buf, Bytes, BytesMut};

use super::encoding::{self, Encoding};
use crate::body::PREFIX;

/// Cuts chunks of a body into messages of bounded length, and unpacks the compressed ones.
///
/// A message that lies wholly within a chunk is a slice of it. What is kept of others grows by what has arrived, never by what
/// a prefix promises: a short request cannot reserve much memory.
///
/// ```
/// use cloudstate_gateway::{Encoding, FrameDecoder};
///
/// let mut frames = FrameDecoder::new(Encoding::Identity, 100);
/// frames.push(b"\0\0\0\0\x02ab\0\0\0\0"[..].into());
/// assert_eq!(frames.next_message(), Ok(Some("ab".into())));
/// assert_eq!(frames.next_message(), Ok(None));
/// frames.push(b"\x01c"[..].into());
/// assert_eq!(frames.next_message(), Ok(Some("c".into())));
/// assert!(frames.is_empty());
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    encoding: Encoding,
    limit: usize,
    /// What arrived last and is not taken yet.
    chunk: Bytes,
    /// The beginning of a message that spans chunks.
    partial: BytesMut,
}

/// Bytes that are no message that may come here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedFrame {
    /// It has, or unpacks to, more bytes than allowed.
    #[error("the request message has {length} bytes, more than the limit of {limit} bytes")]
    TooLarge {
        /// As far as it is known.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// It is compressed, but nothing says how.
    #[error("a message is marked as compressed, but the request names no grpc-encoding")]
    NoEncoding,
    /// Its flag is unknown.
    #[error("{0} is no gRPC message flag: only 0 and 1 are")]
    Flag(u8),
    /// It cannot be unpacked.
    #[error("a gzip message is malformed: {0}")]
    Gzip(String),
}

impl FrameDecoder {
    /// Takes messages of at most `limit` bytes, of which compressed ones have the given encoding.
    pub fn new(encoding: Encoding, limit: usize) -> Self {
        FrameDecoder {
            encoding,
            limit,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// Gives the next chunk. Only when [`next_message`](Self::next_message) found none: what was not taken is lost.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "only an exhausted chunk is replaced");
        self.chunk = chunk;
    }

    /// Whether no byte is left over.
    pub fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty()
    }

    /// The next message. `None` asks for another chunk.
    ///
    /// # Errors
    /// If what comes is no such message. Afterwards the decoder is useless.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, MalformedFrame> {
        if self.partial.is_empty() && self.chunk.len() >= PREFIX {
            let (flag, length) = self.parse_prefix(&self.chunk)?;
            if self.chunk.len() - PREFIX >= length {
                self.chunk.advance(PREFIX);
                let message = self.chunk.split_to(length);
                return self.decode(flag, message).map(Some);
            }
        }
        self.assemble()
    }

    /// Takes a message that spans chunks, or keeps what there is of it.
    fn assemble(&mut self) -> Result<Option<Bytes>, MalformedFrame> {
        self.move_up_to(PREFIX);
        if self.partial.len() < PREFIX {
            return Ok(None);
        }
        let (flag, length) = self.parse_prefix(&self.partial)?;
        self.move_up_to(PREFIX + length);
        if self.partial.len() < PREFIX + length {
            return Ok(None);
        }
        let message = self.partial.split().freeze().slice(PREFIX..);
        self.decode(flag, message).map(Some)
    }

    fn move_up_to(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }

    fn parse_prefix(&self, bytes: &[u8]) -> Result<(u8, usize), MalformedFrame> {
        let [flag, length @ ..] = std::array::from_fn::<u8, PREFIX, _>(|at| bytes[at]);
        let length = u32::from_be_bytes(length) as usize;
        if length > self.limit {
            let limit = self.limit;
            Err(MalformedFrame::TooLarge { length, limit })
        } else {
            Ok((flag, length))
        }
    }

    fn decode(&self, flag: u8, message: Bytes) -> Result<Bytes, MalformedFrame> {
        match (flag, self.encoding) {
            (0, _) => Ok(message),
            (1, Encoding::Gzip) => encoding::gunzip(&message, self.limit),
            (1, Encoding::Identity) => Err(MalformedFrame::NoEncoding),
            (flag, _) => Err(MalformedFrame::Flag(flag)),
        }
    }
}
