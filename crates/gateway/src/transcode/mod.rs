//! Plain HTTP: JSON for the function's methods by their HTTP bindings, and the platform's probe.
//!
//! ```text
//!   verb, path ─▶ RouteTable ─▶ binding        body, query, path variables ─▶ request message ─▶ Call ─▶ Router
//!                                                                 reply message ─▶ JSON, or raw for HttpBody
//! ```

mod accept;
mod content;
mod events;
mod http_body;
mod json;
mod lines;
mod offline;
mod parameters;
mod probe;
mod query;
mod read;
mod reply;
mod request;
mod requests;
mod scalar;
mod stream;
mod wire;

use std::rc::Rc;
use std::sync::Arc;

use cloudstate_catalog::http::{HttpBinding, Route as Found, RouteMatch};
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Call, Code, Input, Replies, Router};
use cloudstate_telemetry::trace::Trace;
use http::header::{ALLOW, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::access;
use crate::body::Body;
use crate::end::{End, within};
use crate::front::{CoreFront, Route, Routes};
use crate::gateway::Core;
use crate::metrics::InFlight;
use crate::status::Status;
use crate::trace::Traced;
use crate::{grpc, site};

pub use lines::{LineSplitter, LineTooLong};
pub use offline::{Refused, Transcoded, transcode, transcode_reply};
pub use query::{Parameter, parse as parse_query};

use content::Content;
use requests::{Fault, Reader, Requests};

/// Answers one HTTP request.
pub(crate) async fn serve<R: Router>(
    core: Rc<Core<R>>,
    front: Rc<CoreFront>,
    request: Request<Incoming>,
) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let (head, body) = request.into_parts();
    let mut body = Some(body);
    let response = match &front.shared.routes {
        _ if names_no_host(head.version, &head.headers) => {
            let text = "a request of HTTP/1.1 must have exactly one Host header";
            refuse(&front, &Status::new(Code::InvalidArgument, text))
        }
        _ if is_of_grpc_family(&head.headers) => refuse(&front, &unsupported_grpc()),
        Some(routes) => find(&core, &front, routes, &head, &mut body).await,
        None => refuse(&front, &unavailable(&front)),
    };
    if let Some(unread) = body {
        read::discard(&head.headers, unread).await;
    }
    if is_head {
        reply::without_body(response)
    } else {
        response
    }
}

async fn find<R: Router>(
    core: &Core<R>,
    front: &CoreFront,
    routes: &Routes,
    head: &Parts,
    body: &mut Option<Incoming>,
) -> Response<Body> {
    let path = head.uri.path();
    let found = routes.catalog.routes().find(head.method.as_str(), path);
    if let Found::Found(found) = &found
        && let Some(route) = front.route(&found.binding.method.path)
    {
        return call(core, front, route, found, head, body).await;
    }
    // The probe comes after the function's own endpoints, whatever their path.
    if let Some(response) = probe::answer(&head.headers) {
        InFlight::begin(&front.probe).outcome(site::code_of(response.status()));
        return response;
    }
    match site::answer(core, &front.site, routes, head).await {
        Ok(Some(response)) => return response,
        Ok(None) => {}
        Err(status) => return reply::failed(&status),
    }
    match found {
        Found::MethodNotAllowed { allow } => method_not_allowed(front, &head.method, path, &allow),
        Found::Malformed { reason } => refuse(front, &Status::new(Code::InvalidArgument, reason)),
        Found::Found(_) | Found::NotFound => refuse(front, &Status::new(Code::NotFound, nothing_at(path))),
    }
}

/// Answers a request that nobody takes, and counts it.
fn refuse(front: &CoreFront, status: &Status) -> Response<Body> {
    InFlight::begin(&front.unknown).outcome(Some(status.code));
    reply::failed(status)
}

/// Runs a call and counts it.
async fn call<R: Router>(
    core: &Core<R>,
    front: &CoreFront,
    route: &Route,
    found: &RouteMatch<'_>,
    head: &Parts,
    body: &mut Option<Incoming>,
) -> Response<Body> {
    let traced = Traced::begin_http(core.options.tracer.as_ref(), head);
    let mut in_flight = InFlight::begin(&route.counters).traced(traced);
    let binding = found.binding;
    let fault = Fault::default();
    let outcome = match prepare(core, front, route, found, head, body, &fault).await {
        Ok(prepared) => {
            let end = prepared.end;
            let trace = in_flight.trace().cloned();
            let replies = within(end, run(core, binding, prepared, trace)).await;
            replies.map(|replies| (replies, end))
        }
        Err(status) => Err(status),
    };
    let answer = match outcome {
        Ok((Replies::Stream(replies), end)) if binding.method.server_streaming => {
            let begun = stream::Begun {
                binding,
                replies,
                end,
                route,
                fault,
                in_flight,
            };
            let manner = stream::Manner {
                heartbeat: core.options.sse_heartbeat,
                shutdown: &core.shutdown,
            };
            return stream::answer(begun, &head.headers, manner).await;
        }
        Ok((replies, end)) => within(end, first(replies)).await,
        Err(status) => Err(status),
    };
    let response = answer.and_then(|answer| reply::whole(binding, answer, route));
    let response = response.map_err(|status| fault.explain(status));
    in_flight.outcome(response.as_ref().err().map(|status| status.code));
    response.unwrap_or_else(|status| reply::failed(&status))
}

