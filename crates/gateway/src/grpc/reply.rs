//! Writes replies as a gRPC response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloudstate_runtime::{Reply, ReplyStream};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;

use super::{CONTENT_TYPE, Form, encoding};
use crate::body::{Body, BrokenOff, Piece};
use crate::end::{Alarm, End};
use crate::front::Route;
use crate::metadata;
use crate::metrics::InFlight;
use crate::status::Status;

/// A failed call: status in the headers, no body.
pub(super) fn failed(status: &Status, in_flight: &mut InFlight) -> Response<Body> {
    in_flight.outcome(Some(status.code));
    let mut response = head(Body::Empty);
    // Clients need it when their own encoding was refused; it is harmless elsewhere.
    response
        .headers_mut()
        .insert("grpc-accept-encoding", encoding::ACCEPTED);
    status.write_trailers(response.headers_mut());
    response
}

/// A successful call with at most one message.
pub(super) fn whole(
    reply: Option<Reply>,
    form: Form,
    route: &Route,
    in_flight: &mut InFlight,
) -> Response<Body> {
    in_flight.outcome(None);
    let (metadata, payload) = reply
        .map(|reply| (reply.metadata, reply.payload))
        .unwrap_or_default();
    let piece = payload.map(|payload| form.piece(payload));
    let mut response = head(Body::Unary {
        piece,
        trailers: Some(ok_trailers()),
    });
    form.write_headers(response.headers_mut());
    route.write_metadata(metadata, response.headers_mut());
    response
}

/// A call with any number of messages, of which the first is there.
pub(super) fn streamed(
    first: Reply,
    rest: ReplyStream,
    form: Form,
    end: Option<End>,
    route: &Route,
    in_flight: InFlight,
) -> Response<Body> {
    let mut headers = HeaderMap::new();
    form.write_headers(&mut headers);
    route.write_metadata(first.metadata, &mut headers);
    let first = first.payload.map(|payload| form.piece(payload));
    let mut response = head(Body::Streamed(Box::pin(Streamed {
        first,
        rest: Some(rest),
        alarm: end.map(End::alarm),
        form,
        in_flight,
    })));
    response.headers_mut().extend(headers);
    response
}

fn head(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

impl Form {
    fn write_headers(self, headers: &mut HeaderMap) {
        if self.gzip_from.is_some() {
            headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        }
    }

    fn piece(self, payload: bytes::Bytes) -> Piece {
        match self.gzip_from {
            Some(from) if payload.len() >= from => match encoding::gzip(&payload) {
                Some(packed) => Piece::message(packed, true),
                None => Piece::message(payload, false),
            },
            _ => Piece::message(payload, false),
        }
    }
}

impl Route {
    /// Adds a reply's metadata to the response, with one warning a method about what is dropped.
    pub(crate) fn write_metadata(&self, metadata: cloudstate_protocol::Metadata, headers: &mut HeaderMap) {
        for dropped in metadata::to_headers(metadata, headers) {
            let (key, reason) = (dropped.key, dropped.reason);
            if self.warned.replace(true) {
                tracing::debug!(?key, reason, "dropped reply metadata");
            } else {
                let hint = "further ones of this method are logged at debug level";
                tracing::warn!(?key, reason, hint, "dropped reply metadata");
            }
        }
    }
}

/// The messages of a streamed answer, then its trailers. Dropping it cancels the call.
struct Streamed {
    first: Option<Piece>,
    /// `None` once the trailers are sent.
    rest: Option<ReplyStream>,
    alarm: Option<Alarm>,
    form: Form,
    in_flight: InFlight,
}

impl Streamed {
    fn end(&mut self, status: Option<&Status>) -> Frame<Piece> {
        self.rest = None;
        self.in_flight.outcome(status.map(|status| status.code));
        let Some(status) = status else {
            return Frame::trailers(ok_trailers());
        };
        let mut trailers = HeaderMap::new();
        status.write_trailers(&mut trailers);
        Frame::trailers(trailers)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Piece>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Frame::data(first)));
        }
        if self.rest.is_some()
            && let Some(alarm) = &mut self.alarm
            && let Poll::Ready(status) = alarm.poll(cx)
        {
            return Poll::Ready(Some(self.end(Some(&status))));
        }
        while let Some(rest) = &mut self.rest {
            match ready!(rest.as_mut().poll_next(cx)) {
                Some(Ok(Reply {
                    payload: Some(payload),
                    ..
                })) => {
                    return Poll::Ready(Some(Frame::data(self.form.piece(payload))));
                }
                Some(Ok(Reply { payload: None, .. })) => {}
                Some(Err(error)) => return Poll::Ready(Some(self.end(Some(&error.into())))),
                None => return Poll::Ready(Some(self.end(None))),
            }
        }
        Poll::Ready(None)
    }
}

impl http_body::Body for Streamed {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        self.poll_piece(cx).map(|frame| frame.map(Ok))
    }
}
