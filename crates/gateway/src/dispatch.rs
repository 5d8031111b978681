//! Decides which face of the gateway answers a request.

use std::convert::Infallible;
use std::rc::Rc;

use cloudstate_runtime::Router;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::header::ORIGIN;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use crate::body::Body;
use crate::front::CoreFront;
use crate::gateway::Core;
use crate::metrics::{InFlight, Protocol};
use crate::site::code_of;
use crate::web::grpc_web;
use crate::{grpc, transcode};

/// Answers one request: gRPC or gRPC-Web if its content type says so, else HTTP. Never fails: errors are answers.
pub(crate) fn respond<R: Router>(
    core: Rc<Core<R>>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    let front = core.current();
    // In a box of its own: the libraries below move the future of a call several times until it runs.
    let native = request.version() == Version::HTTP_2 && grpc::is_grpc(request.headers());
    let answer: LocalBoxFuture<'static, _> = if native {
        core.metrics.connections.request(Protocol::Grpc);
        Box::pin(grpc::serve(core, &front, request))
    } else {
        Box::pin(from_the_web(core, front, request))
    };
    answer.map(Ok)
}

/// Answers what a browser can send, which native gRPC is not.
async fn from_the_web<R: Router>(
    core: Rc<Core<R>>,
    front: Rc<CoreFront>,
    request: Request<Incoming>,
) -> Response<Body> {
    let cors = &core.options.cors;
    // What names no host is refused alike, whatever it wants.
    let names_no_host = transcode::names_no_host(request.version(), request.headers());
    let form = grpc_web::Form::of(request.headers()).filter(|_| !names_no_host);
    let protocol = form.map_or(Protocol::Http, |_| Protocol::GrpcWeb);
    core.metrics.connections.request(protocol);
    if let Some(answer) = cors.preflight(request.method(), request.headers()) {
        InFlight::begin(&front.preflight).outcome(code_of(answer.status()));
        return answer;
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match form {
        Some(form) => grpc_web::serve(core.clone(), front, form, request).await,
        None => transcode::serve(core.clone(), front, request).await,
    };
    cors.apply(origin.as_ref(), response.headers_mut());
    response
}
