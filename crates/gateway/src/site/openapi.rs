//! The OpenAPI document of a declaration.

use bytes::Bytes;
use cloudstate_catalog::Catalog;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use xxhash_rust::xxh3::xxh3_128;

use super::write_policy;
use crate::body::Body;

/// Where it is served.
pub(super) const PATH: &str = "/openapi.json";

/// A document, ready to be sent.
#[derive(Debug)]
pub(crate) struct OpenApi {
    json: Bytes,
    etag: HeaderValue,
}

impl OpenApi {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        let json = cloudstate_openapi::document(catalog).to_json();
        // Quotes and hexadecimal digits are visible ASCII.
        let etag = HeaderValue::try_from(format!("\"{:032x}\"", xxh3_128(json.as_bytes())))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        OpenApi {
            json: json.into(),
            etag,
        }
    }

    /// The document, or 304 if the client has it.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|value| self.is_in(value));
        let mut response = if known {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = Response::new(Body::Full(self.json.clone()));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        };
        response.headers_mut().insert(ETAG, self.etag.clone());
        write_policy(response.headers_mut());
        response
    }

    /// Compares weakly, as RFC 9110 §13.1.2 asks.
    fn is_in(&self, list: &HeaderValue) -> bool {
        let tags = list
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii);
        tags.map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
            .any(|tag| tag == b"*" || tag == self.etag.as_bytes())
    }
}
