//! The fields that a rule names: path variables, request body and response body.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::Refusal;
use crate::Method;
use crate::http::{HttpVerb, PathTemplate, RequestBody};

/// For each variable of a template the fields from the request message down to what it sets.
pub(super) fn variables(
    method: &Method,
    template: &PathTemplate,
) -> Result<Vec<Vec<FieldDescriptor>>, Refusal> {
    let mut variables: Vec<Vec<FieldDescriptor>> = Vec::new();
    for path in template.variables() {
        let fields = variable(method, path)?;
        if let Some(rival) = variables.iter().find(|other| exclude_each_other(other, &fields)) {
            let reason = format!(
                "Path variables [{}] and [{path}] are members of one oneof, of which a message can hold only one.",
                names(rival)
            );
            return Err(Refusal::new(reason, "Put one of them into a binding of its own."));
        }
        variables.push(fields);
    }
    Ok(variables)
}

fn variable(method: &Method, path: &str) -> Result<Vec<FieldDescriptor>, Refusal> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        let parent = match fields.last().map(FieldDescriptor::kind) {
            None => Some(method.input()),
            Some(Kind::Message(message)) => Some(message),
            Some(_) => None,
        };
        let field = parent
            .as_ref()
            .and_then(|message| message.get_field_by_name(name));
        let Some(field) = field else {
            return Err(unknown_variable(method, path, parent.as_ref()));
        };
        if field.is_list() || field.is_map() {
            let reason = format!(
                "Repeated parameters [{}] are not allowed as path variables",
                field.full_name()
            );
            let fix = "Leave it out of the path: a repeated field can be a query parameter, and each a part of the body.";
            return Err(Refusal::new(reason, fix));
        }
        fields.push(field);
    }
    match fields.last().map(FieldDescriptor::kind) {
        Some(Kind::Message(message)) => Err(Refusal::new(
            format!("Message path parameters not supported! The variable [{path}] names one."),
            format!(
                "Name a field inside it as {{{path}.field}}. {}",
                fields_of(&message)
            ),
        )),
        _ => Ok(fields),
    }
}

fn unknown_variable(method: &Method, path: &str, parent: Option<&MessageDescriptor>) -> Refusal {
    let reason = format!(
        "Unknown field name [{path}] in type [{}] reference in path template for method [{}]",
        method.input().full_name(),
        method.descriptor.full_name()
    );
    let fix = match parent {
        Some(message) => fields_of(message),
        None => "Only a message has fields to name after a dot.".to_owned(),
    };
    Refusal::new(reason, fix)
}

/// Whether two field paths end in different members of the same oneof, or pass through such.
fn exclude_each_other(one: &[FieldDescriptor], other: &[FieldDescriptor]) -> bool {
    let parting = one.iter().zip(other).find(|(one, other)| one != other);
    parting.is_some_and(|(one, other)| {
        let oneof = one.containing_oneof();
        oneof.is_some() && oneof == other.containing_oneof()
    })
}

/// What the request body becomes. The field of a body may be of any type: a list is then a JSON array, and so on.
pub(super) fn body(method: &Method, body: &str, verb: &HttpVerb) -> Result<RequestBody, Refusal> {
    let input = method.input();
    let target = match body {
        "" => return Ok(RequestBody::Ignored),
        "*" => RequestBody::Message,
        _ => match input.get_field_by_name(body) {
            Some(field) => RequestBody::Field(field),
            None => {
                return Err(Refusal::new(
                    format!("Body configured to [{body}] but that field does not exist on input type."),
                    format!(
                        "Write * for the whole message, or one of its fields. {}",
                        fields_of(&input)
                    ),
                ));
            }
        },
    };
    if verb.allows_body() {
        return Ok(target);
    }
    Err(Refusal::new(
        format!("Body configured to [{body}] but HTTP Method {verb} does not have a request body."),
        "Leave the body out, or use another HTTP method.",
    ))
}

/// A path variable may set a field inside the body, but not replace it.
pub(super) fn check_overlap(body: &RequestBody, variables: &[Vec<FieldDescriptor>]) -> Result<(), Refusal> {
    let RequestBody::Field(field) = body else {
        return Ok(());
    };
    let name = field.name();
    for variable in variables {
        if variable.as_slice() == [field.clone()] {
            return Err(Refusal::new(
                format!("Body configured to [{name}] but a path variable sets that field too."),
                "Leave the body out, or the variable.",
            ));
        }
        if exclude_each_other(std::slice::from_ref(field), variable) {
            return Err(Refusal::new(
                format!(
                    "Body configured to [{name}] but the path variable [{}] sets another member of the same oneof.",
                    names(variable)
                ),
                "Leave the body out, or the variable.",
            ));
        }
    }
    Ok(())
}

/// The field of the reply that is the response body; `None` for the whole reply.
pub(super) fn response_body(
    output: &MessageDescriptor,
    field: &str,
) -> Result<Option<FieldDescriptor>, Refusal> {
    if field.is_empty() {
        return Ok(None);
    }
    match output.get_field_by_name(field) {
        Some(field) => Ok(Some(field)),
        None => Err(Refusal::new(
            format!(
                "Response body field [{field}] does not exist on type [{}]",
                output.full_name()
            ),
            format!(
                "Leave it out for the whole message, or name one of its fields. {}",
                fields_of(output)
            ),
        )),
    }
}

/// Joined with dots, as rules write them.
fn names(fields: &[FieldDescriptor]) -> String {
    let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
    names.join(".")
}

/// Lists what can be named, for a message with very many fields the first of them.
fn fields_of(message: &MessageDescriptor) -> String {
    const SHOWN: usize = 20;
    let fields: Vec<_> = message.fields().collect();
    let names: Vec<&str> = fields.iter().take(SHOWN).map(FieldDescriptor::name).collect();
    let name = message.full_name();
    match fields.len() {
        0 => format!("[{name}] has no fields."),
        1..=SHOWN => format!("The fields of [{name}] are {}.", names.join(", ")),
        all => format!(
            "The fields of [{name}] are {} and {} others.",
            names.join(", "),
            all - SHOWN
        ),
    }
}
