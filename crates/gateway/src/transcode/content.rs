//! How the body of a request is to be read.

use cloudstate_catalog::http::{HttpBinding, RequestBody};
use cloudstate_runtime::Code;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use prost_reflect::Kind;

use super::{accept, http_body};
use crate::status::Status;

/// How the body of a request is to be read.
#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    /// Not at all.
    Ignored,
    /// As JSON.
    Json,
    /// As JSON texts, each on a line of its own.
    Lines,
    /// As it is, for a `google.api.HttpBody`, with the content type that the client named.
    Raw { content_type: String },
}

/// Decides by the binding and the content type; 415 if they do not fit.
pub(super) fn of(binding: &HttpBinding, headers: &HeaderMap) -> Result<Content, Status> {
    let is_raw = match &binding.body {
        RequestBody::Ignored => return Ok(Content::Ignored),
        RequestBody::Message => http_body::is(&binding.method.input()),
        RequestBody::Field(field) => match field.kind() {
            Kind::Message(message) => !field.is_list() && http_body::is(&message),
            _ => false,
        },
    };
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    if let Some(encoding) = headers
        .get(CONTENT_ENCODING)
        .filter(|encoding| *encoding != "identity")
    {
        return Err(unsupported(format!(
            "the content encoding {encoding:?} is not understood; send it plain"
        )));
    }
    if is_raw {
        return Ok(Content::Raw {
            content_type: content_type.to_owned(),
        });
    }
    if is_json(content_type) {
        return Ok(Content::Json);
    }
    if binding.method.client_streaming && accept::is_lines(content_type) {
        return Ok(Content::Lines);
    }
    Err(unsupported(format!(
        "the content type [{content_type}] is not understood; send application/json in UTF-8"
    )))
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    is_json && charset.is_none_or(|(_, charset)| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

fn unsupported(text: String) -> Status {
    Status::new(Code::InvalidArgument, text).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}
