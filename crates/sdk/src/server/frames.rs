//! gRPC messages out of HTTP/2 data.
//!
//! A message is one byte of flags, four of length, and as many of content (gRPC over HTTP/2, "Length-Prefixed-Message").

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;

const HEADER: usize = 5;

/// Why no more messages can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the proxy cancelled the call or went away: {0}")]
    Gone(#[from] h2::Error),
    #[error("a message of {size} bytes is larger than the limit of {limit} bytes")]
    TooLarge { size: usize, limit: usize },
    #[error("compressed messages are not supported")]
    Compressed,
    #[error("the stream ended within a message")]
    Truncated,
}

/// Reads the messages of a request. Messages that arrive whole in one frame are not copied.
pub(super) struct Frames {
    body: RecvStream,
    splitter: Splitter,
}

impl Frames {
    pub(super) fn new(body: RecvStream, limit: usize) -> Self {
        Frames {
            body,
            splitter: Splitter::new(limit),
        }
    }

    /// The next message; `None` when the proxy has half-closed. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FrameError>> {
        loop {
            if let Some(message) = self.splitter.split()? {
                return Poll::Ready(Ok(Some(message)));
            }
            match ready!(self.body.poll_data(cx)) {
                Some(chunk) => {
                    let chunk = chunk?;
                    self.body.flow_control().release_capacity(chunk.len())?;
                    self.splitter.push(chunk);
                }
                None if self.splitter.is_empty() => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(Err(FrameError::Truncated)),
            }
        }
    }
}

/// Cuts chunks into messages.
struct Splitter {
    /// Not looked at yet.
    chunk: Bytes,
    /// The beginning of a message that spans chunks.
    partial: BytesMut,
    limit: usize,
}

impl Splitter {
    fn new(limit: usize) -> Self {
        Splitter {
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            limit,
        }
    }

    fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty()
    }

    /// Adds data. Only after [`split`](Self::split) has found nothing more, so that there is no other chunk.
    fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    fn split(&mut self) -> Result<Option<Bytes>, FrameError> {
        if self.partial.is_empty() {
            match self.frame_size(&self.chunk)? {
                Some(size) if size <= self.chunk.len() => {
                    let mut frame = self.chunk.split_to(size);
                    frame.advance(HEADER);
                    return Ok(Some(frame));
                }
                _ => {}
            }
        }
        self.gather()
    }

    /// Moves as much of the chunk as belongs to the message that spans chunks.
    fn gather(&mut self) -> Result<Option<Bytes>, FrameError> {
        while !self.chunk.is_empty() {
            let size = self.frame_size(&self.partial)?;
            let missing = size.unwrap_or(HEADER) - self.partial.len();
            let part = self.chunk.split_to(missing.min(self.chunk.len()));
            self.partial.reserve(missing);
            self.partial.extend_from_slice(&part);
            if self.frame_size(&self.partial)? == Some(self.partial.len()) {
                let mut frame = std::mem::take(&mut self.partial).freeze();
                frame.advance(HEADER);
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Size of the frame that the data begins with, header included, if that much is known.
    fn frame_size(&self, data: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(([flags, length @ ..], _)) = data.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        if *flags != 0 {
            return Err(FrameError::Compressed);
        }
        let size = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if size > self.limit {
            return Err(FrameError::TooLarge {
                size,
                limit: self.limit,
            });
        }
        Ok(Some(HEADER + size))
    }
}

#[cfg(test)]
mod tests;
