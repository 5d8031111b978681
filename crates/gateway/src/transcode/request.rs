//! From an HTTP request to a request message.

use cloudstate_catalog::http::{HttpBinding, RequestBody, RouteMatch};
use cloudstate_json::{Plan, Root};

use super::content::Content;
use super::{http_body, json, parameters, wire};
use crate::status::Status;

/// Builds the request message in wire format: body, then query, then path variables. Each overwrites what came before.
pub(super) fn assemble(
    found: &RouteMatch<'_>,
    content: &Content,
    body: &[u8],
    query: Option<&str>,
) -> Result<Vec<u8>, Status> {
    let binding = found.binding;
    let mut message = read(binding, content, body)?;
    let mut reaches_into = false;
    if binding.body != RequestBody::Message
        && let Some(query) = query
    {
        reaches_into |= parameters::append_query(binding, query, &mut message)?;
    }
    reaches_into |= parameters::append_path(&found.variables, &mut message)?;
    if reaches_into {
        check(binding, &message)?;
    }
    Ok(message)
}

/// Refuses what no JSON body could say, such as a time with negative nanoseconds: whoever got it from the function could not
/// be shown it. Rare, so the plan for it is not kept.
fn check(binding: &HttpBinding, message: &[u8]) -> Result<(), Status> {
    let written = Plan::new(&Root::Message(binding.method.input())).to_json(message);
    written
        .map(drop)
        .map_err(|error| Status::invalid_field(&error.path, &error.reason))
}

/// What the body says.
fn read(binding: &HttpBinding, content: &Content, body: &[u8]) -> Result<Vec<u8>, Status> {
    let content_type = match (content, &binding.body) {
        (_, RequestBody::Ignored) | (Content::Ignored, _) => return Ok(Vec::new()),
        (Content::Json | Content::Lines, _) => return json::read(binding, body),
        (Content::Raw { content_type }, _) => content_type,
    };
    let raw = http_body::encode(content_type, body);
    let RequestBody::Field(field) = &binding.body else {
        return Ok(raw);
    };
    let mut message = Vec::with_capacity(raw.len() + 8);
    wire::put_message(field, &raw, &mut message);
    Ok(message)
}
