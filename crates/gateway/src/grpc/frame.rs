//! Cuts a request body into gRPC messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use cloudstate_runtime::Code;

use super::encoding::{self, Encoding};
use crate::body::PREFIX;
use crate::status::Status;

/// Where frames come from. Its errors are statuses of the call.
pub(crate) trait RequestBody:
    http_body::Body<Data = Bytes, Error: Into<Status>> + Unpin + 'static
{
}

impl<B> RequestBody for B where B: http_body::Body<Data = Bytes, Error: Into<Status>> + Unpin + 'static {}

/// The messages of a request body.
pub(crate) struct Messages<B> {
    body: B,
    encoding: Encoding,
    limit: usize,
    /// What arrived last and is not taken yet; messages that lie wholly within are slices of it.
    chunk: Bytes,
    /// The beginning of a message that spans chunks.
    partial: BytesMut,
}

impl<B: RequestBody> Messages<B> {
    /// Reads `body`, whose compressed messages have the given encoding; no message may exceed `limit` bytes.
    pub(crate) fn new(body: B, encoding: Encoding, limit: usize) -> Self {
        Messages {
            body,
            encoding,
            limit,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// The next message, `None` at the end. After an error the body is useless.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            match self.take_message() {
                Ok(None) => {}
                message => return Poll::Ready(message.transpose()),
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers of a request mean nothing in gRPC.
                    if let Ok(data) = frame.into_data() {
                        self.push(data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None if self.chunk.is_empty() && self.partial.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(truncated()))),
            }
        }
    }

    /// Whether the end is known to be reached, without reading.
    pub(crate) fn is_end(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty() && self.body.is_end_stream()
    }

    /// Reads the only message of a unary request.
    ///
    /// Waits for the end of the request, so that a request with several messages is refused before it is executed.
    pub(crate) async fn only(&mut self) -> Result<Bytes, Status> {
        let next = std::future::poll_fn(|cx| self.poll_next(cx)).await;
        let message = next.ok_or_else(|| cardinality("none"))??;
        if !self.is_end() {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                None => {}
                Some(Ok(_)) => return Err(cardinality("several")),
                Some(Err(status)) => return Err(status),
            }
        }
        Ok(message)
    }

    fn push(&mut self, data: Bytes) {
        debug_assert!(self.chunk.is_empty(), "only an exhausted chunk is replaced");
        self.chunk = data;
    }

    /// Takes a whole message, or moves what there is of it to `partial`.
    fn take_message(&mut self) -> Result<Option<Bytes>, Status> {
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

    fn assemble(&mut self) -> Result<Option<Bytes>, Status> {
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

    /// Grows by what has arrived, never by what a prefix promises: a short request cannot reserve much memory.
    fn move_up_to(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }

    fn parse_prefix(&self, bytes: &[u8]) -> Result<(u8, usize), Status> {
        let [flag, length @ ..] = std::array::from_fn::<u8, PREFIX, _>(|at| bytes[at]);
        let length = u32::from_be_bytes(length) as usize;
        if length > self.limit {
            Err(too_large(length, self.limit))
        } else {
            Ok((flag, length))
        }
    }

    fn decode(&self, flag: u8, message: Bytes) -> Result<Bytes, Status> {
        match (flag, self.encoding) {
            (0, _) => Ok(message),
            (1, Encoding::Gzip) => encoding::gunzip(&message, self.limit),
            (1, Encoding::Identity) => Err(Status::new(
                Code::Internal,
                "a message is marked as compressed, but the request names no grpc-encoding",
            )),
            (flag, _) => Err(Status::new(
                Code::Internal,
                format!("{flag} is no gRPC message flag: only 0 and 1 are"),
            )),
        }
    }
}

/// Refuses a message over the limit, naming both sizes.
pub(crate) fn too_large(length: usize, limit: usize) -> Status {
    Status::new(
        Code::ResourceExhausted,
        format!("the request message has {length} bytes, more than the limit of {limit} bytes"),
    )
}

fn cardinality(found: &str) -> Status {
    // The code is the one of gRPC's table of status codes for a violated request cardinality.
    Status::new(
        Code::Unimplemented,
        format!("the method takes exactly one request message, but {found} came"),
    )
}

fn truncated() -> Status {
    Status::new(Code::Internal, "the request ended in the middle of a message")
}

#[cfg(test)]
mod tests;
