//! What the scripted function serves.

use cloudstate_protocol::{Any, Entity, EntitySpec, SOURCES, ServiceInfo, names};
use prost::Message;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

const PROTO: &str = include_str!("whole.proto");

pub(crate) const LOG: &str = "/whole.Log/Act";
pub(crate) const CELL: &str = "/whole.Cell/Act";
pub(crate) const JOB: &str = "/whole.Job/Act";
pub(crate) const BOARD: &str = "/whole.Board/Act";
pub(crate) const WATCH: &str = "/whole.Board/Watch";
/// Of the same entities as the one above, but with instances of their own.
pub(crate) const MIRROR: &str = "/whole.Mirror/Act";
pub(crate) const MIRROR_WATCH: &str = "/whole.Mirror/Watch";

/// A command, and what the function shall do with it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Do {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) what: String,
    #[prost(string, tag = "3")]
    pub(crate) text: String,
    #[prost(message, optional, boxed, tag = "4")]
    pub(crate) forward: Option<Box<Elsewhere>>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) effects: Vec<Elsewhere>,
}

/// The target of a forward or side effect.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Elsewhere {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    #[prost(string, tag = "2")]
    pub(crate) command: String,
    #[prost(message, optional, boxed, tag = "3")]
    pub(crate) request: Option<Box<Do>>,
    #[prost(bool, tag = "4")]
    pub(crate) synchronous: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Done {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// A command for an entity.
pub(crate) fn ask(id: &str, what: &str, text: &str) -> Do {
    Do {
        id: id.to_owned(),
        what: what.to_owned(),
        text: text.to_owned(),
        ..Do::default()
    }
}

/// Adds text to an entity's state.
pub(crate) fn add(id: &str, text: &str) -> Do {
    ask(id, "add", text)
}

/// Reads an entity's state.
pub(crate) fn read(id: &str) -> Do {
    ask(id, "read", "")
}

impl Do {
    /// Leaves the answer to the method of this path.
    pub(crate) fn forward(mut self, path: &str, request: Do) -> Do {
        self.forward = Some(Box::new(elsewhere(path, request, false)));
        self
    }

    pub(crate) fn effect(mut self, path: &str, request: Do, synchronous: bool) -> Do {
        self.effects.push(elsewhere(path, request, synchronous));
        self
    }
}

fn elsewhere(path: &str, request: Do, synchronous: bool) -> Elsewhere {
    let (service, command) = path.trim_start_matches('/').split_once('/').expect("a path");
    Elsewhere {
        service: service.to_owned(),
        command: command.to_owned(),
        request: Some(Box::new(request)),
        synchronous,
    }
}

pub(crate) fn done(text: &str) -> Any {
    let done = Done {
        text: text.to_owned(),
    };
    Any::message("whole.Done", done.encode_to_vec())
}

struct Texts(String);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (_, text) = [("whole.proto", self.0.as_str())]
            .into_iter()
            .chain(SOURCES.iter().copied())
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// The descriptors of a .proto text in place of `whole.proto`.
pub(crate) fn compile(text: impl Into<String>) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(text.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .open_file("whole.proto")
        .unwrap_or_else(|error| panic!("{error:?}"));
    compiler.encode_file_descriptor_set()
}

pub(crate) fn entity(entity_type: &str, service_name: &str, persistence_id: &str) -> Entity {
    Entity {
        entity_type: entity_type.to_owned(),
        service_name: service_name.to_owned(),
        persistence_id: persistence_id.to_owned(),
        ..Entity::default()
    }
}

/// The declaration of entities over the descriptors of a .proto text.
pub(crate) fn declare(text: &str, entities: Vec<Entity>) -> EntitySpec {
    EntitySpec {
        proto: compile(text).into(),
        entities,
        service_info: Some(ServiceInfo {
            protocol_minor_version: 2,
            ..ServiceInfo::default()
        }),
    }
}

/// The declaration of all three services.
pub(crate) fn whole() -> EntitySpec {
    services(PROTO)
}

/// All three services, and two of the same CRDT entities.
pub(crate) fn with_boards() -> EntitySpec {
    let service = |name| {
        format!("service {name} {{ rpc Act(Do) returns (Done); rpc Watch(Do) returns (stream Done); }}")
    };
    let text = format!("{PROTO}\n{}\n{}", service("Board"), service("Mirror"));
    let mut spec = services(&text);
    spec.entities.push(entity(names::CRDT, "whole.Board", "board"));
    spec.entities.push(entity(names::CRDT, "whole.Mirror", "board"));
    spec
}

/// The action and the CRDT entities alone.
pub(crate) fn boards() -> EntitySpec {
    let mut spec = with_boards();
    let stored = [names::EVENT_SOURCED, names::VALUE_ENTITY];
    spec.entities
        .retain(|entity| !stored.contains(&&*entity.entity_type));
    spec
}

/// The three services, with streams that a browser's `EventSource` can ask for: `GET /out/{what}/{text}`.
pub(crate) fn whole_with_get() -> EntitySpec {
    let rule = "option (google.api.http) = { post: \"/whole.Job/Out\" body: \"*\" additional_bindings { get: \"/out/{what}/{text}\" } };";
    let plain = "rpc Out(Do) returns (stream Done);";
    let ruled = format!("{} {{ {rule} }}", plain.trim_end_matches(';'));
    let import = "import \"cloudstate/entity_key.proto\";";
    let text = edited(plain, &ruled).replace(
        import,
        &format!("{import}\nimport \"google/api/annotations.proto\";"),
    );
    services(&text)
}

fn services(text: &str) -> EntitySpec {
    declare(
        text,
        vec![
            entity(names::EVENT_SOURCED, "whole.Log", "log"),
            entity(names::VALUE_ENTITY, "whole.Cell", "cell"),
            entity(names::ACTION, "whole.Job", ""),
        ],
    )
}

/// The .proto text with one part of it replaced.
pub(crate) fn edited(from: &str, to: &str) -> String {
    assert!(PROTO.contains(from), "{from:?} is not in the .proto file");
    PROTO.replace(from, to)
}
