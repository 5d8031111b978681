//! Functions that are late, lost, back, changed, or not to be served.

use std::io::Write as _;

use cloudstate_protocol::{EntitySpec, ServiceInfo, names};
use cloudstate_proxy::Event;
use cloudstate_sdk::prost_types::FileDescriptorSet;
use prost::Message;

use crate::harness::{
    CELL, Client, Function, Http, JOB, LOG, Proxy, add, ask, compile, declare, edited, entity, read, run,
    start, whole,
};

const OK: u32 = 0;
const UNIMPLEMENTED: u32 = 12;
const UNAVAILABLE: u32 = 14;

fn lost(event: &Event) -> Option<String> {
    match event {
        Event::FunctionLost(reason) => Some(reason.clone()),
        _ => None,
    }
}

fn refused(event: &Event) -> Option<String> {
    match event {
        Event::Refused(reason) => Some(reason.clone()),
        _ => None,
    }
}

fn back(event: &Event) -> Option<()> {
    matches!(event, Event::FunctionBack).then_some(())
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

#[test]
fn a_function_that_is_late_is_waited_for_and_the_port_is_closed_until_then() {
    run(async {
        let port = free_port();
        let proxy = Proxy::start(port, &[]);
        let reason = proxy.event(lost).await.unwrap();
        assert!(
            reason.contains(&format!("127.0.0.1:{port} cannot be reached")),
            "{reason}"
        );
        let address = proxy.reserved().await;
        let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

        let _function = Function::start_with(port, whole(), 100);
        let client = proxy.client().await;
        assert_eq!(proxy.address().await, address);
        assert_eq!(client.text(LOG, add("a", "x")).await, "x");
    });
}

#[test]
fn a_wrong_port_is_told_from_a_function_that_is_down() {
    run(async {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let web_server = std::thread::spawn(move || {
            let (mut socket, _) = other.accept().unwrap();
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        });
        let proxy = Proxy::start(port, &[]);
        let reason = proxy.event(lost).await.unwrap();
        assert!(reason.contains("is this the function's port?"), "{reason}");
        assert!(reason.contains(&port.to_string()), "{reason}");
        web_server.join().unwrap();
    });
}

/// Declarations that are refused, with the text that everybody gets.
fn refusals() -> Vec<(EntitySpec, &'static str)> {
    let with = |entities| EntitySpec { entities, ..whole() };
    let keyless = |kind, service| {
        let text = edited(" [(cloudstate.entity_key) = true]", "");
        declare(&text, vec![entity(kind, service, "x")])
    };
    let version = |service_info| EntitySpec {
        service_info,
        ..whole()
    };
    let without = |file: &str| {
        let mut files = FileDescriptorSet::decode(&*whole().proto).expect("descriptors");
        files.file.retain(|known| known.name() != file);
        EntitySpec {
            proto: files.encode_to_vec().into(),
            ..whole()
        }
    };
    let circular = || {
        let mut files = FileDescriptorSet::decode(&*whole().proto).expect("descriptors");
        let file = files
            .file
            .iter_mut()
            .find(|file| file.name() == "cloudstate/entity_key.proto");
        file.expect("it is there")
            .dependency
            .push("whole.proto".to_owned());
        EntitySpec {
            proto: files.encode_to_vec().into(),
            ..whole()
        }
    };
    vec![
        (
            version(Some(ServiceInfo {
                protocol_major_version: 1,
                protocol_minor_version: 7,
                ..ServiceInfo::default()
            })),
            "Incompatible protocol version 1.7, only 0.2 is supported",
        ),
        (
            version(None),
            "Incompatible protocol version 0.0, only 0.2 is supported",
        ),
        (
            circular(),
            "Circular dependency detected in entity spec descriptor: [",
        ),
        (
            without("cloudstate/entity_key.proto"),
            "Descriptor dependency [cloudstate/entity_key.proto] not found, dependency path: [whole.proto]",
        ),
        (with(vec![]), "No entities were reported by the discover call!"),
        (
            with(vec![entity(names::ACTION, "whole.Nope", "")]),
            "Service [whole.Nope] not found in descriptors!",
        ),
        (
            with(vec![entity("some.Kind", "whole.Log", "x")]),
            "Service [whole.Log] has declared an unsupported entity type [some.Kind]. Supported types are ",
        ),
        (
            with(vec![entity(names::EVENT_SOURCED, "whole.Job", "x")]),
            "Event sourced entities do not support streamed methods, but whole.Job has the following streamed \
             methods: In,Out,Both",
        ),
        (
            with(vec![entity(names::VALUE_ENTITY, "whole.Job", "x")]),
            "Value based entities do not support streamed methods, but whole.Job has the following streamed \
             methods: In,Out,Both",
        ),
        (
            keyless(names::EVENT_SOURCED, "whole.Log"),
            "Event sourced entities do not support methods whose parameters do not have at least one field marked \
             as entity_key, but whole.Log has the following methods without keys: Act",
        ),
        (
            keyless(names::VALUE_ENTITY, "whole.Cell"),
            "Value based entities do not support methods whose parameters do not have at least one field marked as \
             entity_key, but whole.Cell has the following methods without keys: Act",
        ),
        (
            with(vec![entity(names::EVENT_SOURCED, "whole.Log", "")]),
            "whole.Log",
        ),
        (
            with(vec![
                entity(names::ACTION, "whole.Job", ""),
                entity(names::ACTION, "whole.Job", ""),
            ]),
            "whole.Job",
        ),
        (
            illegal_http_rule(),
            "HTTP API Config: Template must start with a slash at character 1 of 'log' (rule [get: \"log\"] of method \
             [whole.Job.Act] in file [whole.proto]). Put a / in front.",
        ),
        (
            EntitySpec {
                proto: (&b"no descriptors"[..]).into(),
                ..whole()
            },
            "",
        ),
    ]
}

fn illegal_http_rule() -> EntitySpec {
    let imported = edited(
        "import \"cloudstate/entity_key.proto\";",
        "import \"cloudstate/entity_key.proto\";\nimport \"google/api/annotations.proto\";",
    );
    let plain = "service Job {\n  rpc Act(Do) returns (Done);";
    assert!(imported.contains(plain));
    let ruled = "service Job {\n  rpc Act(Do) returns (Done) { option (google.api.http).get = \"log\"; }";
    EntitySpec {
        proto: compile(imported.replace(plain, ruled)).into(),
        ..whole()
    }
}

#[test]
fn every_declaration_that_breaks_a_rule_is_refused_reported_and_asked_for_again() {
    run(async {
        let function = Function::start(refusals().remove(0).0);
        let proxy = Proxy::start(function.port, &[]);
        for (spec, text) in refusals() {
            let seen = proxy.events();
            function.declares(spec);
            let refused = |event: &Event| refused(event).filter(|reason| reason.contains(text));
            let reason = if seen == 0 {
                proxy.event(refused).await
            } else {
                proxy.event_after(seen - 1, refused).await
            };
            function.reported(&reason.expect("it is refused")).await;
            let address = proxy.reserved().await;
            assert!(tokio::net::TcpStream::connect(address).await.is_err(), "{text}");
        }
        function.declares(whole());
        let client = proxy.client().await;
        assert_eq!(client.text(LOG, add("a", "x")).await, "x");
    });
}

#[test]
fn another_protocol_version_is_served_when_the_check_is_off() {
    run(async {
        let function = Function::start(refusals().remove(0).0);
        let proxy = Proxy::start(function.port, &[("function.compatibility-check", "false")]);
        assert_eq!(proxy.client().await.text(LOG, add("a", "x")).await, "x");
    });
}

/// Makes a call fail because the function is down, by gRPC and HTTP.
async fn is_down(client: &Client, http: &Http) {
    for path in [LOG, CELL, JOB] {
        let (code, text) = client.call(path, &read("a")).await.status();
        assert_eq!(code, UNAVAILABLE, "{text}");
        let (status, body) = http.act(path, &read("a")).await;
        assert_eq!(status, 503, "{body}");
    }
}

#[test]
fn a_function_that_dies_and_comes_back_is_served_again_from_what_is_stored() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        let http = proxy.http().await;
        for path in [LOG, CELL] {
            client.text(path, add(&format!("a{path}"), "kept")).await;
        }
        for round in 0..3 {
            let seen = proxy.events();
            function.crash().await;
            proxy.event_after(seen, lost).await.unwrap();
            is_down(&client, &http).await;
            function.come_back(whole());
            proxy.event_after(seen, back).await.unwrap();
            for path in [LOG, CELL] {
                let text = client.text(path, add(&format!("a{path}"), "more")).await;
                assert_eq!(text, format!("kept{}", ",more".repeat(round + 1)));
            }
            assert_eq!(client.text(JOB, add("", "x")).await, "x");
        }
    });
}

