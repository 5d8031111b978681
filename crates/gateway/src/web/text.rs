//! The base64 of `application/grpc-web-text`: a stream of groups of four characters, padded wherever the sender flushed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use bytes::Bytes;
use cloudstate_runtime::Code;
use http_body::{Body, Frame, SizeHint};

use crate::status::Status;

const GROUP: usize = 4;

/// Decodes a stream of base64 in pieces. Padding may come after any group, since each flush of a sender ends with it.
#[derive(Debug, Default)]
pub struct TextDecoder {
    /// The beginning of a group that spans pieces.
    carry: [u8; GROUP],
    carried: usize,
    /// Characters decoded so far.
    position: usize,
}

/// A stream that is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not base64 at character {position}")]
pub struct MalformedText {
    /// The character at fault, counted from 0 over the whole stream.
    pub position: usize,
}

impl TextDecoder {
    /// The bytes of all groups that end in this piece. After an error the stream is useless.
    ///
    /// # Errors
    /// If the piece holds anything but base64 with its padding.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, MalformedText> {
        let mut bytes = Vec::with_capacity((self.carried + piece.len()) / GROUP * 3);
        let missing = (GROUP - self.carried) % GROUP;
        let (of_carry, piece) = piece.split_at(missing.min(piece.len()));
        self.carry(of_carry);
        if self.carried == GROUP {
            let group = self.carry;
            self.carried = 0;
            self.decode(&group, &mut bytes)?;
        }
        if self.carried > 0 {
            return Ok(bytes);
        }
        let (groups, rest) = piece.split_at(piece.len() / GROUP * GROUP);
        self.decode(groups, &mut bytes)?;
        self.carry(rest);
        Ok(bytes)
    }

    /// Checks that the stream ends with a whole group.
    ///
    /// # Errors
    /// If it does not.
    pub fn finish(&self) -> Result<(), MalformedText> {
        match self.carried {
            0 => Ok(()),
            carried => Err(MalformedText {
                position: self.position + carried,
            }),
        }
    }

    /// At most so much that the group is full.
    fn carry(&mut self, part: &[u8]) {
        let end = self.carried + part.len();
        self.carry[self.carried..end].copy_from_slice(part);
        self.carried = end;
    }

    /// Decodes whole groups, up to each padding by itself.
    fn decode(&mut self, mut groups: &[u8], bytes: &mut Vec<u8>) -> Result<(), MalformedText> {
        while !groups.is_empty() {
            let padding = groups.iter().position(|byte| *byte == b'=');
            let end = padding.map_or(groups.len(), |at| (at / GROUP + 1) * GROUP);
            let (run, rest) = groups.split_at(end);
            STANDARD
                .decode_vec(run, bytes)
                .map_err(|error| self.malformed(&error, run.len()))?;
            self.position += run.len();
            groups = rest;
        }
        Ok(())
    }

    fn malformed(&self, error: &DecodeError, run: usize) -> MalformedText {
        let within = match error {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
            // Only the last group of a run can be padded.
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => run - GROUP,
        };
        MalformedText {
            position: self.position + within,
        }
    }
}

impl From<MalformedText> for Status {
    fn from(error: MalformedText) -> Self {
        Status::new(Code::InvalidArgument, error.to_string())
    }
}

/// The body of a request whose base64 is removed.
pub(crate) struct Decoded<B> {
    body: B,
    decoder: TextDecoder,
}

impl<B> Decoded<B> {
    pub(crate) fn new(body: B) -> Self {
        Decoded {
            body,
            decoder: TextDecoder::default(),
        }
    }
}

impl<B> Body for Decoded<B>
where
    B: Body<Data = Bytes, Error: Into<Status>> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let end = self.decoder.finish();
                    // Told once: what is polled again after an error has ended.
                    self.decoder = TextDecoder::default();
                    return Poll::Ready(end.err().map(|error| Err(error.into())));
                }
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            };
            let bytes = self.decoder.push(&data)?;
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.decoder.finish().is_ok()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, MalformedText> {
        let mut decoder = TextDecoder::default();
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(decoder.push(piece)?);
        }
        decoder.finish()?;
        Ok(bytes)
    }

    /// Cuts a text at positions, which are taken modulo its length.
    fn cut<'t>(text: &'t [u8], cuts: &[usize]) -> Vec<&'t [u8]> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, end)| &text[start..*end]).collect()
    }

    proptest! {
        #[test]
        fn flushes_survive_any_cut(
            flushes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let text: String = flushes.iter().map(|flush| STANDARD.encode(flush)).collect();
            prop_assert_eq!(decode(&cut(text.as_bytes(), &cuts)), Ok(flushes.concat()));
        }

        #[test]
        fn cuts_never_change_the_outcome(text in "[AQgw=\n?]{0,24}", cuts in prop::collection::vec(any::<usize>(), 0..12)) {
            prop_assert_eq!(decode(&cut(text.as_bytes(), &cuts)), decode(&[text.as_bytes()]));
        }
    }

    #[test]
    fn what_is_no_base64_is_named_by_its_place() {
        for (text, position) in [
            ("AAAA?AAA", 4),
            ("AAAAAA=A", 6),
            ("AAAA====", 4),
            ("AAAAAB==", 5),
            ("AAA", 3),
            ("AAAAA", 5),
            ("AA==\n", 5),
            ("AAAA-_8=", 4),
        ] {
            let error = decode(&[text.as_bytes()]).unwrap_err();
            assert_eq!(error.position, position, "{text:?}");
        }
    }
}