/// All that a call needs, read and checked. The body is left in its place by whoever answers without it.
struct Prepared {
    input: Input,
    metadata: Metadata,
    deadline: Option<Instant>,
    /// When it must have ended: at the deadline, or earlier.
    end: Option<End>,
}

async fn prepare<R: Router>(
    core: &Core<R>,
    front: &CoreFront,
    route: &Route,
    found: &RouteMatch<'_>,
    head: &Parts,
    body: &mut Option<Incoming>,
    fault: &Fault,
) -> Result<Prepared, Status> {
    let caller = core.guard.admit(&route.allowed, head)?;
    if front.shared.unavailable.is_some() {
        return Err(unavailable(front));
    }
    let metadata = route.metadata(&head.headers, &caller)?;
    let deadline = grpc::deadline(&head.headers)?;
    let end = End::first(deadline.map(End::deadline), access::expiry(route, &caller));
    let input = input(core, found, head, body, fault).await?;
    Ok(Prepared {
        input,
        metadata,
        deadline,
        end,
    })
}

async fn input<R: Router>(
    core: &Core<R>,
    found: &RouteMatch<'_>,
    head: &Parts,
    body: &mut Option<Incoming>,
    fault: &Fault,
) -> Result<Input, Status> {
    let streams = found.binding.method.client_streaming;
    let query = head.uri.query();
    let content = content::of(found.binding, &head.headers)?;
    let body = match body.take_if(|_| !matches!(content, Content::Ignored)) {
        Some(body) if streams && matches!(content, Content::Lines | Content::Raw { .. }) => {
            let limit = core.options.max_request_bytes;
            let reader = Reader::new(found, query, content);
            let requests = Requests::new(reader, body, limit, fault.clone());
            return Ok(Input::Stream(Box::pin(requests)));
        }
        Some(body) => read::body(&core.options, &head.headers, body).await?,
        None => bytes::Bytes::new(),
    };
    let message = request::assemble(found, &content, &body, query)?.into();
    Ok(match streams {
        true => Input::Stream(Box::pin(futures_util::stream::iter([Ok(message)]))),
        false => Input::One(message),
    })
}

async fn run<R: Router>(
    core: &Core<R>,
    binding: &HttpBinding,
    prepared: Prepared,
    trace: Option<Arc<Trace>>,
) -> Result<Replies, Status> {
    let Prepared {
        input,
        metadata,
        deadline,
        ..
    } = prepared;
    let method = binding.method.clone();
    Ok(core
        .router
        .call(Call {
            method,
            input,
            metadata,
            deadline,
            trace,
        })
        .await?)
}

/// The only reply of a unary method; of a forward to a streaming one, the first.
async fn first(replies: Replies) -> Result<Option<cloudstate_runtime::Reply>, Status> {
    match replies {
        Replies::None => Ok(None),
        Replies::One(reply) => Ok(Some(reply)),
        Replies::Stream(mut replies) => Ok(std::future::poll_fn(|cx| replies.as_mut().poll_next(cx))
            .await
            .transpose()?),
    }
}

fn unavailable(front: &CoreFront) -> Status {
    let reason = front
        .shared
        .unavailable
        .as_deref()
        .unwrap_or("nothing is served yet");
    Status::new(Code::Unavailable, reason.to_owned())
}

fn method_not_allowed(front: &CoreFront, method: &Method, path: &str, allow: &str) -> Response<Body> {
    let mut response = refuse(front, &not_allowed(method, path, allow));
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn not_allowed(method: &Method, path: &str, allow: &str) -> Status {
    let text = format!("[{path}] does not answer to {method}; it does to {allow}");
    Status::new(Code::Unimplemented, text).with_http(StatusCode::METHOD_NOT_ALLOWED)
}

fn nothing_at(path: &str) -> String {
    format!("nothing is served at [{path}]")
}

/// A request of HTTP/1.1 names its host once. Source: RFC 9112, 3.2.
pub(crate) fn names_no_host(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1
}

fn is_of_grpc_family(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn unsupported_grpc() -> Status {
    let text = "this content type is not served: use application/grpc over HTTP/2, application/grpc-web, or \
                application/json";
    Status::new(Code::InvalidArgument, text).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}
