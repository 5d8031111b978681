//! What the admin port answers, apart from sockets.

use std::collections::HashMap;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_runtime::Health;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::registry::Registry;

use crate::exposition::{self, Format};

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
        let names = exposition::names(request.uri().query().unwrap_or_default());
        match format.encode(&self.registry, &names) {
            Ok(metrics) => compressed(request, format.content_type(), metrics),
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

/// The answer with a packed body for those that can unpack it, as every scraper can.
fn compressed(request: &AdminRequest, content_type: &'static str, text: String) -> AdminResponse {
    let mut encodings = request.headers().get_all(ACCEPT_ENCODING).iter();
    let takes_gzip = encodings.any(|value| value.to_str().is_ok_and(takes_gzip));
    let Some(packed) = takes_gzip.then(|| gzip(&text)).flatten() else {
        return content(StatusCode::OK, content_type, text);
    };
    let mut response = content(StatusCode::OK, content_type, packed);
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        // A weight of zero means: not at all.
        is_gzip && !parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0))
    })
}

/// `None` cannot happen: writing to memory does not fail.
fn gzip(text: &str) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok().map(Bytes::from)
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
