//! The head of a gRPC request.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use std::time::Duration;

use crate::{Error, Target};

const AGENT: &str = concat!("cloudstate-proxy/", env!("CARGO_PKG_VERSION"));

/// What all requests of a link have in common.
#[derive(Debug)]
pub(crate) struct Template {
    authority: Result<Authority, Error>,
    headers: HeaderMap,
}

impl Template {
    pub(crate) fn new(target: &Target) -> Template {
        let authority = Authority::try_from(target.authority()).map_err(|error| Error::Unavailable {
            target: target.to_string(),
            reason: format!("not a valid host name: {error}"),
        });
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        Template { authority, headers }
    }

    /// The head of a call of `path`, with the time left when there is a deadline.
    pub(crate) fn request(
        &self,
        path: &'static str,
        timeout: Option<Duration>,
    ) -> Result<Request<()>, Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone()?);
        let path_and_query = PathAndQuery::from_maybe_shared(Bytes::from_static(path.as_bytes()));
        parts.path_and_query = Some(path_and_query.map_err(|error| invalid_path(path, &error))?);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(parts).map_err(|error| invalid_path(path, &error))?;
        *request.headers_mut() = self.headers.clone();
        if let Some(value) = timeout.and_then(|timeout| HeaderValue::try_from(grpc_timeout(timeout)).ok()) {
            request
                .headers_mut()
                .insert(HeaderName::from_static("grpc-timeout"), value);
        }
        Ok(request)
    }
}

fn invalid_path(path: &str, error: &dyn std::fmt::Display) -> Error {
    Error::malformed(format!("{path:?} is no path of a gRPC method: {error}"))
}

/// At most eight digits and a unit, as gRPC asks for; never longer than the time left, but at least a microsecond.
fn grpc_timeout(timeout: Duration) -> String {
    const DIGITS_END: u128 = 100_000_000;
    match timeout {
        t if t.as_micros() < DIGITS_END => format!("{}u", t.as_micros().max(1)),
        t if t.as_millis() < DIGITS_END => format!("{}m", t.as_millis()),
        t => format!("{}S", u128::from(t.as_secs()).min(DIGITS_END - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str) -> Target {
        Target::Tcp {
            host: host.to_owned(),
            port: 8080,
        }
    }

    #[test]
    fn a_request_is_what_grpc_asks_for() {
        let request = Template::new(&tcp("::1"))
            .request("/a.B/c", Some(Duration::from_secs(2)))
            .unwrap();
        assert_eq!(request.uri(), "http://[::1]:8080/a.B/c");
        assert_eq!(request.method(), Method::POST);
        let headers = request.headers();
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["content-type"], "application/grpc");
        assert!(
            headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("cloudstate-proxy/")
        );
        assert_eq!(headers["grpc-timeout"], "2000000u");
    }

    #[test]
    fn timeouts_have_at_most_eight_digits() {
        assert_eq!(grpc_timeout(Duration::ZERO), "1u");
        assert_eq!(grpc_timeout(Duration::from_micros(99_999_999)), "99999999u");
        assert_eq!(grpc_timeout(Duration::from_secs(100)), "100000m");
        assert_eq!(grpc_timeout(Duration::from_secs(100_000)), "100000S");
        assert_eq!(grpc_timeout(Duration::MAX), "99999999S");
    }

    #[test]
    fn a_host_that_is_no_host_is_named() {
        let error = Template::new(&tcp("my host"))
            .request("/a.B/c", None)
            .unwrap_err();
        assert!(
            error.is_unavailable() && error.to_string().contains("my host:8080"),
            "{error}"
        );
    }
}
