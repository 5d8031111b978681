//! From an HTTP request to a request message.

use cloudstate_catalog::http::{HttpBinding, RequestBody, RouteMatch};
use prost::Message;
use prost_reflect::{FieldDescriptor, Kind};

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
    match &binding.body {
        RequestBody::Ignored => Ok(Vec::new()),
        RequestBody::Message => match content {
            Content::Raw { content_type } => Ok(http_body::encode(content_type, body)),
            Content::Json | Content::Lines | Content::Ignored => {
                Ok(json::parse(&binding.method.input(), body, "")?.encode_to_vec())
            }
        },
        RequestBody::Field(field) => read_field(field, content, body),
    }
}

fn read_field(field: &FieldDescriptor, content: &Content, body: &[u8]) -> Result<Vec<u8>, Status> {
    let inner = match (content, field.kind()) {
        (Content::Raw { content_type }, _) => http_body::encode(content_type, body),
        (_, Kind::Message(of)) if !field.is_list() && !field.is_map() => {
            json::parse(&of, body, field.name())?.encode_to_vec()
        }
        _ => return Ok(json::parse_field(field, body)?.encode_to_vec()),
    };
    let mut message = Vec::with_capacity(inner.len() + 8);
    wire::put_message(field, &inner, &mut message);
    Ok(message)
}
