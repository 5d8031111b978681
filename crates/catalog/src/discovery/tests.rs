use std::time::Duration;

use bytes::Bytes;
use cloudstate_protocol::entity_passivation_strategy::Strategy;
use cloudstate_protocol::{Entity, EntityPassivationStrategy, EntitySpec, TimeoutPassivationStrategy, names};

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
fn what_the_function_says_about_itself_is_kept() {
    let mut spec = spec(
        compile("message M {} service Service { rpc Call(M) returns (M); }"),
        vec![entity(names::ACTION, "test.Service", "")],
    );
    spec.service_info.get_or_insert_default().service_name = "carts".to_owned();
    let (catalog, _) = build(&spec).unwrap();
    assert_eq!(catalog.service_info().service_name, "carts");
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
        refusal("cloudstate.graph.Graph", KEYED),
        "Service [test.Service] has declared an unsupported entity type [cloudstate.graph.Graph]. Supported types are \
         cloudstate.action.ActionProtocol,cloudstate.eventsourced.EventSourced,cloudstate.valueentity.ValueEntity,\
         cloudstate.crdt.Crdt"
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
        refusal(names::CRDT, STREAMED),
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
    assert_eq!(refusal(names::CRDT, UNKEYED), format!("CRDT entities {tail}"));
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
fn crdt_services_may_share_their_entities() {
    let with = |kind| {
        vec![
            entity(names::CRDT, "test.Service", "carts"),
            entity(kind, "test.Other", "carts"),
        ]
    };
    assert!(build(&spec(compile(KEYED), with(names::CRDT))).is_ok());
    let refused = reported(&spec(compile(KEYED), with(names::VALUE_ENTITY)));
    assert!(refused.contains("the same persistence id [carts]"), "{refused}");
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
