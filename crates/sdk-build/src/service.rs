//! Writes the module of one service: its typed calls, the traits to implement, and how to register an implementation.

use std::fmt::Write;

use prost_build::{Comments, Method, Service, ServiceGenerator};

use crate::names::{from_within, module};

/// Generates code for services; the messages are prost's own business.
pub(crate) struct Generator;

impl ServiceGenerator for Generator {
    fn generate(&mut self, service: Service, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = write_service(&ServiceCode::new(&service), out);
    }
}

/// A service and the names that its code uses again and again.
struct ServiceCode<'a> {
    service: &'a Service,
    full_name: String,
    /// Path from the service's module to the root of the generated file.
    root: String,
}

impl<'a> ServiceCode<'a> {
    fn new(service: &'a Service) -> Self {
        let parts = if service.package.is_empty() {
            0
        } else {
            service.package.split('.').count()
        };
        let dot = if service.package.is_empty() { "" } else { "." };
        let full_name = [&service.package, dot, &service.proto_name].concat();
        ServiceCode {
            service,
            full_name,
            root: "super::".repeat(parts + 1),
        }
    }

    fn takes_one(&self) -> bool {
        self.service.methods.iter().all(|method| !method.client_streaming)
    }

    fn is_unary(&self) -> bool {
        self.service
            .methods
            .iter()
            .all(|method| !method.client_streaming && !method.server_streaming)
    }
}

fn write_service(code: &ServiceCode<'_>, out: &mut String) -> std::fmt::Result {
    let ServiceCode {
        service,
        full_name,
        root,
    } = code;
    write_comments(&service.comments, out)?;
    writeln!(
        out,
        "///\n/// The module of the service `{full_name}`: implement one of the traits, register it by the"
    )?;
    writeln!(
        out,
        "/// function beside it, and refer to the service's methods by [`calls`]({0}::calls).",
        module(&service.name)
    )?;
    writeln!(out, "pub mod {} {{", module(&service.name))?;
    writeln!(
        out,
        "/// The full name of the service.\npub const NAME: &str = {full_name:?};\n"
    )?;
    writeln!(out, "const SERVICE: ::cloudstate_sdk::Service =")?;
    writeln!(
        out,
        "    ::cloudstate_sdk::Service::new(NAME, {root}FILE_DESCRIPTOR_SET);\n"
    )?;
    write_calls(service, out)?;
    if code.is_unary() {
        write_entity(code, &EVENT_SOURCED, out)?;
        write_entity(code, &VALUE, out)?;
    }
    if code.takes_one() {
        write_crdt(code, out)?;
    }
    write_action(code, out)?;
    writeln!(out, "}}")
}

fn write_comments(comments: &Comments, out: &mut String) -> std::fmt::Result {
    comments.append_with_indent(0, out);
    if comments.leading.is_empty() && comments.trailing.is_empty() {
        writeln!(out, "/// (The `.proto` file has no comment here.)")?;
    }
    Ok(())
}

fn type_url(proto_type: &str) -> String {
    ["type.googleapis.com/", proto_type.trim_start_matches('.')].concat()
}

fn write_calls(service: &Service, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "/// Calls of this service's methods: to forward to, for side effects, and for tests."
    )?;
    writeln!(out, "pub mod calls {{")?;
    for method in &service.methods {
        let (input, output) = (
            from_within(&method.input_type, 2),
            from_within(&method.output_type, 2),
        );
        write_comments(&method.comments, out)?;
        writeln!(
            out,
            "pub fn {}(command: {input}) -> ::cloudstate_sdk::Call<{output}> {{",
            method.name
        )?;
        let url = type_url(&method.input_proto_type);
        writeln!(
            out,
            "::cloudstate_sdk::Call::new(super::NAME, {:?}, {url:?}, &command)",
            method.proto_name
        )?;
        writeln!(out, "}}")?;
    }
    writeln!(out, "}}\n")
}

/// What differs between the kinds of stateful entities.
struct Kind {
    /// The module of the SDK.
    module: &'static str,
    title: &'static str,
    entity_trait: &'static str,
    state_bound: &'static str,
    state_docs: &'static str,
}

const EVENT_SOURCED: Kind = Kind {
    module: "event_sourced",
    title: "event sourced entities",
    entity_trait: "EventSourcedEntity",
    state_bound: "::cloudstate_sdk::EventSourced",
    state_docs: "The state, built from events alone.",
};

const VALUE: Kind = Kind {
    module: "value",
    title: "value entities",
    entity_trait: "ValueEntity",
    state_bound: "::cloudstate_sdk::Payload + Send",
    state_docs: "The state, stored as it is.",
};

