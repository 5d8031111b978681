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
use cloudstate_runtime::{Code, Reply, ReplyStream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::accept::Shape;
use super::events;
use super::http_body::is_response_of as shows_http_body;
use super::reply::{self, Written};
use super::requests::Fault;
use crate::body::{Body, BrokenOff, Piece};
use crate::end::{Alarm, End, within};
use crate::front::Route;
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
    pub(super) end: Option<End>,
    pub(super) route: &'a Route,
    pub(super) fault: Fault,
    pub(super) in_flight: InFlight,
}

/// How streams are written whoever asks.
pub(super) struct Manner<'a> {
    pub(super) heartbeat: Option<Duration>,
    pub(super) shutdown: &'a CancellationToken,
}

/// Answers with the replies as they come. Until the first one a failure is a status of its own; after it, the last event or
/// line tells of it, and raw content breaks off.
pub(super) async fn answer(begun: Begun<'_>, headers: &HeaderMap, manner: Manner<'_>) -> Response<Body> {
    let Begun {
        binding,
        mut replies,
        end,
        route,
        fault,
        mut in_flight,
    } = begun;
    let form = Form::of(binding, headers, manner.heartbeat);
    let first = within(end, first(&mut replies, &form)).await;
    let opening = match first.and_then(|first| form.open(binding, first)) {
        Ok(Some(opening)) => opening,
        Ok(None) => {
            in_flight.outcome(None);
            return nothing_more();
        }
        Err(status) => {
            let status = fault.explain(status);
            in_flight.outcome(Some(status.code));
            return reply::failed(&status);
        }
    };
    let is_events = matches!(form, Form::Events { .. });
    let is_raw = matches!(form, Form::Raw);
    let body = Pieces {
        binding: binding.clone(),
        first: opening.piece,
        replies: Some(replies),
        alarm: end.map(End::alarm),
        heartbeat: Heartbeat::of(&form),
        shutdown: is_events.then(|| Box::pin(manner.shutdown.clone().cancelled_owned())),
        form,
        fault,
        broken: None,
        in_flight,
    };
    let mut response = Response::new(Body::Streamed(Box::pin(body)));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, opening.content_type);
    route.write_metadata(opening.metadata, answer);
    if !is_raw {
        answer.append(VARY, HeaderValue::from_static("Accept"));
        let no_store = HeaderValue::from_static("no-store");
        answer.entry(CACHE_CONTROL).or_insert(no_store);
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

/// How an answer begins.
struct Opening {
    content_type: HeaderValue,
    /// Becomes headers.
    metadata: Metadata,
    piece: Option<Bytes>,
}

impl Form {
    /// The beginning, by what is known of the first reply. `None` for a stream of events without any.
    fn open(&self, binding: &HttpBinding, first: First) -> Result<Option<Opening>, Status> {
        let reply = match (first, self) {
            (First::Reply(reply), _) => reply,
            (First::Nothing, Form::Events { .. }) => return Ok(None),
            (First::Nothing | First::NotYet, _) => NO_REPLY,
        };
        let Reply {
            payload,
            mut metadata,
        } = reply;
        let (content_type, piece) = match (self, payload) {
            (Form::Raw, None) => (OCTETS, None),
            (Form::Raw, Some(payload)) => {
                let written = Written::of(binding, payload)?;
                let content_type = written.content_type.or_else(|| named(&metadata));
                (content_type.unwrap_or(OCTETS), Some(written.body))
            }
            (Form::Events { .. }, None) => (EVENTS, Some(events::HEARTBEAT)),
            (Form::Events { .. }, Some(payload)) => (EVENTS, Some(self.piece(binding, &metadata, payload)?)),
            (Form::Lines(content_type), payload) => {
                let piece = payload.map(|payload| self.piece(binding, &metadata, payload));
                (content_type.clone(), piece.transpose()?)
            }
        };
        if matches!(self, Form::Events { .. }) {
            events::strip(&mut metadata);
        }
        Ok(Some(Opening {
            content_type,
            metadata,
            piece,
        }))
    }
}

/// In place of a first reply that is not there.
const NO_REPLY: Reply = Reply {
    payload: None,
    metadata: Metadata { entries: Vec::new() },
};

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
    alarm: Option<Alarm>,
    heartbeat: Option<Heartbeat>,
    /// Of events only.
    shutdown: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
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
        if let Some(alarm) = &mut self.alarm
            && let Poll::Ready(status) = alarm.poll(cx)
        {
            return self.end(Some(status), cx);
        }
        if self.is_shut_down(cx) {
            // Without the event that says so: whoever follows asks again, and is answered by whoever serves then.
            self.replies = None;
            self.in_flight.outcome(Some(Code::Unavailable));
            return Poll::Ready(None);
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

    fn is_shut_down(&mut self, cx: &mut Context<'_>) -> bool {
        self.shutdown
            .as_mut()
            .is_some_and(|shutdown| shutdown.as_mut().poll(cx).is_ready())
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
