//! Rules in error texts.

use cloudstate_protocol::google::api::HttpRule;
use cloudstate_protocol::google::api::http_rule::Pattern;

/// A rule as in a `.proto` file, on one line.
pub(super) fn dump(rule: &HttpRule) -> String {
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