fn write_entity(code: &ServiceCode<'_>, kind: &Kind, out: &mut String) -> std::fmt::Result {
    let Kind {
        module,
        title,
        entity_trait,
        state_bound,
        state_docs,
    } = kind;
    writeln!(
        out,
        "/// The commands of `{}`, handled by {title}.",
        code.full_name
    )?;
    writeln!(out, "pub trait {entity_trait}: Send + Sync + 'static {{")?;
    writeln!(out, "/// {state_docs}\ntype State: {state_bound};")?;
    for method in &code.service.methods {
        let (input, output) = (
            from_within(&method.input_type, 1),
            from_within(&method.output_type, 1),
        );
        write_comments(&method.comments, out)?;
        writeln!(out, "fn {}(&self, command: {input},", method.name)?;
        writeln!(out, "ctx: &mut ::cloudstate_sdk::{module}::Context<Self::State>,")?;
        writeln!(
            out,
            ") -> ::core::result::Result<::cloudstate_sdk::Reply<{output}>, ::cloudstate_sdk::Failure>;"
        )?;
    }
    writeln!(out, "}}\n")?;
    write_entity_adapter(code, kind, out)?;
    writeln!(
        out,
        "/// Registers {title} for `{}`. The persistence id is the namespace of their",
        code.full_name
    )?;
    writeln!(out, "/// state: never change it once there is state to keep.")?;
    writeln!(
        out,
        "pub fn {module}(persistence_id: impl ::core::convert::Into<::std::string::String>,"
    )?;
    writeln!(
        out,
        "entity: impl {entity_trait}) -> ::cloudstate_sdk::{module}::Registration {{"
    )?;
    writeln!(
        out,
        "::cloudstate_sdk::{module}::Registration::new(SERVICE, persistence_id, {entity_trait}Handler(entity))"
    )?;
    writeln!(out, "}}\n")
}

fn write_entity_adapter(code: &ServiceCode<'_>, kind: &Kind, out: &mut String) -> std::fmt::Result {
    let Kind {
        module, entity_trait, ..
    } = kind;
    writeln!(out, "struct {entity_trait}Handler<E>(E);\n")?;
    writeln!(
        out,
        "impl<E: {entity_trait}> ::cloudstate_sdk::{module}::Handler for {entity_trait}Handler<E> {{"
    )?;
    writeln!(out, "type State = E::State;\n")?;
    writeln!(
        out,
        "fn handle(&self, invocation: ::cloudstate_sdk::dispatch::Invocation<'_>,"
    )?;
    writeln!(
        out,
        "ctx: &mut ::cloudstate_sdk::{module}::Context<E::State>) -> ::cloudstate_sdk::dispatch::Handled {{"
    )?;
    writeln!(out, "match invocation.command() {{")?;
    for method in &code.service.methods {
        let url = type_url(&method.output_proto_type);
        writeln!(
            out,
            "{:?} => invocation.run({url:?}, |command| self.0.{}(command, ctx)),",
            method.proto_name, method.name
        )?;
    }
    writeln!(out, "_ => invocation.unknown(),\n}}\n}}\n}}\n")
}

fn write_crdt(code: &ServiceCode<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "/// The commands of `{}`, handled by CRDT entities.",
        code.full_name
    )?;
    writeln!(out, "pub trait CrdtEntity: Send + Sync + 'static {{")?;
    writeln!(
        out,
        "/// The state, of one of the replicated types.\ntype State: ::cloudstate_sdk::crdt::Crdt;"
    )?;
    for method in &code.service.methods {
        let (input, output) = (
            from_within(&method.input_type, 1),
            from_within(&method.output_type, 1),
        );
        let success = match method.server_streaming {
            true => format!("::cloudstate_sdk::crdt::Streamed<Self::State, {output}>"),
            false => format!("::cloudstate_sdk::Reply<{output}>"),
        };
        write_comments(&method.comments, out)?;
        writeln!(
            out,
            "fn {}(&self, command: {input}, state: &mut Self::State, ctx: &mut ::cloudstate_sdk::crdt::Context)",
            method.name
        )?;
        writeln!(
            out,
            "-> ::core::result::Result<{success}, ::cloudstate_sdk::Failure>;"
        )?;
    }
    writeln!(out, "}}\n")?;
    write_crdt_adapter(code, out)?;
    writeln!(
        out,
        "/// Registers CRDT entities for `{}`. The persistence id is the namespace of their",
        code.full_name
    )?;
    writeln!(out, "/// state: never change it while a cluster runs.")?;
    writeln!(
        out,
        "pub fn crdt(persistence_id: impl ::core::convert::Into<::std::string::String>,"
    )?;
    writeln!(
        out,
        "entity: impl CrdtEntity) -> ::cloudstate_sdk::crdt::Registration {{"
    )?;
    writeln!(
        out,
        "::cloudstate_sdk::crdt::Registration::new(SERVICE, persistence_id, CrdtEntityHandler(entity))"
    )?;
    writeln!(out, "}}\n")
}

