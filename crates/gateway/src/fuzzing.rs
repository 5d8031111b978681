//! What fuzz targets reach of the inside: how a request body becomes gRPC messages, without a connection. No part of the
//! API; it changes without notice.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::grpc::{Encoding, Messages, RequestBody};
use crate::status::Status;
use crate::transcode::Refused;
use crate::web::Decoded;

/// How the request body of a call is read.
#[derive(Debug, Clone, Copy)]
pub struct Framing {
    /// Whether compressed messages are gzip; else there are none.
    pub gzip: bool,
    /// Whether the body is base64, as `application/grpc-web-text` is.
    pub text: bool,
    /// The greatest length of a message in bytes.
    pub limit: usize,
}

/// All messages of a body, as a method with a stream of requests reads them, and the error that ended it early.
///
/// The body arrives in these pieces; `None` is a moment at which nothing has arrived.
pub fn messages(body: Vec<Option<Bytes>>, framing: Framing) -> (Vec<Bytes>, Option<Refused>) {
    let body = Pieces(body.into());
    if framing.text {
        all(reader(Decoded::new(body), framing))
    } else {
        all(reader(body, framing))
    }
}

/// The message of a body as a unary method reads it: exactly one.
///
/// # Errors
/// The body is malformed, or has none or several.
pub fn only_message(body: Vec<Option<Bytes>>, framing: Framing) -> Result<Bytes, Refused> {
    let body = Pieces(body.into());
    if framing.text {
        ready(reader(Decoded::new(body), framing).only()).map_err(Refused::from)
    } else {
        ready(reader(body, framing).only()).map_err(Refused::from)
    }
}

fn reader<B: RequestBody>(body: B, framing: Framing) -> Messages<B> {
    let encoding = if framing.gzip {
        Encoding::Gzip
    } else {
        Encoding::Identity
    };
    Messages::new(body, encoding, framing.limit)
}

fn all<B: RequestBody>(mut reader: Messages<B>) -> (Vec<Bytes>, Option<Refused>) {
    let mut messages = Vec::new();
    loop {
        match ready(std::future::poll_fn(|cx| reader.poll_next(cx))) {
            Some(Ok(message)) => messages.push(message),
            Some(Err(status)) => return (messages, Some(status.into())),
            None => return (messages, None),
        }
    }
}

/// Polls until there is a result: the body waits for nobody, so it comes after as many polls as pieces.
fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// A body that arrives in pieces.
struct Pieces(VecDeque<Option<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.pop_front() {
            Some(None) => Poll::Pending,
            Some(Some(piece)) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}