#[test]
fn commands_in_hand_when_the_function_dies_are_unavailable_and_nothing_of_them_is_stored() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        let mut calls = Vec::new();
        for path in [LOG, CELL, JOB] {
            client.text(path, add(path, "kept")).await;
            calls.push(client.begin(path, &ask(path, "hold, add", "lost")).await);
        }
        for line in [
            format!("{LOG}: command 2 hold, add lost"),
            format!("{CELL}: command 2 hold, add lost"),
            "job: hold, add lost".to_owned(),
        ] {
            function.saw(&line).await;
        }
        let seen = proxy.events();
        function.crash().await;
        for (call, text) in calls.into_iter().zip([
            "Unexpected entity termination",
            "Unexpected Value entity termination",
            "was lost",
        ]) {
            let (code, told) = call.answer().await.status();
            assert_eq!(code, UNAVAILABLE, "{told}");
            assert!(told.contains(text), "{told}");
        }
        function.come_back(whole());
        proxy.event_after(seen, back).await.unwrap();
        for path in [LOG, CELL] {
            assert_eq!(client.text(path, read(path)).await, "kept");
        }
    });
}

#[test]
fn a_changed_declaration_is_served_without_a_restart() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        client.text(LOG, add("a", "kept")).await;
        let seen = proxy.events();
        function.crash().await;
        let text = edited("service Log {", "service Log { rpc Again(Do) returns (Done);");
        function.come_back(declare(
            &text,
            vec![entity(names::EVENT_SOURCED, "whole.Log", "log")],
        ));
        let again = |event: &Event| matches!(event, Event::Serving { first: false, .. }).then_some(());
        proxy.event_after(seen, again).await.unwrap();
        assert_eq!(
            client.text("/whole.Log/Again", add("a", "more")).await,
            "kept,more"
        );
        let (code, text) = client.call(JOB, &read("")).await.status();
        assert_eq!(code, UNIMPLEMENTED, "{text}");
        assert_eq!(proxy.http().await.post(JOB, "{}").await.status(), 404);
    });
}

