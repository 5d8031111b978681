//! gRPC's length-prefixed messages: one byte of flags, four of length, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

use crate::Error;

const PREFIX: usize = 5;

/// Encodes a message with its prefix into one buffer of the exact size.
pub(crate) fn encode<M: Message>(message: &M) -> Result<Bytes, Error> {
    let length = message.encoded_len();
    let Ok(announced) = u32::try_from(length) else {
        return Err(Error::malformed(format!(
            "a request of {length} bytes does not fit a gRPC message"
        )));
    };
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(announced);
    message.encode_raw(&mut frame);
    Ok(frame.freeze())
}

/// Cuts messages out of the chunks of a stream. A message that lies within one chunk shares its memory.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Received and not cut yet; starts with a prefix.
    chunk: Bytes,
    /// The beginning of a message that spans chunks. Empty, or `chunk` is.
    partial: BytesMut,
}

impl Decoder {
    /// Adds received bytes.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if self.partial.is_empty() && self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.partial.extend_from_slice(&self.chunk);
            self.partial.extend_from_slice(&chunk);
            self.chunk = Bytes::new();
        }
    }

    /// The next whole message, or `None` when more bytes are needed.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Bytes>, Error> {
        let length = match self.announced(limit)? {
            Some(length) if self.buffered().len() >= PREFIX + length => length,
            Some(length) => {
                self.expect(length);
                return Ok(None);
            }
            None => return Ok(None),
        };
        if !self.partial.is_empty() {
            self.chunk = std::mem::take(&mut self.partial).freeze();
        }
        self.chunk.advance(PREFIX);
        Ok(Some(self.chunk.split_to(length)))
    }

    /// Whether the bytes so far end between messages.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty()
    }

    fn buffered(&self) -> &[u8] {
        if self.partial.is_empty() {
            &self.chunk
        } else {
            &self.partial
        }
    }

    fn announced(&self, limit: usize) -> Result<Option<usize>, Error> {
        let &[flags, a, b, c, d, ..] = self.buffered() else {
            return Ok(None);
        };
        if flags != 0 {
            return Err(Error::malformed(format!(
                "message flags {flags}: the message is compressed, but no compression was offered"
            )));
        }
        let actual = u32::from_be_bytes([a, b, c, d]) as usize;
        if actual > limit {
            return Err(Error::MessageTooLarge { limit, actual });
        }
        Ok(Some(actual))
    }

    /// Makes room for the rest of a message once its length is known, so that it is copied once.
    fn expect(&mut self, length: usize) {
        let have = self.buffered().len();
        if self.partial.is_empty() {
            self.partial = BytesMut::with_capacity(PREFIX + length);
            self.partial.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        } else {
            self.partial.reserve(PREFIX + length - have);
        }
    }
}

#[cfg(test)]
mod tests;
