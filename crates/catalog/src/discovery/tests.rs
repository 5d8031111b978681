use std::time::Duration;

use bytes::Bytes;
use cloudstate_protocol::entity_passivation_strategy::Strategy;
use cloudstate_protocol::{Entity, EntityPassivationStrategy, EntitySpec, TimeoutPassivationStrategy, names};
use proptest::prelude::*;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::testing::{action, build, compile, entity, refusal, spec};
use crate::{Catalog, CatalogOptions, EntityKind, Warning};

const KEYED: &str = r#"
    message Request { string id = 1 [(cloudstate.entity_key) = true]; }
    service Service { rpc First(Request) returns (google.protobuf.Empty); rpc Second(Request) returns (Request); }
    service Other { rpc Third(Request) returns (Request); }
"#;

fn value_entity(persistence_id: &str) -> Entity {
    entity(names::VALUE_ENTITY, "test.Service", persistence_id)
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
fn a_declaration_becomes_services_and_methods() {
    let (catalog, warnings) = build(&spec(compile(KEYED), vec![value_entity("carts")])).unwrap();
    assert_eq!(warnings, []);
    let service = catalog.service("test.Service").unwrap();
    assert_eq!(
        (service.kind, &*service.persistence_id),
        (EntityKind::Value, "carts")
    );
    assert_eq!((service.passivation, service.command_metadata), (None, false));
    let paths: Vec<_> = catalog.methods().iter().map(|method| &*method.path).collect();
    assert_eq!(paths, ["/test.Service/First", "/test.Service/Second"]);
    let method = catalog.method_by_path("/test.Service/First").unwrap();
    assert_eq!(&*method.input_type_url, "type.googleapis.com/test.Request");
    assert_eq!(
        &*method.output_type_url,
        "type.googleapis.com/google.protobuf.Empty"
    );
    assert_eq!(method.key.field_names().collect::<Vec<_>>(), ["id"]);
    assert!(catalog.method("test.Service", "Second").is_some());
    assert!(
        catalog.method_by_path("/test.Other/Third").is_none(),
        "not declared"
    );
}

#[test]
fn passivation_and_command_metadata_are_taken_over() {
    let timeout = |timeout| {
        let strategy = Strategy::Timeout(TimeoutPassivationStrategy { timeout });
        let passivation_strategy = Some(EntityPassivationStrategy {
            strategy: Some(strategy),
        });
        spec(
            compile(KEYED),
            vec![Entity {
                passivation_strategy,
                command_metadata: true,
                ..value_entity("carts")
            }],
        )
    };
    let (catalog, _) = build(&timeout(100)).unwrap();
    assert_eq!(
        catalog.services()[0].passivation,
        Some(Duration::from_millis(100))
    );
    assert!(catalog.services()[0].command_metadata);
    for millis in [0, -5] {
        assert_eq!(
            reported(&timeout(millis)),
            format!(
                "Service [test.Service] has a passivation timeout of {millis} ms, but it must be at least 1 ms. Leave \
                 the strategy out for the proxy's default."
            )
        );
    }
}

#[test]
fn another_protocol_version_is_refused() {
    let mut declaration = spec(compile(KEYED), vec![value_entity("carts")]);
    let info = declaration.service_info.as_mut().unwrap();
    (info.protocol_major_version, info.protocol_minor_version) = (1, 7);
    assert_eq!(
        reported(&declaration),
        "Incompatible protocol version 1.7, only 0.2 is supported"
    );
    declaration.service_info = None;
    assert_eq!(
        reported(&declaration),
        "Incompatible protocol version 0.0, only 0.2 is supported"
    );
}

#[test]
fn the_version_check_can_be_switched_off() {
    let declaration = EntitySpec {
        service_info: None,
        ..spec(compile(KEYED), vec![value_entity("carts")])
    };
    let lenient = CatalogOptions {
        compatibility_check: false,
        ..CatalogOptions::default()
    };
    let (_, warnings) = Catalog::build(&declaration, &lenient).unwrap();
    assert_eq!(warnings, [Warning::IncompatibleProtocol { major: 0, minor: 0 }]);
    assert!(!warnings[0].is_reported());
}

#[test]
fn the_version_is_checked_before_the_descriptors() {
    let declaration = EntitySpec {
        proto: Bytes::from_static(b"\xff"),
        ..EntitySpec::default()
    };
    assert_eq!(
        reported(&declaration),
        "Incompatible protocol version 0.0, only 0.2 is supported"
    );
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
    assert!(build(&spec(twice.into(), vec![value_entity("carts")])).is_ok());
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
fn files_that_do_not_fit_together_are_refused() {
    let mut files = FileDescriptorSet::decode(compile(KEYED)).unwrap();
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    test.message_type.clear();
    let text = reported(&spec(files.encode_to_vec().into(), vec![value_entity("carts")]));
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
fn at_least_one_entity_is_needed() {
    assert_eq!(
        reported(&spec(compile(KEYED), vec![])),
        "No entities were reported by the discover call!"
    );
}

#[test]
fn services_must_be_among_the_descriptors() {
    for name in ["test.Missing", "Service", "other.Service", "", "test.Request"] {
        let declaration = spec(compile(KEYED), vec![entity(names::ACTION, name, "")]);
        assert_eq!(
            reported(&declaration),
            format!("Service [{name}] not found in descriptors!")
        );
    }
}

#[test]
fn unsupported_entity_types_are_refused() {
    assert_eq!(
        refusal("cloudstate.crdt.Crdt", KEYED),
        "Service [test.Service] has declared an unsupported entity type [cloudstate.crdt.Crdt]. Supported types are \
         cloudstate.action.ActionProtocol,cloudstate.eventsourced.EventSourced,cloudstate.valueentity.ValueEntity"
    );
    assert!(refusal("nonsense", KEYED).contains("unsupported entity type [nonsense]"));
}

#[test]
fn event_sourced_entities_need_a_journal() {
    let without_journal = CatalogOptions {
        supported: vec![EntityKind::Action],
        ..CatalogOptions::default()
    };
    let declaration = spec(
        compile(KEYED),
        vec![entity(names::EVENT_SOURCED, "test.Service", "carts")],
    );
    assert_eq!(
        Catalog::build(&declaration, &without_journal)
            .unwrap_err()
            .to_string(),
        "Service [test.Service] has declared an event sourced entity, however, this proxy does not have a configured \
         store, or is using a store that doesn't support event sourced journals. A store that supports journals must \
         be configured in this stateful services resource if event sourcing is to be used."
    );
}

const STREAMED: &str = r#"
    message Request { string id = 1 [(cloudstate.entity_key) = true]; }
    service Service {
        rpc In(stream Request) returns (Request); rpc Out(Request) returns (stream Request);
        rpc Both(stream Request) returns (stream Request); rpc Unary(Request) returns (Request);
    }"#;

const UNKEYED: &str = r#"
    message Keyed { string id = 1 [(cloudstate.entity_key) = true]; }
    message Unkeyed { string id = 1; Keyed nested = 2; string off = 3 [(cloudstate.entity_key) = false]; }
    service Service { rpc A(Unkeyed) returns (Keyed); rpc B(Keyed) returns (Keyed); rpc C(Unkeyed) returns (Keyed); }"#;

fn crdt_refusal(text: &str) -> String {
    let with_crdt = CatalogOptions {
        supported: vec![EntityKind::Crdt],
        ..CatalogOptions::default()
    };
    let declaration = spec(compile(text), vec![entity(names::CRDT, "test.Service", "state")]);
    Catalog::build(&declaration, &with_crdt).unwrap_err().to_string()
}

#[test]
fn stateful_entities_do_not_stream() {
    let tail =
        "do not support streamed methods, but test.Service has the following streamed methods: In,Out,Both";
    assert_eq!(
        refusal(names::EVENT_SOURCED, STREAMED),
        format!("Event sourced entities {tail}")
    );
    assert_eq!(
        refusal(names::VALUE_ENTITY, STREAMED),
        format!("Value based entities {tail}")
    );
    assert_eq!(
        crdt_refusal(STREAMED),
        "CRDT entities do not support streaming in from the client, but test.Service has the following streamed \
         methods: In,Both"
    );
}

#[test]
fn stateful_entities_need_keys() {
    let tail = "do not support methods whose parameters do not have at least one field marked as entity_key, but \
                test.Service has the following methods without keys: A,C";
    assert_eq!(
        refusal(names::EVENT_SOURCED, UNKEYED),
        format!("Event sourced entities {tail}")
    );
    assert_eq!(
        refusal(names::VALUE_ENTITY, UNKEYED),
        format!("Value based entities {tail}")
    );
    assert_eq!(crdt_refusal(UNKEYED), format!("CRDT entities {tail}"));
}

#[test]
fn actions_may_stream_and_need_no_key() {
    for text in [STREAMED, UNKEYED] {
        let (catalog, _) = action(text).unwrap();
        assert!(catalog.methods().iter().all(|method| method.key.is_empty()));
    }
    let (catalog, _) = action(STREAMED).unwrap();
    let shapes: Vec<_> = catalog
        .methods()
        .iter()
        .map(|m| (m.client_streaming, m.server_streaming))
        .collect();
    assert_eq!(
        shapes,
        [(true, false), (false, true), (true, true), (false, false)]
    );
}

#[test]
fn key_fields_that_make_no_id_are_refused() {
    for (declared, field_type) in [
        ("Request", "message"),
        ("repeated string", "repeated"),
        ("map<string, string>", "map"),
    ] {
        let text = format!(
            "message Request {{ {declared} id = 1 [(cloudstate.entity_key) = true]; }} \
             service Service {{ rpc Call(Request) returns (Request); }}"
        );
        assert_eq!(
            refusal(names::VALUE_ENTITY, &text),
            format!(
                "Field [test.Request.id] in file [test.proto] is marked as entity_key, but a {field_type} field cannot \
                 be part of an entity id. Mark a singular scalar, string, bytes or enum field of the request of \
                 [test.Service.Call]."
            )
        );
    }
}

#[test]
fn a_service_is_declared_once() {
    let declaration = spec(compile(KEYED), vec![value_entity("a"), value_entity("b")]);
    assert_eq!(
        reported(&declaration),
        "Service [test.Service] is declared more than once. Register one entity or action for each service."
    );
}

#[test]
fn stateful_services_do_not_share_a_persistence_id() {
    let other = |id| entity(names::EVENT_SOURCED, "test.Other", id);
    assert_eq!(
        reported(&spec(compile(KEYED), vec![value_entity("carts"), other("carts")])),
        "Services [test.Service] and [test.Other] have the same persistence id [carts], so that they would overwrite \
         each other's state. Give each its own."
    );
    let with_action = vec![
        value_entity("carts"),
        entity(names::ACTION, "test.Other", "carts"),
    ];
    assert!(
        build(&spec(compile(KEYED), with_action)).is_ok(),
        "an action has no state"
    );
}

#[test]
fn persistence_ids_are_neither_empty_nor_oversized() {
    assert_eq!(
        reported(&spec(compile(KEYED), vec![value_entity("")])),
        "Service [test.Service] has an empty persistence id. Give it one: it names the entity's state in the store."
    );
    assert!(build(&spec(compile(KEYED), vec![value_entity(&"x".repeat(1024))])).is_ok());
    assert!(reported(&spec(compile(KEYED), vec![value_entity(&"x".repeat(1025))])).contains("1025 bytes"));
}

#[test]
fn the_fingerprint_tells_declarations_apart() {
    let fingerprint = |id| {
        build(&spec(compile(KEYED), vec![value_entity(id)]))
            .unwrap()
            .0
            .fingerprint()
    };
    assert_eq!(fingerprint("a"), fingerprint("a"));
    assert_ne!(fingerprint("a"), fingerprint("b"));
}

#[test]
fn well_formed_eventing_is_accepted_with_a_warning() {
    let (catalog, warnings) = action(
        r#"message M {}
        service Service {
            rpc Log(M) returns (M) { option (cloudstate.eventing) = { in: { event_log: "carts" } }; }
            rpc Publish(M) returns (M) { option (cloudstate.eventing).out.topic = "news"; }
            rpc Both(M) returns (M) { option (cloudstate.eventing) = { in: { topic: "a" } out: { topic: "b" } }; }
            rpc Plain(M) returns (M);
        }"#,
    )
    .unwrap();
    assert_eq!(catalog.methods().len(), 4, "all stay callable");
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "test.Service.Log: subscription to [carts] is not active in this version",
            "test.Service.Publish: publication to [news] is not active in this version",
            "test.Service.Both: subscription to [a] is not active in this version, nor is publication to [b]",
        ]
    );
    assert!(warnings.iter().all(Warning::is_reported));
}

#[test]
fn malformed_eventing_is_refused() {
    let refused = |first: &str, second: &str| {
        let text = format!(
            "message M {{}} service Service {{
                rpc A(M) returns (M) {{ option (cloudstate.eventing) = {{ {first} }}; }}
                rpc B(M) returns (M) {{ option (cloudstate.eventing) = {{ {second} }}; }} }}"
        );
        action(&text).map(|_| ()).map_err(|error| error.to_string())
    };
    for no_source in ["in: {}", "in: { consumer_group: 'g' }", "in: { topic: '' }"] {
        assert_eq!(
            refused(no_source, ""),
            Err("Service call [test.Service.A] has declared an event in with no source. Name a topic or an event_log. \
                 (service [test.Service] in file [test.proto])"
                .to_owned())
        );
    }
    assert!(
        refused("", "out: {}")
            .unwrap_err()
            .starts_with("Service call [test.Service.B] has declared an event out with no topic.")
    );
    assert!(
        refused("in: { topic: 't' } out: { topic: 't' }", "")
            .unwrap_err()
            .starts_with(
                "Endpoint [test.Service.A] has the same input topic as output topic [t], this is not allowed."
            )
    );
    assert!(refused("in: { event_log: 'l' }", "in: { event_log: 'l' consumer_group: 'test.Service' }").unwrap_err().starts_with(
        "Endpoints [test.Service.A] and [test.Service.B] both subscribe to the same event source with the same input type."
    ));
    assert_eq!(
        refused(
            "in: { event_log: 'l' }",
            "in: { event_log: 'l' consumer_group: 'g' }"
        ),
        Ok(())
    );
    assert_eq!(
        refused("in: { event_log: 'l' }", "in: { topic: 'l' } out: { topic: 'x' }"),
        Ok(())
    );
}

