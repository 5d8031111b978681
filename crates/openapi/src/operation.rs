//! One binding as an operation: parameters, body, replies.

use cloudstate_catalog::http::{HttpBinding, RequestBody as Source};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::comments::Comments;
use crate::model::{Map, MediaType, Operation, Parameter, Place, RequestBody, Response, Schema};
use crate::path::Path;
use crate::query;
use crate::schema::Schemas;
use crate::well_known;

const HTTP_BODY: &str = "google.api.HttpBody";
const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";
/// Of `google.api.HttpBody`: whatever its content type says.
const RAW: &str = "*/*";

const STREAM: &str = "A stream of replies: one such JSON text in the data of each event, or on each line. A stream that fails \
    ends with an event `error`, whose data is the status, or with a line `{\"error\": …}`; one of events that does not, with an \
    event `end`.";

/// Names of `components.responses`.
const ERROR: &str = "Error";
const NO_MESSAGE: &str = "NoMessage";
/// A component that no message can be called, as names of the language have no `-`.
const STATUS: &str = "error-status";

/// Describes a binding whose path parameters have these names.
pub(crate) fn operation(
    binding: &HttpBinding,
    path: &Path<'_>,
    names: &[String],
    operation_id: String,
    schemas: &mut Schemas<'_>,
    comments: &Comments,
) -> Operation {
    let descriptor = &binding.method.descriptor;
    let mut parameters = path.parameters(names, schemas, comments);
    parameters.extend(query::parameters(binding, schemas, comments));
    if binding.method.server_streaming && !is_raw(&replied(binding)) {
        parameters.push(last_event_id());
    }
    let options = descriptor.method_descriptor_proto().options.as_ref();
    Operation {
        tags: [binding.method.service.name.to_string()],
        operation_id,
        description: comments.method(descriptor),
        deprecated: options.is_some_and(|options| options.deprecated()),
        parameters,
        request_body: request_body(binding, schemas),
        responses: responses(binding, schemas),
    }
}

/// What a body or an answer consists of.
enum Content {
    Message(MessageDescriptor),
    Field(FieldDescriptor),
}

fn is_raw(content: &Content) -> bool {
    match content {
        Content::Message(message) => message.full_name() == HTTP_BODY,
        Content::Field(field) => {
            !field.is_list()
                && !field.is_map()
                && matches!(field.kind(), Kind::Message(message) if message.full_name() == HTTP_BODY)
        }
    }
}

/// What the response body shows of a reply.
fn replied(binding: &HttpBinding) -> Content {
    match &binding.response_body {
        None => Content::Message(binding.method.output()),
        Some(field) => Content::Field(field.clone()),
    }
}

fn request_body(binding: &HttpBinding, schemas: &mut Schemas<'_>) -> Option<RequestBody> {
    let input = binding.method.input();
    let content = match &binding.body {
        Source::Ignored => return None,
        Source::Message => Content::Message(input),
        Source::Field(field) => Content::Field(field.clone()),
    };
    let streamed = binding.method.client_streaming;
    let content = if is_raw(&content) {
        Map::one(RAW, MediaType::default())
    } else {
        let schema = match content {
            Content::Message(message) => without_variables(binding, &[], &message, schemas),
            Content::Field(field) => match field.kind() {
                Kind::Message(message) if !field.is_list() && !field.is_map() => {
                    without_variables(binding, &[field], &message, schemas)
                }
                _ => schemas.content(&field),
            },
        };
        let mut content = Map::one(JSON, media(schema.clone()));
        if streamed {
            content.push(JSON_LINES, media(schema));
        }
        content
    };
    let description = "A stream of requests: one such JSON text a line.";
    Some(RequestBody {
        description: streamed.then(|| description.to_owned()),
        required: true,
        content,
    })
}