fn write_crdt_adapter(code: &ServiceCode<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "struct CrdtEntityHandler<E>(E);\n")?;
    writeln!(
        out,
        "impl<E: CrdtEntity> ::cloudstate_sdk::crdt::Handler for CrdtEntityHandler<E> {{"
    )?;
    writeln!(out, "type State = E::State;\n")?;
    writeln!(
        out,
        "fn handle(&self, invocation: ::cloudstate_sdk::dispatch::Invocation<'_>, state: &mut E::State,"
    )?;
    writeln!(
        out,
        "ctx: &mut ::cloudstate_sdk::crdt::Context) -> ::cloudstate_sdk::crdt::Handled<E::State> {{"
    )?;
    writeln!(out, "match invocation.command() {{")?;
    for method in &code.service.methods {
        let url = type_url(&method.output_proto_type);
        let shape = if method.server_streaming {
            "streamed"
        } else {
            "unary"
        };
        writeln!(
            out,
            "{:?} => ::cloudstate_sdk::crdt::{shape}(invocation, {url:?}, |command| self.0.{}(command, state, ctx)),",
            method.proto_name, method.name
        )?;
    }
    writeln!(
        out,
        "_ => ::cloudstate_sdk::crdt::Handled::Unknown,\n}}\n}}\n}}\n"
    )
}

fn write_action(code: &ServiceCode<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "/// The commands of `{}`, handled by an action, which has no state.",
        code.full_name
    )?;
    writeln!(out, "pub trait Action: Send + Sync + 'static {{")?;
    for method in &code.service.methods {
        write_comments(&method.comments, out)?;
        write_action_method(method, out)?;
    }
    writeln!(out, "}}\n")?;
    write_action_adapter(code, out)?;
    writeln!(out, "/// Registers an action for `{}`.", code.full_name)?;
    writeln!(
        out,
        "pub fn action(action: impl Action) -> ::cloudstate_sdk::action::Registration {{"
    )?;
    writeln!(
        out,
        "::cloudstate_sdk::action::Registration::new(SERVICE, ActionHandler(action))\n}}"
    )
}

fn write_action_method(method: &Method, out: &mut String) -> std::fmt::Result {
    let (input, output) = (
        from_within(&method.input_type, 1),
        from_within(&method.output_type, 1),
    );
    let parameter = match method.client_streaming {
        true => format!("commands: ::cloudstate_sdk::action::Commands<{input}>"),
        false => format!("command: {input}"),
    };
    let result =
        format!("::core::result::Result<::cloudstate_sdk::Reply<{output}>, ::cloudstate_sdk::Failure>");
    let answer = match method.server_streaming {
        true => format!("::cloudstate_sdk::Stream<Item = {result}>"),
        false => format!("::core::future::Future<Output = {result}>"),
    };
    writeln!(
        out,
        "fn {}(&self, {parameter}, ctx: ::cloudstate_sdk::action::Context)",
        method.name
    )?;
    writeln!(out, "-> impl {answer} + Send;")
}

fn write_action_adapter(code: &ServiceCode<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "struct ActionHandler<A>(A);\n")?;
    writeln!(
        out,
        "impl<A: Action> ::cloudstate_sdk::action::Handler for ActionHandler<A> {{"
    )?;
    writeln!(
        out,
        "fn handle(self: ::std::sync::Arc<Self>, call: ::cloudstate_sdk::action::Incoming)"
    )?;
    writeln!(
        out,
        "-> ::cloudstate_sdk::action::Answer {{\nmatch call.command() {{"
    )?;
    for method in &code.service.methods {
        write_action_arm(method, out)?;
    }
    writeln!(out, "_ => call.unknown(),\n}}\n}}\n}}\n")
}

fn write_action_arm(method: &Method, out: &mut String) -> std::fmt::Result {
    let Method { name, proto_name, .. } = method;
    let url = type_url(&method.output_proto_type);
    let (argument, take) = match method.client_streaming {
        true => ("commands", "call.commands()"),
        false => ("command", "call.command_message()?"),
    };
    if method.server_streaming {
        writeln!(
            out,
            "{proto_name:?} => call.answer_many({url:?}, move |mut call, replies| async move {{"
        )?;
        writeln!(out, "let {argument} = {take};\nlet ctx = call.context();")?;
        writeln!(
            out,
            "replies.send_all(self.0.{name}({argument}, ctx)).await\n}}),"
        )
    } else {
        writeln!(
            out,
            "{proto_name:?} => call.answer_one({url:?}, move |mut call| async move {{"
        )?;
        writeln!(out, "let {argument} = {take};\nlet ctx = call.context();")?;
        writeln!(
            out,
            "::core::option::Option::Some(self.0.{name}({argument}, ctx).await)\n}}),"
        )
    }
}
