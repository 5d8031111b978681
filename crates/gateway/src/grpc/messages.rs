//! The messages of a request body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cloudstate_runtime::Code;

use super::encoding::Encoding;
use super::frame::{FrameDecoder, MalformedFrame};
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
    frames: FrameDecoder,
}

impl<B: RequestBody> Messages<B> {
    /// Reads `body`, whose compressed messages have the given encoding; no message may exceed `limit` bytes.
    pub(crate) fn new(body: B, encoding: Encoding, limit: usize) -> Self {
        Messages {
            body,
            frames: FrameDecoder::new(encoding, limit),
        }
    }

    /// The next message, `None` at the end. After an error the body is useless.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(message) = self.frames.next_message()? {
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers of a request mean nothing in gRPC.
                    if let Ok(data) = frame.into_data() {
                        self.frames.push(data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None if self.frames.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(truncated()))),
            }
        }
    }

    /// Whether the end is known to be reached, without reading.
    pub(crate) fn is_end(&self) -> bool {
        self.frames.is_empty() && self.body.is_end_stream()
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
}

impl From<MalformedFrame> for Status {
    fn from(error: MalformedFrame) -> Self {
        let code = match error {
            MalformedFrame::TooLarge { .. } => Code::ResourceExhausted,
            MalformedFrame::NoEncoding | MalformedFrame::Flag(_) | MalformedFrame::Gzip(_) => Code::Internal,
        };
        Status::new(code, error.to_string())
    }
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
