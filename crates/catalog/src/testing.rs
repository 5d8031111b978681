//! Compiles `.proto` texts into declarations for this crate's tests.

use bytes::Bytes;
use cloudstate_protocol::{Entity, EntitySpec, SOURCES, ServiceInfo, names};
use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use crate::{Catalog, CatalogOptions, DiscoveryError, Warning};

struct Texts(Vec<(String, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let (_, text) = own
            .chain(SOURCES.iter().copied())
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// The serialized descriptor set of a file `test.proto` and what it imports. The text follows the syntax line, a
/// package `test`, and imports of the option files and `Empty`.
pub(crate) fn compile(text: &str) -> Bytes {
    compile_file(&format!(
        r#"syntax = "proto3"; package test;
        import "cloudstate/entity_key.proto"; import "cloudstate/legacy_entity_key.proto"; import "cloudstate/eventing.proto";
        import "google/api/annotations.proto"; import "google/protobuf/empty.proto";
        {text}"#
    ))
}

/// The serialized descriptor set of a whole file `test.proto` and what it imports.
pub(crate) fn compile_file(text: &str) -> Bytes {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(vec![("test.proto".to_owned(), text.to_owned())]));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .open_file("test.proto")
        .unwrap_or_else(|error| panic!("{error:?}"));
    compiler.encode_file_descriptor_set().into()
}

pub(crate) fn pool(text: &str) -> DescriptorPool {
    DescriptorPool::decode(compile(text)).unwrap()
}

pub(crate) fn entity(entity_type: &str, service: &str, persistence_id: &str) -> Entity {
    Entity {
        entity_type: entity_type.to_owned(),
        service_name: service.to_owned(),
        persistence_id: persistence_id.to_owned(),
        ..Entity::default()
    }
}

pub(crate) fn spec(proto: Bytes, entities: Vec<Entity>) -> EntitySpec {
    let service_info = ServiceInfo {
        protocol_minor_version: 2,
        ..ServiceInfo::default()
    };
    EntitySpec {
        proto,
        entities,
        service_info: Some(service_info),
    }
}

pub(crate) fn build(spec: &EntitySpec) -> Result<(Catalog, Vec<Warning>), DiscoveryError> {
    Catalog::build(spec, &CatalogOptions::default())
}

/// The catalog of one action `test.Service`.
pub(crate) fn action(text: &str) -> Result<(Catalog, Vec<Warning>), DiscoveryError> {
    build(&spec(
        compile(text),
        vec![entity(names::ACTION, "test.Service", "")],
    ))
}

/// What is reported for one entity `test.Service`.
pub(crate) fn refusal(entity_type: &str, text: &str) -> String {
    let spec = spec(compile(text), vec![entity(entity_type, "test.Service", "state")]);
    build(&spec)
        .expect_err("the declaration must be refused")
        .to_string()
}
