//! JSON bodies and replies, by the plans of a binding.

use bytes::Bytes;
use cloudstate_catalog::http::{HttpBinding, RequestBody};
use cloudstate_json::JsonError;
use cloudstate_runtime::Code;

use crate::status::Status;

/// Reads a body: the message in wire format, or the record of the field that the body is. INVALID_ARGUMENT names the field
/// at fault and its position.
pub(super) fn read(binding: &HttpBinding, text: &[u8]) -> Result<Vec<u8>, Status> {
    match binding.body_plan() {
        None => Ok(Vec::new()),
        Some(plan) => plan.to_wire(text).map_err(|error| refusal(error, binding, text)),
    }
}

fn refusal(error: JsonError, binding: &HttpBinding, text: &[u8]) -> Status {
    let input = binding.method.input();
    // What the text should have been, and where it stands in the request message.
    let (of, prefix) = match &binding.body {
        RequestBody::Field(field) => (field.full_name(), field.name()),
        RequestBody::Message | RequestBody::Ignored => (input.full_name(), ""),
    };
    let invalid = |text: String| Status::new(Code::InvalidArgument, text);
    if text.trim_ascii().is_empty() {
        return invalid(format!("the request body is empty, but must be JSON for {of}"));
    }
    let JsonError { path, reason, .. } = error;
    let place = format!("line {}, column {}", error.line, error.column);
    if error.malformed {
        return invalid(format!("malformed JSON at {place}: {reason}"));
    }
    let field = match (prefix, path.as_str()) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) if path.starts_with('[') => [prefix, path].concat(),
        (prefix, path) => [prefix, ".", path].concat(),
    };
    if field.is_empty() {
        return invalid(format!("the JSON at {place} is no {of}: {reason}"));
    }
    let mut status = invalid(format!("field [{field}] at {place}: {reason}"));
    status.violation = Some((field, format!("{reason} ({place})")));
    status
}

/// Writes a reply message, or the field of it that the response body is, without insignificant white space. INTERNAL if the
/// function sent something else.
pub(super) fn write(binding: &HttpBinding, reply: &[u8]) -> Result<Bytes, Status> {
    let written = binding.response_plan().to_json(reply);
    written.map(Bytes::from).map_err(|error| {
        let (name, of) = (binding.method.descriptor.full_name(), binding.method.output());
        let text = format!("the reply of [{name}] is no valid {}: {error}", of.full_name());
        Status::new(Code::Internal, text)
    })
}
