use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_protocol::{Entity, EntitySpec, names};
use proptest::prelude::*;
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::EncodedFiles;
use crate::testing::{build, compile, entity, spec};

const KEYED: &str = r#"
    message Request { string id = 1 [(cloudstate.entity_key) = true]; }
    service Service { rpc Call(Request) returns (Request); }
"#;

fn value_entity() -> Entity {
    entity(names::VALUE_ENTITY, "test.Service", "carts")
}

fn reported(spec: &EntitySpec) -> String {
    build(spec)
        .expect_err("the declaration must be refused")
        .to_string()
}

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
        ..FileDescriptorProto::default()
    }
}

fn set(files: Vec<FileDescriptorProto>) -> Bytes {
    FileDescriptorSet { file: files }.encode_to_vec().into()
}

#[test]
fn bytes_that_are_no_descriptors_are_refused() {
    let text = reported(&spec(Bytes::from_static(b"\xff"), vec![]));
    assert!(text.starts_with(
        "The descriptors in the entity spec are not a serialized google.protobuf.FileDescriptorSet: "
    ));
}

#[test]
fn circular_imports_are_refused() {
    let proto = set(vec![
        file("a.proto", &["b.proto"]),
        file("b.proto", &["c.proto"]),
        file("c.proto", &["a.proto"]),
    ]);
    assert_eq!(
        reported(&spec(proto, vec![])),
        "Circular dependency detected in entity spec descriptor: [a.proto] -> [c.proto] -> [b.proto] -> [a.proto]"
    );
}

#[test]
fn a_file_that_imports_itself_is_refused() {
    assert_eq!(
        reported(&spec(set(vec![file("a.proto", &["a.proto"])]), vec![])),
        "Circular dependency detected in entity spec descriptor: [a.proto] -> [a.proto]"
    );
}

#[test]
fn missing_imports_are_refused() {
    let proto = set(vec![
        file("a.proto", &["b.proto"]),
        file("b.proto", &["gone.proto"]),
    ]);
    assert_eq!(
        reported(&spec(proto, vec![])),
        "Descriptor dependency [gone.proto] not found, dependency path: [b.proto] -> [a.proto]"
    );
}

#[test]
fn a_diamond_of_imports_in_any_order_is_no_circle() {
    let files = vec![
        file("top.proto", &["left.proto", "right.proto"]),
        file("left.proto", &["base.proto"]),
        file("right.proto", &["base.proto"]),
        file("base.proto", &[]),
    ];
    assert_eq!(
        reported(&spec(set(files), vec![])),
        "No entities were reported by the discover call!"
    );
}

#[test]
fn a_very_long_chain_of_imports_does_not_exhaust_the_stack() {
    let files = (0..20_000)
        .map(|i| file(&i.to_string(), &[&(i + 1).to_string()]))
        .chain([file("20000", &[])]);
    assert_eq!(
        reported(&spec(set(files.collect()), vec![])),
        "No entities were reported by the discover call!"
    );
}

#[test]
fn a_file_that_comes_twice_counts_once() {
    let twice = [compile(KEYED), compile(KEYED)].concat();
    assert!(build(&spec(twice.into(), vec![value_entity()])).is_ok());
}

#[test]
fn two_versions_of_a_file_are_refused() {
    let proto = set(vec![
        file("a.proto", &[]),
        file("b.proto", &[]),
        file("a.proto", &["b.proto"]),
    ]);
    assert!(reported(&spec(proto, vec![])).contains("two different files named [a.proto]"));
}

#[test]
fn public_imports_reach_through_any_number_of_files() {
    let files = FileDescriptorSet::decode(compile("message Unused {}")).unwrap();
    let empty = files
        .file
        .into_iter()
        .find(|file| file.name() == "google/protobuf/empty.proto")
        .unwrap();
    let relay = |name, import| FileDescriptorProto {
        public_dependency: vec![0],
        ..file(name, &[import])
    };
    let message = DescriptorProto {
        name: Some("Message".to_owned()),
        field: vec![FieldDescriptorProto {
            name: Some("field".to_owned()),
            number: Some(1),
            r#type: Some(Type::Message.into()),
            type_name: Some(".google.protobuf.Empty".to_owned()),
            ..FieldDescriptorProto::default()
        }],
        ..DescriptorProto::default()
    };
    let user = FileDescriptorProto {
        message_type: vec![message],
        ..file("user.proto", &["a.proto"])
    };
    let files = vec![
        user,
        relay("a.proto", "b.proto"),
        relay("b.proto", "c.proto"),
        relay("c.proto", "google/protobuf/empty.proto"),
        empty,
    ];
    assert_eq!(
        reported(&spec(set(files.clone()), vec![])),
        "No entities were reported by the discover call!"
    );

    let mut private = files;
    private[2].public_dependency.clear();
    let text = reported(&spec(set(private), vec![]));
    assert!(
        text.contains("cannot be linked") && text.contains("[user.proto]"),
        "{text}"
    );
}

