//! gRPC over HTTP/2, from descriptors: request messages pass as the bytes that they are.
//!
//! ```text
//!   headers ─▶ Accepted { route, metadata, deadline }     body ─▶ Messages ─▶ Input
//!                         └──────────── Call ─▶ Router ─▶ Replies ─▶ headers of the first reply, messages, trailers
//! ```

mod encoding;
mod frame;
mod messages;
mod reply;
mod timeout;

use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::Duration;

use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, CallError, Code, Input, Replies, Reply, ReplyStream, RequestStream, Router};
use cloudstate_telemetry::trace::Trace;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::future::Either;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use tokio::time::{Instant, timeout};

pub use self::encoding::Encoding;
pub use self::frame::{FrameDecoder, MalformedFrame};
pub(crate) use self::messages::{Messages, RequestBody};
pub(crate) use self::timeout::deadline;
use crate::access;
use crate::body::Body;
use crate::builtin;
use crate::end::{End, within};
use crate::front::{CoreFront, Route, Target};
use crate::gateway::Core;
use crate::metrics::InFlight;
use crate::status::Status;
use crate::trace::Traced;

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
///
/// The headers are read at once: they do not live in the waiting call, whose size counts, for every call is one.
pub(crate) fn serve<R: Router, B: RequestBody>(
    core: Rc<Core<R>>,
    front: &CoreFront,
    request: Request<B>,
) -> impl Future<Output = Response<Body>> + use<R, B> {
    let (head, body) = request.into_parts();
    let Some(route) = front.route(head.uri.path()) else {
        let mut in_flight = InFlight::begin(&front.unknown);
        let status = unknown_method(front, head.uri.path());
        return Either::Left(ready(reply::failed(&status, &mut in_flight)));
    };
    let tracer = core.options.tracer.as_ref();
    let traced = route.is_traced().then(|| Traced::begin(tracer, &head)).flatten();
    let mut in_flight = InFlight::begin(&route.counters).traced(traced);
    match Accepted::read(&core, front, route, &head, body) {
        Ok(mut accepted) => {
            accepted.trace = in_flight.trace().cloned();
            Either::Right(accepted.answer(core, route.clone(), in_flight))
        }
        Err(status) => Either::Left(ready(reply::failed(&status, &mut in_flight))),
    }
}

/// How replies are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Replies of at least so many bytes are compressed.
    gzip_from: Option<usize>,
}

/// A request whose headers are in order.
struct Accepted<B> {
    metadata: Metadata,
    deadline: Option<Instant>,
    /// When it must have ended: at the deadline, or earlier.
    end: Option<End>,
    form: Form,
    requests: Requests<B>,
    trace: Option<Arc<Trace>>,
}

/// Where the request messages of a call come from.
enum Requests<B> {
    One(Messages<B>),
    Stream(RequestStream),
}

impl<B: RequestBody> Accepted<B> {
    fn read<R>(
        core: &Core<R>,
        front: &CoreFront,
        route: &Route,
        head: &Parts,
        body: B,
    ) -> Result<Self, Status> {
        if head.method != Method::POST {
            return Err(Status::new(Code::Unimplemented, "a gRPC request must be a POST"));
        }
        let caller = core.guard.admit(&route.allowed, head)?;
        if let (Target::Function(_), Some(reason)) = (&route.target, &front.shared.unavailable) {
            return Err(Status::new(Code::Unavailable, reason.to_string()));
        }
        let metadata = route.metadata(&head.headers, &caller)?;
        let gzip_from = core.options.compress_replies_from;
        let gzip_from = gzip_from.filter(|_| Encoding::for_reply(&head.headers) == Encoding::Gzip);
        let deadline = timeout::deadline(&head.headers)?;
        let encoding = Encoding::of_request(&head.headers)?;
        let messages = Messages::new(body, encoding, core.options.max_request_bytes);
        let expiry = access::expiry(route, &caller);
        Ok(Accepted {
            metadata,
            deadline,
            end: End::first(deadline.map(End::deadline), expiry),
            form: Form { gzip_from },
            requests: match route.client_streaming {
                true => Requests::Stream(Box::pin(UntilError(Some(messages)))),
                false => Requests::One(messages),
            },
            trace: None,
        })
    }

    async fn answer<R: Router>(
        mut self,
        core: Rc<Core<R>>,
        route: Rc<Route>,
        mut in_flight: InFlight,
    ) -> Response<Body> {
        let (end, form) = (self.end, self.form);
        // Pinned here and lent: moved in, it would take its room in this future twice.
        let begun = within(end, std::pin::pin!(self.begin(&core, &route))).await;
        match begun {
            Ok(Begun::Whole(reply)) => reply::whole(reply, form, &route, &mut in_flight),
            Ok(Begun::Stream(first, rest)) => reply::streamed(first, rest, form, end, &route, in_flight),
            Err(status) => reply::failed(&status, &mut in_flight),
        }
    }

    /// Runs the call up to its first reply, whose metadata decides the headers.
    async fn begin<R: Router>(&mut self, core: &Rc<Core<R>>, route: &Route) -> Result<Begun, Status> {
        let input = match &mut self.requests {
            Requests::One(messages) => {
                Input::One(only_message(messages, core.options.body_read_timeout).await?)
            }
            Requests::Stream(stream) => {
                Input::Stream(std::mem::replace(stream, Box::pin(futures_util::stream::empty())))
            }
        };
        let replies = match &route.target {
            Target::Function(method) => {
                let call = Call {
                    method: method.clone(),
                    input,
                    metadata: std::mem::take(&mut self.metadata),
                    deadline: self.deadline,
                    trace: self.trace.take(),
                };
                core.router.call(call).await?
            }
            Target::Builtin(builtin) => builtin::call(*builtin, core, input)?,
        };
        match replies {
            Replies::None => Ok(Begun::Whole(None)),
            Replies::One(reply) => Ok(Begun::Whole(Some(reply))),
            Replies::Stream(replies) => Box::pin(first(replies)).await,
        }
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
enum Begun {
    /// All of it.
    Whole(Option<Reply>),
    /// The first reply, and a stream of the rest.
    Stream(Reply, ReplyStream),
}

async fn first(mut replies: ReplyStream) -> Result<Begun, Status> {
    match replies.next().await {
        None => Ok(Begun::Whole(None)),
        Some(Ok(first)) => Ok(Begun::Stream(first, replies)),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The message mostly came together with the headers; only if not, the clock is asked and a timer is made.
async fn only_message<B: RequestBody>(
    messages: &mut Messages<B>,
    limit: Duration,
) -> Result<bytes::Bytes, Status> {
    let mut only = std::pin::pin!(messages.only());
    match futures_util::poll!(only.as_mut()) {
        Poll::Ready(message) => message,
        Poll::Pending => Box::pin(timeout(limit, only))
            .await
            .unwrap_or_else(|_| Err(too_slow())),
    }
}

fn too_slow() -> Status {
    Status::new(
        Code::DeadlineExceeded,
        "the request message did not arrive in time",
    )
}

/// The request messages as the router takes them; ends after the first error.
struct UntilError<B>(Option<Messages<B>>);

impl<B: RequestBody> Stream for UntilError<B> {
    type Item = Result<bytes::Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(messages) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let next = task::ready!(messages.poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(next.map(|message| message.map_err(CallError::from)))
    }
}

/// The content type of every gRPC answer.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc+proto");
