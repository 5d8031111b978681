//! What a function declares.

use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use cloudstate_catalog::http::Route;
use cloudstate_catalog::{Catalog, CatalogOptions, EntityKind};
use cloudstate_gateway::{Routes, transcode_reply};
use cloudstate_protocol::{Entity, EntitySpec, names};
use prost::Message;

use crate::api;
use crate::mirror::FileSet;

/// A declaration that is accepted. Its names are those that arbitrary descriptors draw.
static ACCEPTED: LazyLock<FileSet> = LazyLock::new(|| {
    let text = r#"syntax = "proto3"; package test;
        import "cloudstate/entity_key.proto"; import "google/api/annotations.proto";
        enum C { NONE = 0; SOME = 1; }
        message B { string a = 1; B b = 2; repeated C c = 3; }
        message A {
          string a = 1 [(cloudstate.entity_key) = true];
          B b = 2; repeated int32 c = 3; map<string, B> key = 4; oneof value { int64 S = 5; B a_b = 6; } optional bool d = 7;
        }
        service S {
          rpc A(.test.A) returns (.test.A) { option (google.api.http) = { post: "/a/{a}" body: "b" additional_bindings { get: "/{a}/b" } }; }
          rpc B(.test.A) returns (.test.B) { option (google.api.http) = { put: "/b/{b.a=b/**}:c" body: "*" response_body: "c" }; }
          rpc C(.test.A) returns (.test.A);
        }"#;
    let mut set = FileSet::decode(api::compile("a.proto", text)).unwrap();
    // Options are known by their numbers, whether their definitions are there or not; without these linking is quick.
    set.files.retain(|file| file.name.as_deref() == Some("a.proto"));
    set.files[0].dependency.clear();
    set
});

/// The first byte selects: an encoded `EntitySpec` as it is, one made of descriptors that almost fit each other, or one that was
/// accepted before some edits. What is accepted can be served, described and called.
pub fn descriptors(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let mut u = Unstructured::new(rest);
    let spec = match choice {
        0 => EntitySpec::decode(rest).ok(),
        choice if choice % 2 == 1 => FileSet::arbitrary(&mut u)
            .and_then(|files| declare(&files, &mut u))
            .ok(),
        _ => edited(&mut u).and_then(|files| declare(&files, &mut u)).ok(),
    };
    let options = CatalogOptions {
        supported: vec![
            EntityKind::EventSourced,
            EntityKind::Value,
            EntityKind::Crdt,
            EntityKind::Action,
        ],
        compatibility_check: false,
    };
    let Some(spec) = spec else { return };
    match Catalog::build(&spec, &options) {
        Ok((catalog, warnings)) => {
            warnings
                .iter()
                .for_each(|warning| assert!(!warning.to_string().is_empty()));
            assert_eq!(catalog.fingerprint(), Catalog::fingerprint_of(&spec));
            use_it(catalog, rest);
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

fn declare(files: &FileSet, u: &mut Unstructured<'_>) -> arbitrary::Result<EntitySpec> {
    let types = [
        names::ACTION,
        names::VALUE_ENTITY,
        names::EVENT_SOURCED,
        names::CRDT,
        "",
    ];
    let mut entities = Vec::new();
    for service in ["test.S", "test.A", "S"].iter().take(u.int_in_range(1..=3)?) {
        entities.push(Entity {
            entity_type: (*u.choose(&types)?).to_owned(),
            service_name: (*service).to_owned(),
            persistence_id: if u.ratio(1, 8)? {
                String::new()
            } else {
                (*service).to_owned()
            },
            ..Entity::default()
        });
    }
    Ok(api::spec(files.encode_to_vec().into(), entities))
}

/// What was accepted, with some parts replaced or added.
fn edited(u: &mut Unstructured<'_>) -> arbitrary::Result<FileSet> {
    let mut set = ACCEPTED.clone();
    for _ in 0..u.int_in_range(0..=4)? {
        let file = &mut set.files[0];
        match u.int_in_range(0..=9)? {
            0 => put(&mut file.message_type, u)?,
            1 => put(&mut file.enum_type, u)?,
            2 => put(&mut file.extension, u)?,
            3 => put(&mut file.service, u)?,
            4 => file.source_code_info = u.arbitrary()?,
            5 => set.files.push(u.arbitrary()?),
            6 => {
                if let Some(service) = file.service.first_mut() {
                    put(&mut service.method, u)?;
                }
            }
            kind => {
                let messages = file.message_type.len();
                if messages == 0 {
                    continue;
                }
                let message = &mut file.message_type[u.choose_index(messages)?];
                match kind {
                    7 => put(&mut message.oneof_decl, u)?,
                    8 => put(&mut message.nested_type, u)?,
                    _ => put(&mut message.field, u)?,
                }
            }
        }
    }
    Ok(set)
}

/// Replaces one of several, or adds one.
fn put<'a, T: Arbitrary<'a>>(parts: &mut Vec<T>, u: &mut Unstructured<'a>) -> arbitrary::Result<()> {
    let at = u.int_in_range(0..=parts.len())?;
    let part = u.arbitrary()?;
    match parts.get_mut(at) {
        Some(old) => *old = part,
        None => parts.push(part),
    }
    Ok(())
}

/// Does with a catalog what serving it does. Some bytes of the input stand for messages.
fn use_it(catalog: Catalog, bytes: &[u8]) {
    let message = &bytes[bytes.len().saturating_sub(16)..];
    drop(serde_json::to_vec(&cloudstate_openapi::document(&catalog)).unwrap());
    for method in catalog.methods() {
        let path = catalog.method_by_path(&method.path);
        assert!(path.is_some_and(|found| Arc::ptr_eq(found, method)));
        // Any bytes have an id or a fault.
        let _ = method.key.extract(message).map_err(|error| error.to_string());
    }
    for binding in catalog.http_bindings() {
        // A template without variables is a path; others are paths too, but not of themselves.
        let found = catalog
            .routes()
            .find(binding.verb.name(), &binding.template.to_string());
        assert!(!matches!(found, Route::NotFound) || binding.template.variables().next().is_some());
        if let Err(refused) = transcode_reply(binding, message.to_vec().into()) {
            assert_eq!(refused.status, 500, "{refused}");
        }
    }
    drop(Routes::new(Arc::new(catalog)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_edited_is_accepted_without_edits() {
        let entity = Entity {
            entity_type: names::VALUE_ENTITY.to_owned(),
            service_name: "test.S".to_owned(),
            persistence_id: "s".to_owned(),
            ..Entity::default()
        };
        let spec = api::spec(ACCEPTED.encode_to_vec().into(), vec![entity]);
        let (catalog, _) = Catalog::build(&spec, &CatalogOptions::default()).unwrap();
        assert_eq!(catalog.http_bindings().len(), 4);
        assert_eq!(catalog.methods()[0].key.field_names().collect::<Vec<_>>(), ["a"]);
    }
}
