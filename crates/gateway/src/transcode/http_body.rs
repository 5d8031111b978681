//! `google.api.HttpBody`: content that is not JSON.

use bytes::Bytes;
use cloudstate_catalog::http::HttpBinding;
use cloudstate_runtime::Code;
use http::HeaderValue;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::wire;
use crate::status::Status;

/// The parts of the message that HTTP has a place for.
#[derive(Clone, PartialEq, Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

/// Whether a message is that one: by its name, and by its fields, so that a stranger of the same name is JSON.
pub(super) fn is(message: &MessageDescriptor) -> bool {
    let has = |number, kind: &Kind| {
        message
            .get_field(number)
            .is_some_and(|field| field.kind() == *kind)
    };
    message.full_name() == "google.api.HttpBody" && has(1, &Kind::String) && has(2, &Kind::Bytes)
}

/// Whether the response body of a binding is that message.
pub(super) fn is_response_of(binding: &HttpBinding) -> bool {
    match &binding.response_body {
        None => is(&binding.method.output()),
        Some(field) if field.is_list() => false,
        Some(field) => matches!(field.kind(), Kind::Message(of) if is(&of)),
    }
}

/// The message in a field of a reply; empty if the field is not set.
pub(super) fn inside(field: &FieldDescriptor, reply: Bytes) -> Result<Bytes, Status> {
    let reply = DynamicMessage::decode(field.parent_message().clone(), reply)
        .map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    Ok(match &*reply.get_field(field) {
        Value::Message(message) => message.encode_to_vec().into(),
        _ => Bytes::new(),
    })
}

/// Encodes content of a client.
pub(super) fn encode(content_type: &str, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(content_type.len() + data.len() + 16);
    wire::put_bytes(1, content_type.as_bytes(), &mut message);
    wire::put_bytes(2, data, &mut message);
    message
}

/// Decodes content for a client, and checks that its type fits into a header; `None` if it names none.
pub(super) fn decode(message: Bytes) -> Result<(Option<HeaderValue>, Bytes), Status> {
    let body = HttpBody::decode(message).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    let content_type = match body.content_type.as_str() {
        "" => None,
        text => Some(
            HeaderValue::try_from(text)
                .map_err(|_| invalid("has a content type with a control character"))?,
        ),
    };
    Ok((content_type, body.data))
}

fn invalid(why: &str) -> Status {
    Status::new(
        Code::Internal,
        format!("the google.api.HttpBody of the reply {why}"),
    )
}