#[test]
fn files_of_another_syntax_are_refused() {
    let edition = FileDescriptorProto {
        syntax: Some("editions".to_owned()),
        ..file("a.proto", &[])
    };
    assert_eq!(
        reported(&spec(set(vec![edition]), vec![])),
        "File [a.proto] in the entity spec has the syntax [editions], but only proto3 and proto2 are supported. Begin \
         it with `syntax = \"proto3\";`."
    );
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let mut files = FileDescriptorSet::decode(compile(KEYED)).unwrap();
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    test.message_type.clear();
    let text = reported(&spec(files.encode_to_vec().into(), vec![value_entity()]));
    assert!(
        text.starts_with("The descriptors in the entity spec cannot be linked: "),
        "{text}"
    );
    assert!(
        text.contains("test.Request") && text.contains("[test.proto]"),
        "{text}"
    );
}

#[test]
fn names_that_no_compiler_makes_are_refused() {
    for name in ["", "a/b", "1a", "a b", "a.b.", "\0", "é"] {
        let mut files = FileDescriptorSet::decode(compile(KEYED)).unwrap();
        let test = files
            .file
            .iter_mut()
            .find(|file| file.name() == "test.proto")
            .unwrap();
        test.service[0].method[0].name = Some(name.to_owned());
        let text = reported(&spec(files.encode_to_vec().into(), vec![value_entity()]));
        assert!(
            text.starts_with(&format!(
                "The name [test.Service.{}] in the entity spec",
                name.escape_debug()
            )),
            "{text}"
        );
    }
}

/// The files of a declaration with every kind of option, `test.proto` last.
static FILES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let files = EncodedFiles::decode(compile(
        r#"enum Color { option allow_alias = true; RED = 0; BLUE = 1; }
        message Request {
            string id = 1 [(cloudstate.entity_key) = true, json_name = "ID"]; optional int32 number = 2;
            oneof choice { Request nested = 4; bool flag = 5 [deprecated = true]; } map<string, Color> colors = 3;
            message Inner { repeated Color colors = 1; reserved 5 to 7; }
        }
        service Service {
            rpc Call(Request) returns (Request.Inner) { option (google.api.http) = {
                post: "/{id}/{nested.id=a/**}:x" body: "nested" additional_bindings { get: "/b" response_body: "colors" }
            }; }
            rpc Publish(Request) returns (Request) { option (cloudstate.eventing) = { in: { event_log: "a" } }; }
        }"#,
    ));
    files.unwrap().files
});

/// Overwrites, removes or inserts one byte.
fn damage(bytes: &mut Vec<u8>, (kind, place, byte): (u8, prop::sample::Index, u8)) {
    if bytes.is_empty() {
        return;
    }
    let at = place.index(bytes.len());
    match kind {
        0 => bytes[at] = byte,
        1 => drop(bytes.remove(at)),
        2 => bytes[at] ^= 1 << (byte % 8),
        _ => bytes.insert(at, byte),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = build(&spec(bytes.into(), vec![value_entity()]));
    }

    #[test]
    fn damaged_descriptors_are_accepted_or_refused_without_panic(
        damages in proptest::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut files = FILES.clone();
        let mut test = files.pop().unwrap().to_vec();
        for one in damages {
            damage(&mut test, one);
        }
        files.push(test.into());
        let proto = EncodedFiles { files }.encode_to_vec().into();
        if let Ok((catalog, _)) = build(&spec(proto, vec![value_entity()])) {
            for method in catalog.methods() {
                let _ = method.key.extract(b"\x0a\x01a");
            }
        }
    }
}
