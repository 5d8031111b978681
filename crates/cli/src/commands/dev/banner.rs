//! What to try first: URLs and commands ready to paste, made from what the function declared.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::grpc::http_bindings;

/// Where things listen.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Clients.
    pub(super) client: SocketAddr,
    /// Operators.
    pub(super) admin: Option<SocketAddr>,
    /// What serves the function's state, as a store URL.
    pub(super) store: String,
    /// Whether static files are served.
    pub(super) page: bool,
    /// Whether the function is described as OpenAPI.
    pub(super) openapi: bool,
}

/// The text for the terminal.
/// `nodes` are lines about further nodes.
pub(super) fn banner(places: &Places, nodes: &str, methods: &[MethodDescriptor]) -> String {
    let client = reachable(places.client);
    let services: BTreeSet<String> = methods
        .iter()
        .map(|method| method.parent_service().full_name().to_owned())
        .collect();
    let mut text = format!("\n  Serving {}\n\n", Vec::from_iter(services).join(", "));
    text += &format!("  gRPC, HTTP/JSON  http://{client}\n");
    if places.page {
        text += &format!("  Static files     http://{client}/\n");
    }
    if places.openapi {
        text += &format!("  OpenAPI          http://{client}/openapi.json\n");
    }
    if let Some(admin) = places.admin.map(reachable) {
        text += &format!("  Ready, metrics   http://{admin}/ready  http://{admin}/metrics\n");
    }
    text += nodes;
    text += &format!("  State            {}\n\n  Try:\n", places.store);
    for method in methods {
        text += &format!("    {}\n", example(client, method));
    }
    text += &format!("    cloudstate call --addr {client} --list\n");
    text
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// A command that calls the method: curl where HTTP can.
fn example(client: SocketAddr, method: &MethodDescriptor) -> String {
    let path = format!("{}/{}", method.parent_service().full_name(), method.name());
    let input = method.input();
    if method.is_client_streaming() {
        return format!(
            "cloudstate call --addr {client} {path} {}",
            quoted(&message(&input, &[], 0))
        );
    }
    let default = ("POST".to_owned(), format!("/{path}"), "*".to_owned());
    let (verb, template, body) = http_bindings(method).into_iter().next().unwrap_or(default);
    let (route, bound) = fill(&template, &input);
    let body = match body.as_str() {
        "" => None,
        "*" => Some(message(&input, &bound, 0)),
        field => input.get_field_by_name(field).map(|field| value(&field, 0)),
    };
    let no_buffer = if method.is_server_streaming() { "-N " } else { "" };
    match (verb.as_str(), body) {
        // `*` is every method, and a pattern to the shell.
        ("GET" | "*", None) => format!("curl {no_buffer}http://{client}{route}"),
        ("HEAD", None) => format!("curl {no_buffer}-I http://{client}{route}"),
        (verb, None) => format!("curl {no_buffer}-X {verb} http://{client}{route}"),
        (verb, Some(body)) => {
            // curl posts by itself when it has data.
            let verb = if matches!(verb, "POST" | "*") {
                String::new()
            } else {
                format!("-X {verb} ")
            };
            let json = "-H 'Content-Type: application/json'";
            format!(
                "curl {no_buffer}{verb}http://{client}{route} {json} -d {}",
                quoted(&body)
            )
        }
    }
}

/// The path with examples for its variables, and the names of the fields that they set.
fn fill(template: &str, input: &MessageDescriptor) -> (String, Vec<String>) {
    let mut route = String::new();
    let mut bound = Vec::new();
    let mut rest = template;
    while let Some((before, inside)) = rest.split_once('{') {
        let (variable, after) = inside.split_once('}').unwrap_or((inside, ""));
        let (name, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
        let text = variable_text(name, input);
        route += before;
        route += &pattern.replace("**", "*").replace('*', &text);
        bound.push(name.split('.').next().unwrap_or(name).to_owned());
        rest = after;
    }
    (route + rest, bound)
}

fn variable_text(name: &str, input: &MessageDescriptor) -> String {
    let field = input
        .get_field_by_name(name)
        .filter(|field| !field.is_list() && !field.is_map());
    match field.map(|field| (field.kind(), value(&field, 0))) {
        None | Some((Kind::Message(_), _)) => "demo".to_owned(),
        Some((_, example)) => example.trim_matches('"').to_owned(),
    }
}

/// A message, as JSON in the order of its definition, with an example in each field but those left out.
fn message(descriptor: &MessageDescriptor, left_out: &[String], depth: usize) -> String {
    // One member of a oneof is enough, and all that is allowed.
    let is_further_member = |field: &FieldDescriptor| {
        let oneof = field.containing_oneof();
        oneof.is_some_and(|oneof| {
            oneof
                .fields()
                .next()
                .is_some_and(|first| first.name() != field.name())
        })
    };
    let members: Vec<String> = descriptor
        .fields()
        .filter(|field| !left_out.iter().any(|name| name == field.name()) && !is_further_member(field))
        .map(|field| format!("\"{}\": {}", field.json_name(), value(&field, depth)))
        .collect();
    format!("{{{}}}", members.join(", "))
}

/// An example for a field, as JSON.
fn value(field: &FieldDescriptor, depth: usize) -> String {
    if field.is_map() {
        return "{}".to_owned();
    }
    let one = match field.kind() {
        Kind::Bool => "true".to_owned(),
        Kind::String => format!("\"{}\"", word(field.name())),
        Kind::Bytes => "\"AQID\"".to_owned(),
        Kind::Float | Kind::Double => "1.5".to_owned(),
        Kind::Enum(kind) => {
            let last = kind.values().last().map(|value| value.name().to_owned());
            format!("\"{}\"", last.unwrap_or_default())
        }
        Kind::Message(inner) => inner_message(&inner, depth),
        _ => "1".to_owned(),
    };
    if field.is_list() { format!("[{one}]") } else { one }
}

/// A nested message; those with a JSON form of their own, and deep ones, get their simplest.
fn inner_message(descriptor: &MessageDescriptor, depth: usize) -> String {
    let text = match descriptor.full_name() {
        "google.protobuf.Timestamp" => "\"2030-01-01T00:00:00Z\"",
        "google.protobuf.Duration" => "\"1s\"",
        "google.protobuf.ListValue" => "[]",
        "google.protobuf.Struct" | "google.protobuf.Empty" => "{}",
        name if name.starts_with("google.protobuf.") => "null",
        _ if depth < 2 => return message(descriptor, &[], depth + 1),
        _ => "{}",
    };
    text.to_owned()
}

/// An example for text: ids look like ids, the rest like its name.
fn word(name: &str) -> String {
    match name.rsplit_once('_') {
        Some((what, "id" | "key")) => format!("{}-1", what.replace('_', "-")),
        None if matches!(name, "id" | "key") => "demo-1".to_owned(),
        _ => name.to_owned(),
    }
}

/// One word for a POSIX shell.
fn quoted(json: &str) -> String {
    format!("'{}'", json.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
