//! Checks and compiles `google.api.http` rules.

mod dump;
mod fields;

use std::sync::{Arc, OnceLock};

use cloudstate_protocol::google::api::HttpRule;
use cloudstate_protocol::google::api::http_rule::Pattern;

use super::{HttpBinding, HttpVerb, PathTemplate, RequestBody};
use crate::{DiscoveryError, Method};
use dump::dump;

/// Why a rule cannot be served.
struct Refusal {
    /// What is wrong; the text of the reference where it has one.
    reason: String,
    /// What to write instead.
    fix: String,
}

impl Refusal {
    fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Refusal {
            reason: reason.into(),
            fix: fix.into(),
        }
    }
}

/// The bindings of a method: its rule and that one's additional bindings, or without a rule
/// `POST /<service>/<method>` with the message as body.
pub(crate) fn bindings_of(
    method: &Arc<Method>,
    rule: Option<&HttpRule>,
) -> Result<Vec<Arc<HttpBinding>>, DiscoveryError> {
    let Some(rule) = rule else {
        return Ok(vec![Arc::new(default_binding(method))]);
    };
    let mut bindings = vec![compile(method, rule)?];
    for additional in &rule.additional_bindings {
        bindings.push(compile(method, additional)?);
        if !additional.additional_bindings.is_empty() {
            let reason = format!(
                "Only one level of additionalBindings supported, but [{}] has more than one!",
                dump(additional)
            );
            let fix = "Put all additional_bindings into the outermost rule.";
            return Err(refused(method, additional, Refusal::new(reason, fix)));
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
        plans: OnceLock::new(),
    }
}

fn compile(method: &Arc<Method>, rule: &HttpRule) -> Result<Arc<HttpBinding>, DiscoveryError> {
    match check(method, rule) {
        Ok(binding) => Ok(Arc::new(binding)),
        Err(refusal) => Err(refused(method, rule, refusal)),
    }
}

fn refused(method: &Method, rule: &HttpRule, Refusal { reason, fix }: Refusal) -> DiscoveryError {
    DiscoveryError::HttpRule {
        reason,
        fix,
        rule: dump(rule),
        method: method.descriptor.full_name().to_owned(),
        file: method.descriptor.parent_file().name().to_owned(),
    }
}

/// In the order of the reference, so that a rule with several mistakes is refused for the same one.
fn check(method: &Arc<Method>, rule: &HttpRule) -> Result<HttpBinding, Refusal> {
    selector(method, rule)?;
    let (verb, path) = pattern(rule)?;
    let template = PathTemplate::parse(path).map_err(|error| Refusal::new(error.to_string(), error.fix))?;
    let variables = fields::variables(method, &template)?;
    let body = fields::body(method, &rule.body, &verb)?;
    fields::check_overlap(&body, &variables)?;
    Ok(HttpBinding {
        method: method.clone(),
        verb,
        template,
        body,
        response_body: fields::response_body(&method.output(), &rule.response_body)?,
        variables,
        plans: OnceLock::new(),
    })
}

fn selector(method: &Method, rule: &HttpRule) -> Result<(), Refusal> {
    let full_name = method.descriptor.full_name();
    if rule.selector.is_empty() || rule.selector == full_name {
        return Ok(());
    }
    let reason = format!("Rule selector [{}] must be empty or [{full_name}]", rule.selector);
    Err(Refusal::new(
        reason,
        "Leave the selector out: the rule stands with its method.",
    ))
}

fn pattern(rule: &HttpRule) -> Result<(HttpVerb, &str), Refusal> {
    let Some(pattern) = &rule.pattern else {
        return Err(Refusal::new(
            format!("Pattern missing for rule [{}]!", dump(rule)),
            "Set one of get, put, post, delete, patch and custom, such as get: \"/carts/{user_id}\".",
        ));
    };
    Ok(match pattern {
        Pattern::Get(path) => (HttpVerb::Get, path),
        Pattern::Put(path) => (HttpVerb::Put, path),
        Pattern::Post(path) => (HttpVerb::Post, path),
        Pattern::Delete(path) => (HttpVerb::Delete, path),
        Pattern::Patch(path) => (HttpVerb::Patch, path),
        Pattern::Custom(custom) => match HttpVerb::of_kind(&custom.kind) {
            Some(verb) => (verb, &custom.path),
            None => {
                let reason = format!(
                    "Custom patterns need an HTTP method with a path or [*] as their kind but [{}] found!",
                    custom.kind
                );
                let fix = "Write the method as requests name it, such as HEAD, or * for every method.";
                return Err(Refusal::new(reason, fix));
            }
        },
    })
}
