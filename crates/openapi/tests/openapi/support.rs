//! Compiles `.proto` texts into catalogs.

use bytes::Bytes;
use cloudstate_catalog::{Catalog, CatalogOptions};
use cloudstate_protocol::{Entity, EntitySpec, SOURCES, ServiceInfo, names};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

struct Texts(Vec<(&'static str, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().map(|(path, text)| (*path, text.as_str()));
        let (_, text) = own
            .chain(SOURCES.iter().copied())
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// The serialized descriptor set of these files, name and text, and what they import.
fn compile(files: &[(&'static str, String)], comments: bool) -> Bytes {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(files.to_vec()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .include_source_info(comments)
        .open_files(files.iter().map(|(name, _)| name))
        .unwrap_or_else(|error| panic!("{error:?}"));
    compiler.encode_file_descriptor_set().into()
}

/// The catalog of these services in these files, with or without comments.
pub(crate) fn declare(
    files: &[(&'static str, String)],
    comments: bool,
    services: &[(&str, &str)],
) -> Catalog {
    let entity = |(entity_type, service): &(&str, &str)| Entity {
        entity_type: (*entity_type).to_owned(),
        service_name: (*service).to_owned(),
        persistence_id: (*service).to_owned(),
        ..Entity::default()
    };
    let spec = EntitySpec {
        proto: compile(files, comments),
        entities: services.iter().map(entity).collect(),
        service_info: Some(ServiceInfo {
            service_name: "library".to_owned(),
            service_version: "1.2.3".to_owned(),
            protocol_minor_version: 2,
            ..ServiceInfo::default()
        }),
    };
    let built = Catalog::build(&spec, &CatalogOptions::default());
    built.unwrap_or_else(|error| panic!("{error}")).0
}

/// The catalog of a whole `.proto` file: these services, each with its entity type.
pub(crate) fn catalog(text: &str, services: &[(&str, &str)]) -> Catalog {
    declare(&[("test.proto", text.to_owned())], true, services)
}

/// Same, from descriptors without comments.
pub(crate) fn catalog_without_comments(text: &str, services: &[(&str, &str)]) -> Catalog {
    declare(&[("test.proto", text.to_owned())], false, services)
}

/// The document of one action `test.Service`, whose text follows the imports.
pub(crate) fn of_action(text: &str) -> Value {
    let text = format!(
        r#"syntax = "proto3"; package test;
        import "google/api/annotations.proto"; import "google/api/httpbody.proto"; import "google/protobuf/any.proto";
        import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto";
        import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
        {text}"#
    );
    json(&catalog(&text, &[(names::ACTION, "test.Service")]))
}

pub(crate) fn json(catalog: &Catalog) -> Value {
    serde_json::from_str(&cloudstate_openapi::document(catalog).to_json()).expect("JSON")
}
