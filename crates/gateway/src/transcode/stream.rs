//! A server-streaming method over HTTP: one JSON text a line, or the raw chunks of `google.api.HttpBody`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_catalog::http::HttpBinding;
use cloudstate_runtime::{CallError, Reply, ReplyStream};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use super::reply::{self, JSON, Written};
use crate::body::{Body, BrokenOff, Piece};
use crate::front::Route;
use crate::grpc;
use crate::metrics::InFlight;
use crate::status::Status;

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers with the replies as they come. Until the first one a failure is a status of its own; after it, the response
/// breaks off, since HTTP has no other way to say so.
pub(super) async fn answer(
    binding: &Arc<HttpBinding>,
    mut replies: ReplyStream,
    deadline: Option<Instant>,
    route: &Route,
    mut in_flight: InFlight,
) -> Response<Body> {
    let first = async {
        Ok(std::future::poll_fn(|cx| replies.as_mut().poll_next(cx))
            .await
            .transpose()?)
    };
    let first = grpc::within(deadline, first)
        .await
        .and_then(|first| begin(binding, first));
    let (metadata, first) = match first {
        Ok(begun) => begun,
        Err(status) => {
            in_flight.outcome(Some(status.code));
            return reply::failed(&status);
        }
    };
    let content_type = content_type(&metadata, first.as_ref());
    let body = Lines {
        binding: binding.clone(),
        first: first.map(chunk),
        replies: Some(replies),
        deadline: deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline))),
        in_flight,
    };
    let mut response = Response::new(Body::Streamed(Box::pin(body)));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    route.write_metadata(metadata, response.headers_mut());
    response
}

type Begun = (cloudstate_protocol::Metadata, Option<Written>);

fn begin(binding: &HttpBinding, first: Option<Reply>) -> Result<Begun, Status> {
    let Some(Reply { payload, metadata }) = first else {
        return Ok(Begun::default());
    };
    let written = payload.map(|payload| Written::of(binding, payload)).transpose()?;
    Ok((metadata, written))
}

/// Of raw chunks: what the first one says, else the metadata of its reply.
fn content_type(metadata: &cloudstate_protocol::Metadata, first: Option<&Written>) -> HeaderValue {
    let Some(first) = first.filter(|first| first.is_raw) else {
        return JSON;
    };
    let of_metadata = || {
        metadata
            .get("content-type")
            .and_then(|text| HeaderValue::try_from(text).ok())
    };
    first.content_type.clone().or_else(of_metadata).unwrap_or(OCTETS)
}

fn chunk(written: Written) -> Bytes {
    if written.is_raw {
        return written.body;
    }
    let mut line = BytesMut::with_capacity(written.body.len() + 1);
    line.put_slice(&written.body);
    line.put_u8(b'\n');
    line.freeze()
}

/// The rest of a streamed answer. Dropping it cancels the call.
struct Lines {
    binding: Arc<HttpBinding>,
    first: Option<Bytes>,
    /// `None` once the answer has ended.
    replies: Option<ReplyStream>,
    deadline: Option<Pin<Box<Sleep>>>,
    in_flight: InFlight,
}

impl Lines {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self
            .deadline
            .as_mut()
            .is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready())
        {
            let passed = "the caller's deadline passed".to_owned();
            return Poll::Ready(Some(Err(CallError::DeadlineExceeded(passed).into())));
        }
        while let Some(replies) = &mut self.replies {
            match ready!(replies.as_mut().poll_next(cx)).transpose()? {
                Some(Reply {
                    payload: Some(payload),
                    ..
                }) => {
                    return Poll::Ready(Some(Ok(chunk(Written::of(&self.binding, payload)?))));
                }
                Some(Reply { payload: None, .. }) => {}
                None => {
                    self.in_flight.outcome(None);
                    self.replies = None;
                }
            }
        }
        Poll::Ready(None)
    }
}

impl http_body::Body for Lines {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let next = ready!(self.poll_chunk(cx));
        Poll::Ready(next.map(|chunk| match chunk {
            Ok(chunk) => Ok(Frame::data(Piece::raw(chunk))),
            Err(status) => {
                self.replies = None;
                self.in_flight.outcome(Some(status.code));
                Err(BrokenOff(status.message.into_owned()))
            }
        }))
    }
}
