//! gRPC over HTTP/2, from descriptors: request messages pass as the bytes that they are.
//!
//! ```text
//!   headers ─▶ Accepted { route, metadata, deadline }     body ─▶ Messages ─▶ Input
//!                         └──────────── Call ─▶ Router ─▶ Replies ─▶ headers of the first reply, messages, trailers
//! ```

mod encoding;
mod frame;
mod reply;
mod timeout;

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Router};
use futures_core::Stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use tokio::time::{Instant, timeout, timeout_at};

use self::encoding::Encoding;
use self::frame::{Messages, RequestBody};
pub(crate) use self::timeout::deadline;
use crate::body::Body;
use crate::builtin;
use crate::front::{CoreFront, Route, Target};
use crate::gateway::Core;
use crate::metadata;
use crate::metrics::InFlight;
use crate::status::Status;

/// Whether the content type is one of native gRPC. Others of the family (`+json`, `-web`) are not served.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(http::header::CONTENT_TYPE) else {
        return false;
    };
    let essence = value
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    matches!(
        essence.trim_ascii_end(),
        b"application/grpc" | b"application/grpc+proto"
    )
}

/// Answers one gRPC request, whatever brought its frames.
pub(crate) async fn serve<R: Router, B: RequestBody>(
    core: Rc<Core<R>>,
    front: Rc<CoreFront>,
    request: Request<B>,
) -> Response<Body> {
    // The headers live in this block only, not in the waiting call.
    let (route, accepted, body) = {
        let (head, body) = request.into_parts();
        let Some(route) = front.route(head.uri.path()) else {
            let mut in_flight = InFlight::begin(&front.unknown);
            return reply::failed(&unknown_method(&front, head.uri.path()), &mut in_flight);
        };
        (route.clone(), Accepted::read(&core, &front, route, &head), body)
    };
    let mut in_flight = InFlight::begin(&route.counters);
    let outcome = match accepted {
        Ok(accepted) => {
            let (deadline, form) = (accepted.deadline, accepted.form);
            // Pinned here and lent: moved in, it would take its room in this future twice.
            let answering = std::pin::pin!(answer(&core, &route, accepted, body));
            within(deadline, answering)
                .await
                .map(|replies| (replies, deadline, form))
        }
        Err(status) => Err(status),
    };
    match outcome {
        Ok((Answer::Whole(reply), _, form)) => reply::whole(reply, form, &route, &mut in_flight),
        Ok((Answer::Begun(first, rest), deadline, form)) => {
            reply::streamed(first, rest, form, deadline, &route, in_flight)
        }
        Err(status) => reply::failed(&status, &mut in_flight),
    }
}

/// How replies are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Replies of at least so many bytes are compressed.
    gzip_from: Option<usize>,
}

/// What the headers of a request say.
struct Accepted {
    metadata: Metadata,
    deadline: Option<Instant>,
    encoding: Encoding,
    form: Form,
}

impl Accepted {
    fn read<R>(core: &Core<R>, front: &CoreFront, route: &Route, head: &Parts) -> Result<Self, Status> {
        if head.method != Method::POST {
            return Err(Status::new(Code::Unimplemented, "a gRPC request must be a POST"));
        }
        if let (Target::Function(_), Some(reason)) = (&route.target, &front.shared.unavailable) {
            return Err(Status::new(Code::Unavailable, reason.to_string()));
        }
        let metadata = if route.wants_metadata {
            metadata::from_headers(&head.headers)?
        } else {
            Metadata::default()
        };
        let gzip_from = core.options.compress_replies_from;
        let gzip_from = gzip_from.filter(|_| Encoding::for_reply(&head.headers) == Encoding::Gzip);
        Ok(Accepted {
            metadata,
            deadline: timeout::deadline(&head.headers)?,
            encoding: Encoding::of_request(&head.headers)?,
            form: Form { gzip_from },
        })
    }
}

fn unknown_method(front: &CoreFront, path: &str) -> Status {
    match (&front.shared.routes, &front.shared.unavailable) {
        (None, Some(reason)) => Status::new(Code::Unavailable, reason.to_string()),
        _ => Status::new(
            Code::Unimplemented,
            format!("no served service has a method [{path}]"),
        ),
    }
}

/// An answer whose beginning is known.
enum Answer {
    /// All of it.
    Whole(Option<cloudstate_runtime::Reply>),
    /// The first reply, and a stream of the rest.
    Begun(cloudstate_runtime::Reply, cloudstate_runtime::ReplyStream),
}

async fn answer<R: Router, B: RequestBody>(
    core: &Rc<Core<R>>,
    route: &Route,
    accepted: Accepted,
    body: B,
) -> Result<Answer, Status> {
    let mut messages = Messages::new(body, accepted.encoding, core.options.max_request_bytes);
    let input = if route.client_streaming {
        Input::Stream(Box::pin(Requests(Some(messages))))
    } else {
        Input::One(only_message(&mut messages, core.options.body_read_timeout).await?)
    };
    let replies = match &route.target {
        Target::Function(method) => {
            let (method, metadata, deadline) = (method.clone(), accepted.metadata, accepted.deadline);
            core.router
                .call(Call {
                    method,
                    input,
                    metadata,
                    deadline,
                })
                .await?
        }
        Target::Builtin(builtin) => builtin::call(*builtin, core, input)?,
    };
    begin(replies).await
}

/// Waits for the first reply: its metadata decides the headers.
async fn begin(replies: Replies) -> Result<Answer, Status> {
    match replies {
        Replies::None => Ok(Answer::Whole(None)),
        Replies::One(reply) => Ok(Answer::Whole(Some(reply))),
        Replies::Stream(mut rest) => match std::future::poll_fn(|cx| rest.as_mut().poll_next(cx)).await {
            None => Ok(Answer::Whole(None)),
            Some(Ok(first)) => Ok(Answer::Begun(first, rest)),
            Some(Err(error)) => Err(error.into()),
        },
    }
}

/// Does the work until the deadline, if there is one.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let mut work = std::pin::pin!(work);
    match deadline {
        None => work.as_mut().await,
        Some(deadline) => timeout_at(deadline, work.as_mut())
            .await
            .unwrap_or_else(|_| Err(deadline_passed())),
    }
}

fn deadline_passed() -> Status {
    Status::new(
        Code::DeadlineExceeded,
        "the caller's deadline passed before the call was answered",
    )
}

/// The message mostly came together with the headers; only if not, the clock is asked and a timer is made.
async fn only_message<B: RequestBody>(
    messages: &mut Messages<B>,
    limit: Duration,
) -> Result<bytes::Bytes, Status> {
    let mut only = std::pin::pin!(messages.only());
    match futures_util::poll!(only.as_mut()) {
        Poll::Ready(message) => message,
        Poll::Pending => timeout(limit, only).await.unwrap_or_else(|_| Err(too_slow())),
    }
}

fn too_slow() -> Status {
    Status::new(
        Code::DeadlineExceeded,
        "the request message did not arrive in time",
    )
}

/// The request messages as the router takes them; ends after the first error.
struct Requests<B>(Option<Messages<B>>);

impl<B: RequestBody> Stream for Requests<B> {
    type Item = Result<bytes::Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(messages) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let next = ready!(messages.poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(next.map(|message| message.map_err(CallError::from)))
    }
}

/// The content type of every gRPC answer.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc+proto");
