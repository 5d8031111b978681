//! A server-streaming method over HTTP: server-sent events, one JSON text a line, or the raw chunks of
//! `google.api.HttpBody`.
//!
//! ```text
//!   Accept ─▶ Shape    first reply ─▶ headers, status    replies ─▶ pieces    end ─▶ how the shape says it
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_catalog::http::HttpBinding;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{CallError, Reply, ReplyStream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use super::accept::Shape;
use super::events;
use super::http_body::is_response_of as shows_http_body;
use super::reply::{self, Written};
use super::requests::Fault;
use crate::body::{Body, BrokenOff, Piece};
use crate::front::Route;
use crate::grpc;
use crate::metrics::InFlight;
use crate::status::Status;

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Tells a proxy in front that pieces must not wait for one another; nginx keeps to it.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Events begin without a first reply after this time, so that a page knows that it is connected.
const OPEN_AFTER: Duration = Duration::from_secs(1);

/// How a stream is written.
#[derive(Debug, Clone)]
enum Form {
    /// The content of `google.api.HttpBody`.
    Raw,
    /// Server-sent events, and how long none may come before a comment does.
    Events { heartbeat: Option<Duration> },
    /// Lines of JSON.
    Lines(HeaderValue),
}

impl Form {
    fn of(binding: &HttpBinding, headers: &HeaderMap, heartbeat: Option<Duration>) -> Self {
        if shows_http_body(binding) {
            return Form::Raw;
        }
        match Shape::of(headers) {
            Shape::Events => Form::Events { heartbeat },
            Shape::Lines(content_type) => Form::Lines(content_type),
        }
    }

    fn piece(&self, binding: &HttpBinding, metadata: &Metadata, payload: Bytes) -> Result<Bytes, Status> {
        let written = Written::of(binding, payload)?;
        Ok(match self {
            Form::Raw => written.body,
            Form::Events { .. } => events::event(metadata, &written.body),
            Form::Lines(_) => line(&written.body),
        })
    }
}

fn line(json: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(json.len() + 1);
    line.put_slice(json);
    line.put_u8(b'\n');
    line.freeze()
}

/// A streaming call that has begun.
pub(super) struct Begun<'a> {
    pub(super) binding: &'a Arc<HttpBinding>,
    pub(super) replies: ReplyStream,
    pub(super) deadline: Option<Instant>,
    pub(super) route: &'a Route,
    pub(super) fault: Fault,
    pub(super) in_flight: InFlight,
}

/// Answers with the replies as they come. Until the first one a failure is a status of its own; after it, the last event or
/// line tells of it, and raw content breaks off.
pub(super) async fn answer(
    begun: Begun<'_>,
    headers: &HeaderMap,
    heartbeat: Option<Duration>,
) -> Response<Body> {
    let Begun {
        binding,
        mut replies,
        deadline,
        route,
        fault,
        mut in_flight,
    } = begun;
    let form = Form::of(binding, headers, heartbeat);
    let first = match grpc::within(deadline, first(&mut replies, &form)).await {
        Ok(First::Nothing) if matches!(form, Form::Events { .. }) => {
            in_flight.outcome(None);
            return nothing_more();
        }
        Ok(First::Nothing) => Ok((Metadata::default(), None)),
        Ok(First::NotYet) => Ok((Metadata::default(), Some((events::HEARTBEAT, EVENTS)))),
        Ok(First::Reply(reply)) => begin(&form, binding, reply),
        Err(status) => Err(status),
    };
    let (metadata, first) = match first {
        Ok(first) => first,
        Err(status) => {
            let status = fault.explain(status);
            in_flight.outcome(Some(status.code));
            return reply::failed(&status);
        }
    };
    let (first, content_type) = match (first, &form) {
        (Some((piece, content_type)), _) => (Some(piece), content_type),
        (None, Form::Lines(content_type)) => (None, content_type.clone()),
        (None, Form::Events { .. }) => (None, EVENTS),
        (None, Form::Raw) => (None, OCTETS),
    };
    let is_raw = matches!(form, Form::Raw);
    let body = Pieces {
        binding: binding.clone(),
        first,
        replies: Some(replies),
        deadline: deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline))),
        heartbeat: Heartbeat::of(&form),
        form,
        fault,
        broken: None,
        in_flight,
    };
    let mut response = Response::new(Body::Streamed(Box::pin(body)));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, content_type);
    route.write_metadata(metadata, answer);
    if !is_raw {
        answer.append(VARY, HeaderValue::from_static("Accept"));
        answer
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        answer.entry(BUFFERING).or_insert(HeaderValue::from_static("no"));
    }
    response
}

/// A stream of events without any is not to be begun again. Source: WHATWG HTML, server-sent events: 204 ends reconnection.
fn nothing_more() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What is known when the answer must begin.
enum First {
    Reply(Reply),
    /// The stream ended without any.
    Nothing,
    /// It is to begin all the same.
    NotYet,
}

