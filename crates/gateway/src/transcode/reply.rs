//! Writes HTTP responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::body::Body;
use crate::status::Status;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");

/// Plain text.
pub(super) fn text(status: StatusCode, text: Bytes) -> Response<Body> {
    content(status, TEXT, text)
}

/// A failed call: the function's own text as it is, anything else as `google.rpc.Status` in JSON.
pub(super) fn failed(status: &Status) -> Response<Body> {
    if status.from_function {
        return text(status.http_status(), status.message.clone().into_owned().into());
    }
    let mut response = content(status.http_status(), JSON, status.to_json().to_string().into());
    status.write_retry_after(response.headers_mut());
    response
}

fn content(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
