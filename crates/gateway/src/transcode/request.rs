//! From an HTTP request to a request message.

use std::collections::HashSet;

use bytes::Bytes;
use cloudstate_catalog::http::{HttpBinding, RequestBody, RouteMatch};
use cloudstate_runtime::Code;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};

use super::{json, query, scalar};
use crate::status::Status;

/// How the body of a request is to be read.
pub(super) enum Content {
    /// Not at all.
    Ignored,
    /// As JSON.
    Json,
    /// As it is, for a `google.api.HttpBody`, with the content type that the client named.
    Raw { content_type: String },
}

const HTTP_BODY: &str = "google.api.HttpBody";

/// Decides by the binding and the content type; 415 if they do not fit.
pub(super) fn content(binding: &HttpBinding, headers: &HeaderMap) -> Result<Content, Status> {
    let Some(target) = body_type(binding) else {
        return Ok(Content::Ignored);
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
    if target.full_name() == HTTP_BODY {
        return Ok(Content::Raw {
            content_type: content_type.to_owned(),
        });
    }
    if is_json(content_type) {
        return Ok(Content::Json);
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

fn body_type(binding: &HttpBinding) -> Option<MessageDescriptor> {
    match &binding.body {
        RequestBody::Ignored => None,
        RequestBody::Message => Some(binding.method.input()),
        RequestBody::Field(field) => field.kind().as_message().cloned(),
    }
}

/// Builds the request message, encoded: body, then query, then path variables; each overwrites what came before. The
/// field that a body was bound to keeps the body.
pub(super) fn assemble(
    found: &RouteMatch<'_>,
    content: &Content,
    body: &Bytes,
    query: Option<&str>,
) -> Result<Bytes, Status> {
    let binding = found.binding;
    let input = binding.method.input();
    let read = |of: &MessageDescriptor, prefix: &str| match content {
        Content::Raw { content_type } => raw(of, content_type, body.clone()),
        Content::Json | Content::Ignored => json::parse(of, body, prefix),
    };
    let mut message = match &binding.body {
        RequestBody::Message => read(&input, "")?,
        RequestBody::Ignored | RequestBody::Field(_) => DynamicMessage::new(input),
    };
    if binding.body != RequestBody::Message {
        set_query(&mut message, query.unwrap_or_default())?;
    }
    for variable in &found.variables {
        set_variable(&mut message, variable.fields, &variable.value)?;
    }
    if let RequestBody::Field(field) = &binding.body
        && let Some(of) = field.kind().as_message()
    {
        message.set_field(field, Value::Message(read(of, field.name())?));
    }
    Ok(message.encode_to_vec().into())
}

fn raw(of: &MessageDescriptor, content_type: &str, data: Bytes) -> Result<DynamicMessage, Status> {
    let mut message = DynamicMessage::new(of.clone());
    let fields = [
        ("content_type", Value::String(content_type.to_owned())),
        ("data", Value::Bytes(data)),
    ];
    for (name, value) in fields {
        message.try_set_field_by_name(name, value).map_err(|error| {
            Status::new(
                Code::Internal,
                format!("{HTTP_BODY} has no usable [{name}]: {error}"),
            )
        })?;
    }
    Ok(message)
}

fn set_query(message: &mut DynamicMessage, query: &str) -> Result<(), Status> {
    let parameters = query::parse(query).map_err(|parameter| {
        bad(
            "",
            &format!("the query parameter [{parameter}] is not correctly percent-encoded"),
        )
    })?;
    let mut seen = HashSet::new();
    for (name, text) in parameters {
        let fields = resolve(&message.descriptor(), &name)
            .ok_or_else(|| bad(&name, "no field of the request has this name"))?;
        let field = fields
            .last()
            .ok_or_else(|| bad(&name, "no field of the request has this name"))?;
        if field.is_map() {
            return Err(bad(&name, "a map cannot be given as a query parameter"));
        }
        let path: Vec<u32> = fields.iter().map(FieldDescriptor::number).collect();
        if !seen.insert(path) && !field.is_list() {
            return Err(bad(&name, "the field takes one value, but several are given"));
        }
        let value =
            scalar::value(&field.kind(), &text).map_err(|why| bad(&name, &format!("[{text}]: {why}")))?;
        scalar::set(message, &fields, value);
    }
    Ok(())
}

/// The fields of a dotted path of proto or JSON names. Only the last may be repeated.
fn resolve(input: &MessageDescriptor, path: &str) -> Option<Vec<FieldDescriptor>> {
    let mut of = Some(input.clone());
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        if fields
            .last()
            .is_some_and(|field| field.is_list() || field.is_map())
        {
            return None;
        }
        let message = of.take()?;
        let field = message
            .get_field_by_name(name)
            .or_else(|| message.get_field_by_json_name(name))?;
        if let Kind::Message(inner) = field.kind() {
            of = Some(inner);
        }
        fields.push(field);
    }
    Some(fields)
}

fn set_variable(message: &mut DynamicMessage, fields: &[FieldDescriptor], text: &str) -> Result<(), Status> {
    let Some(field) = fields.last() else { return Ok(()) };
    let value = scalar::value(&field.kind(), text).map_err(|why| {
        let name = fields
            .iter()
            .map(FieldDescriptor::name)
            .collect::<Vec<_>>()
            .join(".");
        bad(&name, &format!("[{text}] in the path: {why}"))
    })?;
    scalar::set(message, fields, value);
    Ok(())
}

fn bad(field: &str, why: &str) -> Status {
    let text = if field.is_empty() {
        why.to_owned()
    } else {
        format!("field [{field}]: {why}")
    };
    let mut status = Status::new(Code::InvalidArgument, text);
    status.violation = Some((field.to_owned(), why.to_owned()));
    status
}

fn unsupported(text: String) -> Status {
    Status::new(Code::InvalidArgument, text).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}