async fn first(replies: &mut ReplyStream, form: &Form) -> Result<First, Status> {
    let next = std::future::poll_fn(|cx| replies.as_mut().poll_next(cx));
    let next = match form {
        Form::Events { .. } => match tokio::time::timeout(OPEN_AFTER, next).await {
            Ok(next) => next,
            Err(_) => return Ok(First::NotYet),
        },
        _ => next.await,
    };
    Ok(next.transpose()?.map_or(First::Nothing, First::Reply))
}

type FirstPiece = (Metadata, Option<(Bytes, HeaderValue)>);

/// The first piece with its content type, and the metadata that becomes headers.
fn begin(form: &Form, binding: &HttpBinding, reply: Reply) -> Result<FirstPiece, Status> {
    let Reply {
        payload,
        mut metadata,
    } = reply;
    let first = match (payload, form) {
        (None, _) => None,
        (Some(payload), Form::Raw) => {
            let written = Written::of(binding, payload)?;
            let content_type = written
                .content_type
                .unwrap_or_else(|| named(&metadata).unwrap_or(OCTETS));
            Some((written.body, content_type))
        }
        (Some(payload), Form::Events { .. }) => Some((form.piece(binding, &metadata, payload)?, EVENTS)),
        (Some(payload), Form::Lines(content_type)) => {
            Some((form.piece(binding, &metadata, payload)?, content_type.clone()))
        }
    };
    if matches!(form, Form::Events { .. }) {
        events::strip(&mut metadata);
    }
    Ok((metadata, first))
}

/// The content type that the metadata of the first chunk names.
fn named(metadata: &Metadata) -> Option<HeaderValue> {
    HeaderValue::try_from(metadata.get("content-type")?).ok()
}

/// Rings when nothing was written for its time.
struct Heartbeat {
    every: Duration,
    next: Pin<Box<Sleep>>,
}

impl Heartbeat {
    fn of(form: &Form) -> Option<Self> {
        let Form::Events {
            heartbeat: Some(every),
        } = form
        else {
            return None;
        };
        Some(Heartbeat {
            every: *every,
            next: Box::pin(tokio::time::sleep(*every)),
        })
    }

    fn restart(&mut self) {
        self.next.as_mut().reset(Instant::now() + self.every);
    }
}

/// The rest of a streamed answer. Dropping it cancels the call; while nobody takes its pieces, the function has to wait.
struct Pieces {
    binding: Arc<HttpBinding>,
    form: Form,
    first: Option<Bytes>,
    /// `None` once the answer has ended.
    replies: Option<ReplyStream>,
    deadline: Option<Pin<Box<Sleep>>>,
    heartbeat: Option<Heartbeat>,
    fault: Fault,
    /// Why raw content is about to break off.
    broken: Option<BrokenOff>,
    in_flight: InFlight,
}

impl Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.replies.is_none() {
            return Poll::Ready(self.broken.take().map(Err));
        }
        let is_late = self
            .deadline
            .as_mut()
            .is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        if is_late {
            let passed = CallError::DeadlineExceeded("the caller's deadline passed".to_owned());
            return self.end(Some(passed.into()), cx);
        }
        match self.poll_reply(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.restart();
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Some(Err(status))) => self.end(Some(status), cx),
            Poll::Ready(None) => self.end(None, cx),
            Poll::Pending => self.poll_heartbeat(cx).map(|beat| Some(Ok(beat))),
        }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        while let Some(replies) = &mut self.replies {
            let Some(reply) = ready!(replies.as_mut().poll_next(cx)).transpose()? else {
                break;
            };
            if let Some(payload) = reply.payload {
                return Poll::Ready(Some(self.form.piece(&self.binding, &reply.metadata, payload)));
            }
        }
        Poll::Ready(None)
    }

    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(heartbeat) = &mut self.heartbeat else {
            return Poll::Pending;
        };
        ready!(heartbeat.next.as_mut().poll(cx));
        heartbeat.restart();
        Poll::Ready(events::HEARTBEAT)
    }

    /// The last piece.
    fn end(
        &mut self,
        status: Option<Status>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.replies = None;
        let status = status.map(|status| self.fault.explain(status));
        self.in_flight.outcome(status.as_ref().map(|status| status.code));
        let last = match (&self.form, status) {
            (Form::Raw, Some(status)) => {
                // Told in the next turn: the connection is dropped with whatever it did not write yet.
                self.broken = Some(BrokenOff(status.message.into_owned()));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            (Form::Events { .. }, Some(status)) => Some(events::error(&status)),
            (Form::Events { .. }, None) => Some(events::END),
            (Form::Lines(_), Some(status)) => {
                let error = serde_json::json!({"error": status.to_json()});
                Some(line(error.to_string().as_bytes()))
            }
            (Form::Raw | Form::Lines(_), None) => None,
        };
        Poll::Ready(last.map(Ok))
    }
}

impl http_body::Body for Pieces {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let piece = ready!(self.poll_piece(cx));
        Poll::Ready(piece.map(|piece| piece.map(|bytes| Frame::data(Piece::raw(bytes)))))
    }
}