/// The message behind these fields of the request, without the fields that the path sets over whatever the body says.
fn without_variables(
    binding: &HttpBinding,
    outer: &[FieldDescriptor],
    message: &MessageDescriptor,
    schemas: &mut Schemas<'_>,
) -> Schema {
    let inside = binding
        .variables
        .iter()
        .filter_map(|fields| match fields.split_last() {
            Some((last, before)) if before == outer => Some(last.number()),
            _ => None,
        });
    let set: Vec<u32> = inside.collect();
    if set.is_empty() {
        schemas.message(message)
    } else {
        schemas.object(message, &set)
    }
}

fn responses(binding: &HttpBinding, schemas: &mut Schemas<'_>) -> Map<Response> {
    let streamed = binding.method.server_streaming;
    let replied = replied(binding);
    let raw = is_raw(&replied);
    let content = if raw {
        Map::one(RAW, MediaType::default())
    } else {
        let schema = match replied {
            Content::Message(message) => schemas.message(&message),
            Content::Field(field) => schemas.content(&field),
        };
        if streamed {
            Map(vec![
                (EVENTS.to_owned(), media(schema.clone())),
                (JSON_LINES.to_owned(), media(schema)),
            ])
        } else {
            Map::one(JSON, media(schema))
        }
    };
    let description = match (streamed, raw) {
        (false, _) => "The reply.",
        (true, true) => "The replies, one after another.",
        (true, false) => STREAM,
    };
    let description = description.to_owned();
    Map(vec![
        ("200".to_owned(), Response::Own { description, content }),
        ("204".to_owned(), reference(NO_MESSAGE)),
        ("default".to_owned(), reference(ERROR)),
    ])
}

fn media(schema: Schema) -> MediaType {
    MediaType { schema: Some(schema) }
}

fn reference(response: &str) -> Response {
    Response::Reference {
        target: format!("#/components/responses/{response}"),
    }
}

fn last_event_id() -> Parameter {
    Parameter {
        name: "Last-Event-ID".to_owned(),
        place: Place::Header,
        description: Some("Where a stream of events that broke off goes on.".to_owned()),
        required: false,
        deprecated: false,
        schema: Some(well_known::text()),
        content: Map::default(),
    }
}

/// The responses that operations share.
pub(crate) fn shared_responses() -> Map<Response> {
    let status = Schema {
        reference: Some(format!("#/components/schemas/{STATUS}")),
        ..Schema::default()
    };
    let error = Response::Own {
        description: "The call failed. Text is what the function itself says about it.".to_owned(),
        content: Map(vec![
            (JSON.to_owned(), media(status)),
            ("text/plain".to_owned(), media(well_known::text())),
        ]),
    };
    let no_message = Response::Own {
        description: "The function answered without a message.".to_owned(),
        content: Map::default(),
    };
    Map(vec![
        (ERROR.to_owned(), error),
        (NO_MESSAGE.to_owned(), no_message),
    ])
}

/// The name and the schema of the JSON form of errors.
pub(crate) fn error_status() -> (String, Schema) {
    let described = |schema: Schema, text: &str| Schema {
        description: Some(text.to_owned()),
        ..schema
    };
    let code = well_known::scalar(&Kind::Int32).unwrap_or_default();
    let detail = well_known::message("google.protobuf.Any").unwrap_or_default();
    let properties = [
        ("code", described(code, "The number of the gRPC status code.")),
        (
            "status",
            described(well_known::text(), "Its name, such as `INVALID_ARGUMENT`."),
        ),
        (
            "message",
            described(well_known::text(), "What is wrong, for a developer."),
        ),
        (
            "details",
            described(
                well_known::array(detail),
                "Messages of `google.rpc`, such as `BadRequest`, which names the field at fault.",
            ),
        ),
    ];
    let schema = Schema {
        description: Some("A `google.rpc.Status`.".to_owned()),
        properties: Map(properties
            .map(|(name, schema)| (name.to_owned(), schema))
            .to_vec()),
        required: ["code", "status", "message", "details"]
            .map(str::to_owned)
            .to_vec(),
        ..well_known::object()
    };
    (STATUS.to_owned(), schema)
}
