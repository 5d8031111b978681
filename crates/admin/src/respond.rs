//! What the admin port answers, apart from sockets.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_runtime::Health;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::registry::Registry;

use crate::exposition::Format;

/// A request to an added route, without its body.
pub type AdminRequest = Request<()>;
/// An answer of the admin port.
pub type AdminResponse = Response<Full<Bytes>>;

type Answer = Pin<Box<dyn Future<Output = AdminResponse> + Send>>;
type Handler = Arc<dyn Fn(AdminRequest) -> Answer + Send + Sync>;

/// The admin port's answers. Shared by all ports that it is served on.
pub struct Admin {
    health: Health,
    registry: Registry,
    routes: HashMap<String, (Method, Handler)>,
}

impl Admin {
    /// Shows this health and these metrics.
    pub fn new(health: Health, registry: Registry) -> Self {
        Admin {
            health,
            registry,
            routes: HashMap::new(),
        }
    }

    /// Adds a route: an HTTP method and an exact path. A path that exists already is replaced; the built-in ones stay.
    #[must_use]
    pub fn route<F>(
        mut self,
        method: Method,
        path: impl Into<String>,
        handler: impl Fn(AdminRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = AdminResponse> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        self.routes.insert(path.into(), (method, handler));
        self
    }

    /// Answers a request.
    pub(crate) async fn respond(&self, request: AdminRequest) -> AdminResponse {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/metrics" | "/" | "/ready" | "/alive" if !is_get => not_allowed("GET, HEAD"),
            "/metrics" | "/" => self.metrics(&request),
            "/ready" => self.ready(),
            "/alive" => text(StatusCode::OK, "OK"),
            path => match self.routes.get(path) {
                Some((method, handler)) if method == request.method() => handler(request).await,
                Some((method, _)) => not_allowed(method.as_str()),
                None => text(StatusCode::NOT_FOUND, format!("nothing is served at [{path}]\n")),
            },
        }
    }

    fn ready(&self) -> AdminResponse {
        let report = self.health.report();
        if report.is_ready() {
            text(StatusCode::OK, "OK")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, report.to_string())
        }
    }

    fn metrics(&self, request: &AdminRequest) -> AdminResponse {
        let accept = request
            .headers()
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        let format = Format::accepted(accept.unwrap_or_default());
        match format.encode(&self.registry) {
            Ok(metrics) => content(StatusCode::OK, format.content_type(), metrics),
            Err(error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("a metric cannot be written: {error}\n"),
            ),
        }
    }
}

/// A plain text answer.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> AdminResponse {
    content(status, "text/plain; charset=utf-8", body)
}

fn content(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> AdminResponse {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn not_allowed(allow: &str) -> AdminResponse {
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("this path answers to {allow}\n"),
    );
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
