//! From an HTTP request to a request message.

use cloudstate_catalog::http::{HttpBinding, RequestBody, RouteMatch};

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
    if binding.body != RequestBody::Message
        && let Some(query) = query
    {
        parameters::append_query(binding, query, &mut message)?;
    }
    parameters::append_path(&found.variables, &mut message)?;
    Ok(message)
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
