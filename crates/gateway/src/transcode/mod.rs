//! Plain HTTP: JSON for the function's methods, and the platform's probe.

mod probe;
mod reply;

use std::rc::Rc;

use cloudstate_runtime::{Code, Router};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::Body;
use crate::front::CoreFront;
use crate::gateway::Core;
use crate::status::Status;

/// Answers one HTTP request.
pub(crate) async fn serve<R: Router>(
    _core: Rc<Core<R>>,
    front: Rc<CoreFront>,
    request: Request<Incoming>,
) -> Response<Body> {
    if let Some(response) = probe::answer(request.headers()) {
        return response;
    }
    if is_of_grpc_family(request.headers()) {
        return reply::failed(&unsupported_grpc());
    }
    let path = request.uri().path();
    match (&front.shared.routes, &front.shared.unavailable) {
        (None, Some(reason)) => reply::failed(&Status::new(Code::Unavailable, reason.to_string())),
        _ => reply::failed(&Status::new(
            Code::NotFound,
            format!("nothing is served at [{path}]"),
        )),
    }
}

fn is_of_grpc_family(headers: &http::HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn unsupported_grpc() -> Status {
    let text = "this content type is not served: use application/grpc over HTTP/2, or application/json";
    Status::new(Code::InvalidArgument, text).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}
