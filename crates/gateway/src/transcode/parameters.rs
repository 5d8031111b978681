//! Query parameters and path variables as parts of the request message.

use std::collections::{HashMap, HashSet};

use cloudstate_catalog::http::{Capture, HttpBinding, RequestBody};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{query, scalar, wire};
use crate::status::Status;

/// How deep a parameter may reach into messages. Readers of protobuf give up beyond it.
const DEPTH_MAX: usize = 100;

/// Appends what the query says about fields that the body does not hold. Returns whether it [reaches into](reaches_into) a
/// message with a form of its own.
pub(super) fn append_query(
    binding: &HttpBinding,
    query: &str,
    message: &mut Vec<u8>,
) -> Result<bool, Status> {
    let parameters = query::parse(query).map_err(|parameter| {
        let why = format!("the query parameter [{parameter}] is not correctly percent-encoded");
        Status::invalid_field("", &why)
    })?;
    let input = binding.method.input();
    let mut given = Given::default();
    let mut reaches = false;
    for (name, text) in parameters {
        let fields = resolve(&input, &name).map_err(|why| Status::invalid_field(&name, why))?;
        let Some((field, messages)) = fields.split_last() else {
            continue;
        };
        if is_in_body(binding, &fields) {
            continue;
        }
        if field.is_map() {
            return Err(Status::invalid_field(
                &name,
                "a map cannot be given as a query parameter",
            ));
        }
        given
            .check(&fields)
            .map_err(|why| Status::invalid_field(&name, &why))?;
        let mut value = Vec::with_capacity(text.len() + 8);
        scalar::append(field, &text, &mut value)
            .map_err(|why| Status::invalid_field(&name, &format!("[{text}]: {why}")))?;
        wire::put_within(messages, value, message);
        reaches |= reaches_into(messages);
    }
    Ok(reaches)
}

/// Whether a field inside a message of `google.protobuf` is named: the parts of a time, say, of which not all are one.
fn reaches_into(messages: &[FieldDescriptor]) -> bool {
    messages.iter().any(|field| match field.kind() {
        Kind::Message(of) => of.package_name() == "google.protobuf",
        _ => false,
    })
}

fn is_in_body(binding: &HttpBinding, fields: &[FieldDescriptor]) -> bool {
    match &binding.body {
        RequestBody::Field(body) => fields.first() == Some(body),
        RequestBody::Ignored | RequestBody::Message => false,
    }
}

/// The fields of a dotted path of proto or JSON names. Only the last may be repeated.
fn resolve(input: &MessageDescriptor, path: &str) -> Result<Vec<FieldDescriptor>, &'static str> {
    if path.is_empty() {
        return Err("a query parameter has no name");
    }
    let mut of = Some(input.clone());
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        let field = of.take().and_then(|message| {
            let by_name = message.get_field_by_name(name);
            by_name.or_else(|| message.get_field_by_json_name(name))
        });
        let field = field.ok_or("no field of the request has this name")?;
        if fields.len() == DEPTH_MAX {
            return Err("it reaches more than 100 messages deep");
        }
        of = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        fields.push(field);
    }
    Ok(fields)
}

/// What the parameters before have given.
#[derive(Default)]
struct Given {
    /// Singular fields, by the numbers on the way to them.
    fields: HashSet<Vec<u32>>,
    /// The members of oneofs, by the way to the oneof.
    members: HashMap<(Vec<u32>, String), FieldDescriptor>,
}

impl Given {
    /// Takes down that a field is given. Refused: a second value of a singular field, and a second member of a oneof.
    fn check(&mut self, fields: &[FieldDescriptor]) -> Result<(), String> {
        let numbers: Vec<u32> = fields.iter().map(FieldDescriptor::number).collect();
        for (at, field) in fields.iter().enumerate() {
            let Some(oneof) = field.containing_oneof() else {
                continue;
            };
            let oneof = (numbers[..at].to_vec(), oneof.name().to_owned());
            let text = format!("of the oneof [{}] only one member can be given", oneof.1);
            match self.members.insert(oneof, field.clone()) {
                Some(other) if other != *field => {
                    return Err(format!("{text}, but [{}] is too", other.name()));
                }
                _ => {}
            }
        }
        let is_list = fields.last().is_some_and(FieldDescriptor::is_list);
        if is_list || self.fields.insert(numbers) {
            Ok(())
        } else {
            Err("the field takes one value, but several are given".to_owned())
        }
    }
}

/// Appends what the path says. Returns the same as [`append_query`].
pub(super) fn append_path(variables: &[Capture<'_>], message: &mut Vec<u8>) -> Result<bool, Status> {
    let mut reaches = false;
    for Capture { fields, value: text } in variables {
        let Some((field, messages)) = fields.split_last() else {
            continue;
        };
        let mut value = Vec::with_capacity(text.len() + 8);
        scalar::append(field, text, &mut value).map_err(|why| {
            let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
            Status::invalid_field(&names.join("."), &format!("[{text}] in the path: {why}"))
        })?;
        wire::put_within(messages, value, message);
        reaches |= reaches_into(messages);
    }
    Ok(reaches)
}
