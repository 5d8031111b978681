//! Response bodies: one type for all answers, so that a unary reply costs no box.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// Bytes to send: an optional gRPC message prefix and a payload, without copying them together.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    prefix: [u8; PREFIX],
    /// How much of the prefix is sent; `PREFIX` when there is none.
    sent: usize,
    payload: Bytes,
}

/// Length of a gRPC message prefix: one flag byte and the length, big endian.
pub(crate) const PREFIX: usize = 5;

impl Piece {
    /// A gRPC message. Payloads beyond 4 GiB cannot be framed and never get here: replies are limited far below.
    pub(crate) fn message(payload: Bytes, compressed: bool) -> Self {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let prefix = [u8::from(compressed), length[0], length[1], length[2], length[3]];
        Piece {
            prefix,
            sent: 0,
            payload,
        }
    }

    /// Bytes as they are.
    pub(crate) fn raw(payload: Bytes) -> Self {
        Piece {
            prefix: [0; PREFIX],
            sent: PREFIX,
            payload,
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        PREFIX - self.sent + self.payload.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.sent < PREFIX {
            &self.prefix[self.sent..]
        } else {
            &self.payload
        }
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [std::io::IoSlice<'a>]) -> usize {
        let chunks = [&self.prefix[self.sent..], &self.payload];
        let present = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        dst.iter_mut()
            .zip(present)
            .map(|(slot, chunk)| *slot = std::io::IoSlice::new(chunk))
            .count()
    }

    fn advance(&mut self, count: usize) {
        let of_prefix = count.min(PREFIX - self.sent);
        self.sent += of_prefix;
        self.payload.advance(count - of_prefix);
    }
}

/// A streamed answer was cut off; the transport resets the stream or closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub(crate) struct BrokenOff(pub(crate) String);

type Streamed = Pin<Box<dyn http_body::Body<Data = Piece, Error = BrokenOff>>>;

/// The body of a response.
pub(crate) enum Body {
    /// Nothing; a gRPC status then stands in the headers.
    Empty,
    /// At most one piece, then trailers.
    Unary {
        piece: Option<Piece>,
        trailers: Option<HeaderMap>,
    },
    /// All of an HTTP answer, its length known.
    Full(Bytes),
    /// Pieces as they come.
    Streamed(Streamed),
}

impl http_body::Body for Body {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        Poll::Ready(match &mut *self {
            Body::Empty => None,
            Body::Unary { piece, trailers } => match piece.take() {
                Some(piece) => Some(Ok(Frame::data(piece))),
                None => trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
            },
            Body::Full(bytes) if bytes.is_empty() => None,
            Body::Full(bytes) => Some(Ok(Frame::data(Piece::raw(std::mem::take(bytes))))),
            Body::Streamed(body) => return body.as_mut().poll_frame(cx),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Unary { piece, trailers } => piece.is_none() && trailers.is_none(),
            Body::Full(bytes) => bytes.is_empty(),
            Body::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            // A known length would become a content-length header, which gRPC answers do not carry.
            Body::Unary { .. } | Body::Streamed(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_prefix_and_payload_however_it_is_read() {
        let expected = b"\x00\x00\x00\x00\x03abc";
        assert_eq!(
            &Piece::message(Bytes::from_static(b"abc"), false).copy_to_bytes(8)[..],
            expected
        );
        for step in 1..8 {
            let mut piece = Piece::message(Bytes::from_static(b"abc"), false);
            let mut read = Vec::new();
            while piece.has_remaining() {
                let count = piece.chunk().len().min(step);
                read.extend_from_slice(&piece.chunk()[..count]);
                piece.advance(count);
            }
            assert_eq!(read, expected, "read in steps of {step}");
        }
    }

    #[test]
    fn vectored_reads_see_both_parts() {
        let mut piece = Piece::message(Bytes::from_static(b"abc"), true);
        piece.advance(1);
        let mut slots = [std::io::IoSlice::new(&[]); 4];
        let count = piece.chunks_vectored(&mut slots);
        let read: Vec<u8> = slots[..count].iter().flat_map(|slot| slot.to_vec()).collect();
        assert_eq!(read, b"\x00\x00\x00\x03abc");
    }
}
