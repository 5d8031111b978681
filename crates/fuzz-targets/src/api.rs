//! The API that requests are made to.

use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_catalog::http::HttpBinding;
use cloudstate_catalog::{Catalog, CatalogOptions};
use cloudstate_gateway::{Refused, Transcoded, transcode};
use cloudstate_protocol::{Entity, EntitySpec, SOURCES, ServiceInfo, names};
use http::{Request, Uri};
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

/// The catalog of `api.proto`.
pub(crate) static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let proto = compile("api.proto", include_str!("api.proto"));
    let entity = Entity {
        entity_type: names::ACTION.to_owned(),
        service_name: "fuzz.Api".to_owned(),
        ..Entity::default()
    };
    Catalog::build(&spec(proto, vec![entity]), &CatalogOptions::default())
        .unwrap()
        .0
});

struct OneFile(&'static str, &'static str);

impl FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (_, text) = [(self.0, self.1)]
            .into_iter()
            .chain(SOURCES.iter().copied())
            .find(|(path, _)| *path == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// The serialized descriptor set of a file and what it imports.
pub(crate) fn compile(name: &'static str, text: &'static str) -> Bytes {
    let mut resolver = ChainFileResolver::new();
    resolver.add(OneFile(name, text));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(name).unwrap();
    compiler.encode_file_descriptor_set().into()
}

/// A declaration that says the right version.
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

/// Sends a body of JSON, without a server.
pub(crate) fn send(method: &str, uri: Uri, body: &[u8]) -> Result<Transcoded, Refused> {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("content-type", "application/json");
    let (head, ()) = request.body(()).unwrap().into_parts();
    transcode(&CATALOG, &head, body)
}

/// Sends a body of JSON to a binding without variables.
pub(crate) fn post(binding: &HttpBinding, body: &[u8]) -> Result<Transcoded, Refused> {
    send("POST", binding.template.to_string().parse().unwrap(), body)
}

/// What a message in wire format says: the fields that are there.
///
/// Zero and minus zero are the same, and the order of maps is none. `None` for a message with an empty
/// `google.protobuf.Any`, which prost-reflect cannot print.
pub(crate) fn meaning(of: MessageDescriptor, wire: &[u8]) -> Option<Value> {
    let message = DynamicMessage::decode(of, wire).unwrap();
    match as_json(&message, &SerializeOptions::new()) {
        Ok(json) => Some(json),
        Err(error) => {
            assert!(is_empty_any(&error.to_string()), "{error}");
            None
        }
    }
}

/// Whether prost-reflect stumbles over an `Any` without a type.
pub(crate) fn is_empty_any(error: &str) -> bool {
    error.contains("unsupported type url ''")
}

/// By way of text, in which a float is its shortest decimal.
pub(crate) fn as_json(message: &DynamicMessage, options: &SerializeOptions) -> serde_json::Result<Value> {
    let mut writer = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut writer, options)?;
    serde_json::from_slice(&writer.into_inner())
}
