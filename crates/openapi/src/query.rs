//! Which fields of a request the query may set.

use std::collections::VecDeque;

use cloudstate_catalog::http::{HttpBinding, RequestBody};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::comments::Comments;
use crate::model::{Map, MediaType, Parameter, Place, Schema};
use crate::schema::{Schemas, in_order, is_deprecated};
use crate::well_known::{self, TextForm};

/// Nested messages can have more fields than anybody would read, and recursive ones have no end.
const PARAMETERS_MAX: usize = 200;

/// One parameter for each field that neither the path nor the body sets and that text can express, outer fields first.
/// A message inside itself is entered once.
pub(crate) fn parameters(
    binding: &HttpBinding,
    schemas: &mut Schemas<'_>,
    comments: &Comments,
) -> Vec<Parameter> {
    let body = match &binding.body {
        RequestBody::Message => return Vec::new(),
        RequestBody::Ignored => None,
        RequestBody::Field(field) => Some(field.number()),
    };
    let key = only_key(binding);
    let mut found = Vec::new();
    let mut open = VecDeque::from([(binding.method.input(), Vec::new())]);
    while let Some((message, outer)) = open.pop_front() {
        for field in in_order(&message) {
            let path: Vec<FieldDescriptor> = outer.iter().cloned().chain([field.clone()]).collect();
            let is_body = outer.is_empty() && body == Some(field.number());
            if is_body || binding.variables.contains(&path) {
                continue;
            }
            if let Some(inner) = enterable(&field, &binding.method.input(), &outer) {
                open.push_back((inner, path));
            } else if let Some((schema, content)) = form(&field, schemas) {
                if found.len() == PARAMETERS_MAX {
                    return found;
                }
                found.push(Parameter {
                    name: json_path(&path),
                    place: Place::Query,
                    description: description(&field, &path, comments),
                    required: key.as_deref() == Some(field.name()) && path.len() == 1,
                    deprecated: is_deprecated(&field),
                    schema,
                    content,
                });
            }
        }
    }
    found
}

/// The field that must not be empty, since it alone is the entity id.
fn only_key(binding: &HttpBinding) -> Option<String> {
    let mut names = binding.method.key.fields();
    let first = names.next()?.to_owned();
    names.next().is_none().then_some(first)
}

/// The names of fields in JSON, joined by dots.
pub(crate) fn json_path(fields: &[FieldDescriptor]) -> String {
    let names: Vec<&str> = fields.iter().map(FieldDescriptor::json_name).collect();
    names.join(".")
}

/// The message behind a field whose own fields can be set one by one.
fn enterable(
    field: &FieldDescriptor,
    input: &MessageDescriptor,
    outer: &[FieldDescriptor],
) -> Option<MessageDescriptor> {
    let Kind::Message(inner) = field.kind() else {
        return None;
    };
    let is_open = |message: &MessageDescriptor| *message == inner;
    let recursive = is_open(input)
        || outer
            .iter()
            .any(|field| field.kind().as_message().is_some_and(is_open));
    let many = field.is_list() || field.is_map();
    (!many && !recursive && well_known::message(inner.full_name()).is_none()).then_some(inner)
}

/// How text expresses a field: by a schema, or as JSON. `None` if it cannot.
fn form(field: &FieldDescriptor, schemas: &mut Schemas<'_>) -> Option<(Option<Schema>, Map<MediaType>)> {
    let one = match field.kind() {
        _ if field.is_map() => return None,
        Kind::Message(message) => match well_known::text_form(message.full_name())? {
            TextForm::Plain(schema) => schema,
            TextForm::Json(schema) if !field.is_list() => {
                let schema = Some(schema);
                return Some((None, Map::one("application/json", MediaType { schema })));
            }
            // OpenAPI has no words for a repeated parameter whose values are JSON.
            TextForm::Json(_) => well_known::json_text(),
        },
        kind => schemas.value(&kind),
    };
    let schema = if field.is_list() {
        well_known::array(one)
    } else {
        one
    };
    Some((Some(schema), Map::default()))
}

fn description(field: &FieldDescriptor, path: &[FieldDescriptor], comments: &Comments) -> Option<String> {
    let comment = comments.field(field);
    let rivals: Vec<String> = field
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic())
        .iter()
        .flat_map(|oneof| oneof.fields().collect::<Vec<_>>())
        .filter(|other| other != field)
        .map(|other| {
            let outer = path.split_last().map_or(&[][..], |(_, outer)| outer);
            let full: Vec<_> = outer.iter().cloned().chain([other]).collect();
            format!("`{}`", json_path(&full))
        })
        .collect();
    let alone = (!rivals.is_empty()).then(|| format!("Not together with {}.", rivals.join(", ")));
    let parts: Vec<String> = comment.into_iter().chain(alone).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}