#[test]
fn a_declaration_that_is_refused_later_closes_nothing_but_answers_unavailable() {
    run(async {
        let (proxy, mut function, client) = start(&[]).await;
        client.text(LOG, add("a", "kept")).await;
        let seen = proxy.events();
        function.crash().await;
        function.come_back(EntitySpec {
            entities: vec![],
            ..whole()
        });
        proxy.event_after(seen, refused).await.unwrap();
        let (code, text) = client.call(LOG, &read("a")).await.status();
        assert_eq!(code, UNAVAILABLE);
        assert!(
            text.contains("No entities were reported by the discover call!"),
            "{text}"
        );
        function.declares(whole());
        let again = |event: &Event| matches!(event, Event::Serving { .. }).then_some(());
        proxy.event_after(seen, again).await.unwrap();
        assert_eq!(client.text(LOG, read("a")).await, "kept");
        assert_eq!(client.call(LOG, &read("a")).await.status().0, OK);
    });
}

#[test]
fn eventing_options_are_accepted_with_a_report_for_each_method() {
    run(async {
        let text = edited("import \"cloudstate/entity_key.proto\";", "import \"cloudstate/entity_key.proto\";\nimport \"cloudstate/eventing.proto\";")
            .replace(
                "service Job {\n  rpc Act(Do) returns (Done);",
                "service Job {\n  rpc Act(Do) returns (Done) { option (cloudstate.eventing) = { in: { event_log: \"log\" } }; }",
            );
        assert!(text.contains("event_log"));
        let function = Function::start(EntitySpec {
            proto: compile(text).into(),
            ..whole()
        });
        let proxy = Proxy::start(function.port, &[]);
        let client = proxy.client().await;
        function
            .reported("subscription to [log] is not active in this version")
            .await;
        // Without an HTTP rule it is there for events; a forward reaches it as they will.
        assert_eq!(client.call(JOB, &add("", "x")).await.status().0, 7);
        let forward = add("a", "x").forward(JOB, add("", "forwarded"));
        assert_eq!(client.text(LOG, forward).await, "forwarded");
    });
}
