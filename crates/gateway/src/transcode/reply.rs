//! Writes HTTP responses.

use bytes::Bytes;
use cloudstate_catalog::http::HttpBinding;
use cloudstate_runtime::{Code, Reply};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

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
    /// Decodes a reply and writes it as the binding wants it.
    pub(super) fn of(binding: &HttpBinding, payload: Bytes) -> Result<Self, Status> {
        let output = binding.method.output();
        let invalid = |why: &dyn std::fmt::Display| {
            let name = binding.method.descriptor.full_name();
            Status::new(
                Code::Internal,
                format!("the reply of [{name}] is no valid {}: {why}", output.full_name()),
            )
        };
        let message = DynamicMessage::decode(output.clone(), payload).map_err(|error| invalid(&error))?;
        if let Some(written) = raw(&message, binding)? {
            return Ok(written);
        }
        let body = match &binding.response_body {
            None => json::write(&message),
            Some(field) => json::write_field(&message, field),
        };
        Ok(Written {
            content_type: Some(JSON),
            body: body.map_err(|error| invalid(&error))?,
        })
    }
}

/// The content of a `google.api.HttpBody`, if that is what the response is.
fn raw(message: &DynamicMessage, binding: &HttpBinding) -> Result<Option<Written>, Status> {
    let field = binding
        .response_body
        .as_ref()
        .map(|field| message.get_field(field));
    let shown = match field.as_deref() {
        None => message,
        Some(Value::Message(inner)) => inner,
        Some(_) => return Ok(None),
    };
    if !http_body::is(&shown.descriptor()) {
        return Ok(None);
    }
    let (content_type, body) = http_body::decode(shown.encode_to_vec().into())?;
    Ok(Some(Written { content_type, body }))
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
