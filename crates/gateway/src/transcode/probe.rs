//! The probe of the Knative queue proxy.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::reply;
use crate::body::Body;

/// Answers a request that carries the probe's header, else `None`.
pub(super) fn answer(headers: &HeaderMap) -> Option<Response<Body>> {
    let value = headers.get("k-network-probe")?.as_bytes();
    Some(if value == b"queue" {
        reply::text(StatusCode::OK, Bytes::from_static(b"queue"))
    } else {
        let text = format!(
            "unexpected probe header value: {}",
            String::from_utf8_lossy(value)
        );
        reply::text(StatusCode::BAD_REQUEST, text.into())
    })
}