#[test]
fn options_count_whether_or_not_their_definition_is_sent() {
    // Without the imports and the option files: the options are unknown fields then.
    let mut files = FileDescriptorSet::decode(compile(KEYED)).unwrap();
    files
        .file
        .retain(|file| file.name() == "test.proto" || file.name() == "google/protobuf/empty.proto");
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    test.dependency
        .retain(|import| import == "google/protobuf/empty.proto");
    for field in [1080_u32, 50002] {
        let option = [prost_key(field), vec![1]].concat();
        let proto = with_field_options(&files, &option);
        let (catalog, _) = build(&spec(proto, vec![value_entity("carts")])).unwrap();
        assert_eq!(catalog.methods()[0].key.extract(b"\x0a\x02id").unwrap(), "id");
    }
}

/// The tag of a number field.
fn prost_key(number: u32) -> Vec<u8> {
    let mut key = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut key);
    key
}

/// Encodes the files with these options on the field `test.Request.id`, which prost's own types cannot hold.
fn with_field_options(files: &FileDescriptorSet, options: &[u8]) -> Bytes {
    let mut files = files.clone();
    let test = files
        .file
        .iter_mut()
        .find(|file| file.name() == "test.proto")
        .unwrap();
    let field = &mut test.message_type[0].field[0];
    field.options = None;
    let mut with_options = field.encode_to_vec();
    prost::encoding::bytes::encode(8, &options.to_vec(), &mut with_options);
    let mut message = test.message_type[0].clone();
    message.field.clear();
    let mut message = message.encode_to_vec();
    prost::encoding::bytes::encode(2, &with_options, &mut message);
    test.message_type.clear();
    let mut encoded = test.encode_to_vec();
    prost::encoding::bytes::encode(4, &message, &mut encoded);
    let mut set = Vec::new();
    for file in &files.file {
        let bytes = if file.name() == "test.proto" {
            encoded.clone()
        } else {
            file.encode_to_vec()
        };
        prost::encoding::bytes::encode(1, &bytes, &mut set);
    }
    set.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = build(&spec(bytes.into(), vec![value_entity("carts")]));
    }
}
