//! Writes HTTP responses.

use bytes::Bytes;
use cloudstate_catalog::http::HttpBinding;
use cloudstate_runtime::Reply;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::{http_body, json};
use crate::body::Body;
use crate::front::Route;
use crate::status::Status;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");

/// Plain text.
pub(super) fn text(status: StatusCode, text: Bytes) -> Response<Body> {
    content(status, Some(TEXT), text)
}

/// A failed call: the function's own text as it is, anything else as `google.rpc.Status` in JSON.
pub(super) fn failed(status: &Status) -> Response<Body> {
    if status.from_function {
        return text(status.http_status(), status.message.clone().into_owned().into());
    }
    let mut response = content(
        status.http_status(),
        Some(JSON),
        status.to_json().to_string().into(),
    );
    status.write_retry_after(response.headers_mut());
    status.write_challenge(response.headers_mut());
    response
}

/// A successful call. Without a message the answer is 204: there is nothing that JSON could say.
pub(super) fn whole(
    binding: &HttpBinding,
    reply: Option<Reply>,
    route: &Route,
) -> Result<Response<Body>, Status> {
    let (metadata, payload) = reply
        .map(|reply| (reply.metadata, reply.payload))
        .unwrap_or_default();
    let mut response = match payload {
        Some(payload) => {
            let written = Written::of(binding, payload)?;
            content(StatusCode::OK, written.content_type, written.body)
        }
        None => content(StatusCode::NO_CONTENT, None, Bytes::new()),
    };
    route.write_metadata(metadata, response.headers_mut());
    Ok(response)
}

/// A reply message as HTTP shows it.
pub(super) struct Written {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Written {
    /// Writes a reply as the binding wants it.
    pub(super) fn of(binding: &HttpBinding, payload: Bytes) -> Result<Self, Status> {
        if http_body::is_response_of(binding) {
            return raw(binding, payload);
        }
        Ok(Written {
            content_type: Some(JSON),
            body: json::write(binding, &payload)?,
        })
    }
}

/// The content of a `google.api.HttpBody`.
fn raw(binding: &HttpBinding, payload: Bytes) -> Result<Written, Status> {
    let shown = match &binding.response_body {
        None => payload,
        Some(field) => http_body::inside(field, payload)?,
    };
    let (content_type, body) = http_body::decode(shown)?;
    Ok(Written { content_type, body })
}

fn content(status: StatusCode, content_type: Option<HeaderValue>, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Full(body));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

/// The answer to HEAD: the headers of GET, its length among them, and no body.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Body::Full(body) = body
        && head.status != StatusCode::NO_CONTENT
    {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Response::from_parts(head, Body::Empty)
}
