//! Checks and compiles `google.api.http` rules.

use std::sync::Arc;

use cloudstate_protocol::google::api::HttpRule;
use cloudstate_protocol::google::api::http_rule::Pattern;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{HttpBinding, HttpVerb, PathTemplate, RequestBody};
use crate::{DiscoveryError, Method};

/// The bindings of a method: its rule and that one's additional bindings, or without a rule
/// `POST /<service>/<method>` with the message as body.
pub(crate) fn bindings_of(
    method: &Arc<Method>,
    rule: Option<&HttpRule>,
) -> Result<Vec<Arc<HttpBinding>>, DiscoveryError> {
    let Some(rule) = rule else {
        return Ok(vec![Arc::new(default_binding(method))]);
    };
    let compile = |rule| compile(method, rule).map(Arc::new);
    let refuse = |reason| DiscoveryError::HttpRule {
        reason,
        method: method.descriptor.full_name().to_owned(),
        file: method.descriptor.parent_file().name().to_owned(),
    };
    let mut bindings = vec![compile(rule).map_err(refuse)?];
    for additional in &rule.additional_bindings {
        bindings.push(compile(additional).map_err(refuse)?);
        if !additional.additional_bindings.is_empty() {
            return Err(refuse(format!(
                "Only one level of additionalBindings supported, but [{}] has more than one!",
                dump(additional)
            )));
        }
    }
    Ok(bindings)
}

fn default_binding(method: &Arc<Method>) -> HttpBinding {
    HttpBinding {
        method: method.clone(),
        verb: HttpVerb::Post,
        template: PathTemplate::of_literals(&[&method.service.name, &method.name]),
        body: RequestBody::Message,
        response_body: None,
        variables: Vec::new(),
    }
}

fn compile(method: &Arc<Method>, rule: &HttpRule) -> Result<HttpBinding, String> {
    let full_name = method.descriptor.full_name();
    if !rule.selector.is_empty() && rule.selector != full_name {
        return Err(format!(
            "Rule selector [{}] must be empty or [{full_name}]",
            rule.selector
        ));
    }
    let (verb, path) = pattern(rule)?;
    let template = PathTemplate::parse(path).map_err(|error| error.to_string())?;
    let variables = template
        .variables()
        .map(|path| variable(method, path))
        .collect::<Result<_, _>>()?;
    Ok(HttpBinding {
        method: method.clone(),
        verb,
        template,
        body: body(&method.input(), &rule.body)?,
        response_body: response_body(&method.output(), &rule.response_body)?,
        variables,
    })
}

fn pattern(rule: &HttpRule) -> Result<(HttpVerb, &str), String> {
    match &rule.pattern {
        None => Err(format!("Pattern missing for rule [{}]!", dump(rule))),
        Some(Pattern::Get(path)) => Ok((HttpVerb::Get, path)),
        Some(Pattern::Put(path)) => Ok((HttpVerb::Put, path)),
        Some(Pattern::Post(path)) => Ok((HttpVerb::Post, path)),
        Some(Pattern::Delete(path)) => Ok((HttpVerb::Delete, path)),
        Some(Pattern::Patch(path)) => Ok((HttpVerb::Patch, path)),
        Some(Pattern::Custom(custom)) if custom.kind == "*" => Ok((HttpVerb::Any, &custom.path)),
        Some(Pattern::Custom(custom)) => Err(format!(
            "Only Custom patterns with [*] kind supported but [{}] found!",
            custom.kind
        )),
    }
}

/// The fields of a variable's path, from the request message downwards.
fn variable(method: &Method, path: &str) -> Result<Vec<FieldDescriptor>, String> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path.split('.') {
        let parent = match fields.last().map(FieldDescriptor::kind) {
            None => Some(method.input()),
            Some(Kind::Message(message)) => Some(message),
            Some(_) => None,
        };
        let field = parent
            .and_then(|message| message.get_field_by_name(name))
            .ok_or_else(|| {
                format!(
                    "Unknown field name [{path}] in type [{}] reference in path template for method [{}]",
                    method.input().full_name(),
                    method.descriptor.full_name()
                )
            })?;
        if field.is_list() || field.is_map() {
            return Err(format!(
                "Repeated parameters [{}] are not allowed as path variables",
                field.full_name()
            ));
        }
        fields.push(field);
    }
    match fields.last().map(FieldDescriptor::kind) {
        Some(Kind::Message(_)) => Err(format!(
            "Message path parameters not supported! The variable [{path}] names one."
        )),
        _ => Ok(fields),
    }
}

fn body(input: &MessageDescriptor, body: &str) -> Result<RequestBody, String> {
    match body {
        "" => return Ok(RequestBody::Ignored),
        "*" => return Ok(RequestBody::Message),
        _ => {}
    }
    let Some(field) = input.get_field_by_name(body) else {
        return Err(format!(
            "Body configured to [{body}] but that field does not exist on input type."
        ));
    };
    if field.is_list() || field.is_map() {
        return Err(format!(
            "Body configured to [{body}] but that field is a repeated field."
        ));
    }
    match field.kind() {
        Kind::Message(_) => Ok(RequestBody::Field(field)),
        _ => Err(format!(
            "Body configured to [{body}] but that field is not a message field."
        )),
    }
}

fn response_body(output: &MessageDescriptor, field: &str) -> Result<Option<FieldDescriptor>, String> {
    if field.is_empty() {
        return Ok(None);
    }
    match output.get_field_by_name(field) {
        Some(field) => Ok(Some(field)),
        None => Err(format!(
            "Response body field [{field}] does not exist on type [{}]",
            output.full_name()
        )),
    }
}

/// A rule as in a `.proto` file, on one line.
fn dump(rule: &HttpRule) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            parts.push(format!("{name}: {value:?}"));
        }
    };
    text("selector", &rule.selector);
    match &rule.pattern {
        None => {}
        Some(Pattern::Get(path)) => text("get", path),
        Some(Pattern::Put(path)) => text("put", path),
        Some(Pattern::Post(path)) => text("post", path),
        Some(Pattern::Delete(path)) => text("delete", path),
        Some(Pattern::Patch(path)) => text("patch", path),
        Some(Pattern::Custom(custom)) => {
            text("custom.kind", &custom.kind);
            text("custom.path", &custom.path);
        }
    }
    text("body", &rule.body);
    text("response_body", &rule.response_body);
    match rule.additional_bindings.len() {
        0 => {}
        1 => parts.push("additional_bindings: 1 rule".to_owned()),
        count => parts.push(format!("additional_bindings: {count} rules")),
    }
    parts.join(" ")
}
