//! Which pages of other origins may read answers. Source: the CORS protocol of the WHATWG Fetch standard.

use cloudstate_runtime::Code;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::Origins;
use crate::body::Body;
use crate::status::Status;

/// How long a browser may remember the answer to a preflight, in seconds. Browsers cap it at one or two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const ANY: HeaderValue = HeaderValue::from_static("*");
/// What the answer to a preflight depends on.
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
/// Response headers that every page may read. Source: Fetch, CORS-safelisted response-header name.
const SAFELISTED: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

/// Which pages may call, and whether with the user's cookies.
///
/// Without origins nothing is done: a function that answers preflights itself goes on doing so.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// Origins whose pages may read answers.
    pub origins: Origins,
    /// Whether they may send and receive cookies. Never true together with `*`, which the configuration refuses.
    pub credentials: bool,
}

impl Cors {
    /// Answers a preflight: what a browser asks before it sends a request that a form could not send.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        let asked = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = headers.get(ORIGIN)?;
        if method != Method::OPTIONS || self.origins.is_empty() {
            return None;
        }
        let Some(allowed) = self.allowed(Some(origin)) else {
            return Some(refused(origin));
        };
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        self.allow(allowed, answer);
        answer.insert(VARY, PREFLIGHT_VARY);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        // The request itself is answered by what its path serves; nothing is decided here.
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, asked.clone());
        for names in headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.append(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        Some(response)
    }

    /// Lets the page that asked read an answer and its headers. `origin` is that of the request.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        if !self.origins.is_any() {
            // Also where no origin was named: a cache must not hand this answer to a page.
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = self.allowed(origin) {
            self.allow(allowed, answer);
            if let Some(names) = exposed(answer) {
                answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
        }
    }

    /// Whether pages of this origin may call with what the browser adds by itself.
    pub(crate) fn lets_use_credentials(&self, origin: &str) -> bool {
        self.credentials && !self.origins.is_any() && self.origins.contains(origin)
    }

    /// The value of `access-control-allow-origin`, if the request is allowed.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        if self.origins.is_any() {
            return Some(ANY);
        }
        let origin = origin?;
        let is_listed = origin.to_str().is_ok_and(|text| self.origins.contains(text));
        is_listed.then(|| origin.clone())
    }

    fn allow(&self, origin: HeaderValue, answer: &mut HeaderMap) {
        if self.credentials && origin != ANY {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// All header names of an answer that a page could not read otherwise: gRPC statuses, the reply's metadata.
fn exposed(answer: &HeaderMap) -> Option<HeaderValue> {
    let names: Vec<&str> = answer
        .keys()
        .map(|name| name.as_str())
        .filter(|name| !SAFELISTED.contains(name) && *name != "vary" && !name.starts_with("access-control-"))
        .collect();
    if names.is_empty() {
        return None;
    }
    // Header names are visible ASCII.
    HeaderValue::try_from(names.join(", ")).ok()
}

fn refused(origin: &HeaderValue) -> Response<Body> {
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let text = format!("pages of [{origin}] may not call here: http.cors.origins does not list it");
    let status = Status::new(Code::PermissionDenied, text);
    let mut response = Response::new(Body::Full(status.to_json().to_string().into()));
    *response.status_mut() = status.http_status();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.insert(VARY, PREFLIGHT_VARY);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &str, credentials: bool) -> Cors {
        let origins = origins.parse().unwrap();
        Cors { origins, credentials }
    }

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &'static str)| {
            let name = http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        entries.iter().map(entry).collect()
    }

    fn preflight(cors: &Cors, origin: &'static str) -> Option<Response<Body>> {
        let request = headers(&[
            ("origin", origin),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ]);
        cors.preflight(&Method::OPTIONS, &request)
    }

    #[test]
    fn a_preflight_of_a_listed_origin_is_allowed_what_it_asks_for() {
        let answer = preflight(&cors("https://a", false), "https://a").unwrap();
        assert_eq!(answer.status(), 204);
        let expected = headers(&[
            ("access-control-allow-origin", "https://a"),
            ("access-control-allow-methods", "PATCH"),
            ("access-control-allow-headers", "content-type,x-grpc-web"),
            ("access-control-max-age", "3600"),
            (
                "vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ),
        ]);
        assert_eq!(*answer.headers(), expected);
    }

    #[test]
    fn a_preflight_of_another_origin_is_refused_by_name() {
        let answer = preflight(&cors("https://a", false), "https://b").unwrap();
        assert_eq!(answer.status(), 403);
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        let Body::Full(body) = answer.body() else {
            panic!("no body")
        };
        assert!(String::from_utf8_lossy(body).contains("[https://b]"));
    }

    #[test]
    fn without_origins_a_preflight_is_a_request_like_any() {
        assert!(preflight(&Cors::default(), "https://a").is_none());
    }

    #[test]
    fn only_a_preflight_is_a_preflight() {
        let cors = cors("*", false);
        let both = [("origin", "https://a"), ("access-control-request-method", "GET")];
        for (method, entries) in [
            (Method::GET, &both[..]),
            (Method::OPTIONS, &both[..1]),
            (Method::OPTIONS, &both[1..]),
        ] {
            assert!(cors.preflight(&method, &headers(entries)).is_none());
        }
    }

    fn applied(cors: &Cors, origin: Option<&'static str>) -> HeaderMap {
        let mut answer = headers(&[
            ("content-type", "application/json"),
            ("vary", "Accept"),
            ("x-tag", "a"),
            ("grpc-status", "5"),
        ]);
        let origin = origin.map(HeaderValue::from_static);
        cors.apply(origin.as_ref(), &mut answer);
        answer
    }

    #[test]
    fn a_listed_origin_may_read_the_answer_and_all_its_headers() {
        let answer = applied(&cors("https://a, https://b", false), Some("https://b"));
        assert_eq!(answer["access-control-allow-origin"], "https://b");
        assert_eq!(answer["access-control-expose-headers"], "x-tag, grpc-status");
        assert_eq!(
            answer.get_all("vary").iter().collect::<Vec<_>>(),
            ["Accept", "Origin"]
        );
        assert!(!answer.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn credentials_are_for_listed_origins() {
        let answer = applied(&cors("https://a", true), Some("https://a"));
        assert_eq!(answer["access-control-allow-credentials"], "true");
    }

    #[test]
    fn every_answer_varies_where_it_could_be_another() {
        for origin in [None, Some("https://b"), Some("null")] {
            let answer = applied(&cors("https://a", true), origin);
            assert_eq!(answer.get_all("vary").iter().count(), 2, "{origin:?}");
            assert!(!answer.contains_key("access-control-allow-origin"), "{origin:?}");
        }
    }

    #[test]
    fn with_a_star_answers_are_the_same_for_all() {
        for origin in [None, Some("https://b"), Some("null")] {
            let answer = applied(&cors("*", true), origin);
            assert_eq!(answer["access-control-allow-origin"], "*");
            assert_eq!(answer.get_all("vary").iter().count(), 1);
            assert!(!answer.contains_key("access-control-allow-credentials"));
        }
    }

    #[test]
    fn without_origins_nothing_is_added() {
        assert_eq!(applied(&Cors::default(), Some("https://a")).len(), 4);
    }
}
