//! Services, methods and messages as text.

use std::collections::BTreeSet;

use prost_reflect::{
    EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use super::unknown;
use crate::exit::Failure;
use crate::grpc::{Reflection, Schema, http_bindings};
use crate::output;

/// Prints the services, all or those whose name begins so, with their methods.
pub(super) async fn list(reflection: &mut Reflection, prefix: &str) -> Result<(), Failure> {
    let mut services = reflection.services().await?;
    services.retain(|name| name.starts_with(prefix));
    let schema = reflection.schema(&services).await?;
    let mut text = String::new();
    for name in &services {
        text += &format!("{name}\n");
        for method in schema.service(name).iter().flat_map(ServiceDescriptor::methods) {
            text += &format!("  {}\n", signature(&method));
        }
    }
    output::print(&text)
}

/// Prints what the symbol is.
pub(super) async fn symbol(
    reflection: &mut Reflection,
    schema: &Schema,
    symbol: &str,
) -> Result<(), Failure> {
    let text = if let Some(service) = schema.service(symbol) {
        let methods: Vec<_> = service.methods().map(|method| describe_method(&method)).collect();
        format!("service {symbol}\n\n{}", methods.join("\n"))
    } else if let Some(method) = method(schema, symbol) {
        format!(
            "{}\n{}",
            describe_method(&method),
            messages([method.input(), method.output()])
        )
    } else if let Some(message) = schema.message(symbol) {
        messages([message])
    } else {
        return Err(unknown(reflection, symbol).await?);
    };
    output::print(&format!("{}\n", text.trim_end()))
}

/// The method with this full name, written with dots.
pub(super) fn method(schema: &Schema, symbol: &str) -> Option<MethodDescriptor> {
    let (service, name) = symbol.rsplit_once('.')?;
    schema
        .service(service)?
        .methods()
        .find(|method| method.name() == name)
}

/// `package.Service/Method`
pub(super) fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

fn signature(method: &MethodDescriptor) -> String {
    let side = |message: MessageDescriptor, streamed: bool| {
        format!("{}{}", if streamed { "stream " } else { "" }, message.full_name())
    };
    let input = side(method.input(), method.is_client_streaming());
    let output = side(method.output(), method.is_server_streaming());
    format!("{}({input}) returns ({output})", method.name())
}

fn describe_method(method: &MethodDescriptor) -> String {
    let routes = http_bindings(method).into_iter().map(|(verb, path, body)| {
        let body = if body.is_empty() {
            String::new()
        } else {
            format!("  (body: {body})")
        };
        format!("  {verb} {path}{body}\n")
    });
    format!(
        "rpc {}\n  POST /{}  (body: *)\n{}",
        signature(method),
        path(method),
        routes.collect::<String>()
    )
}

/// The messages with those in their fields, each once.
fn messages(roots: impl IntoIterator<Item = MessageDescriptor>) -> String {
    let mut waiting: Vec<Kind> = roots.into_iter().map(Kind::Message).collect();
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    while !waiting.is_empty() {
        match waiting.remove(0) {
            Kind::Message(message) if seen.insert(message.full_name().to_owned()) => {
                waiting.extend(message.fields().flat_map(|field| named_kinds(&field)));
                text += &format!("\n{}", describe_message(&message));
            }
            Kind::Enum(kind) if seen.insert(kind.full_name().to_owned()) => {
                text += &format!("\n{}", describe_enum(&kind));
            }
            _ => {}
        }
    }
    text
}

/// The messages and enums that a field needs described beside it.
fn named_kinds(field: &FieldDescriptor) -> Vec<Kind> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => named_kinds(&entry.map_entry_value_field()),
        kind @ (Kind::Message(_) | Kind::Enum(_)) => vec![kind],
        _ => Vec::new(),
    }
}

fn describe_message(message: &MessageDescriptor) -> String {
    let fields = message.fields().map(|field| {
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let oneof = oneof
            .map(|oneof| format!("  // one of {}", oneof.name()))
            .unwrap_or_default();
        format!(
            "  {} {} = {};{oneof}\n",
            field_type(&field),
            field.name(),
            field.number()
        )
    });
    format!(
        "message {} {{\n{}}}\n",
        message.full_name(),
        fields.collect::<String>()
    )
}

fn describe_enum(kind: &EnumDescriptor) -> String {
    let values = kind
        .values()
        .map(|value| format!("  {} = {};\n", value.name(), value.number()));
    format!("enum {} {{\n{}}}\n", kind.full_name(), values.collect::<String>())
}

fn field_type(field: &FieldDescriptor) -> String {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        return format!("map<{}, {}>", kind_name(&key.kind()), kind_name(&value.kind()));
    }
    let label = match (
        field.is_list(),
        field.containing_oneof().is_some_and(|oneof| oneof.is_synthetic()),
    ) {
        (true, _) => "repeated ",
        (_, true) => "optional ",
        _ => "",
    };
    format!("{label}{}", kind_name(&field.kind()))
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(kind) => kind.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}
