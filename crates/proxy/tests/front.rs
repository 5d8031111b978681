//! What clients and operators see beside their calls: readiness, health, reflection, HTTP bindings.

use cloudstate_proxy::Event;
use prost::Message;

use crate::harness::{CELL, Client, Function, Http, JOB, LOG, Proxy, add, read, run, start, whole};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct Serving {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Reflect {
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Reflected {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<bytes::Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Named>,
}

async fn health(client: &Client, service: &str) -> i32 {
    let request = Named {
        service: service.to_owned(),
    };
    let answer = client.call(HEALTH, &request).await;
    assert_eq!(answer.status(), (0, String::new()));
    Serving::decode(answer.body.slice(5..)).unwrap().status
}

async fn ready(admin: &Http) -> (u16, String) {
    let response = admin.send("GET", "/ready", "").await;
    (response.status().as_u16(), response.into_body())
}

#[test]
fn readiness_says_what_is_missing_before_during_and_after() {
    run(async {
        let mut function = Function::start(whole());
        function.crash().await;
        let proxy = Proxy::start(function.port, &[]);
        let admin = proxy.admin().await;
        let (status, body) = ready(&admin).await;
        assert_eq!(status, 503);
        assert!(
            body.contains("function") && body.contains(&function.port.to_string()),
            "{body}"
        );
        assert_eq!(admin.send("GET", "/alive", "").await.status(), 200);

        function.come_back(whole());
        let client = proxy.client().await;
        assert_eq!(ready(&admin).await.0, 200);
        assert_eq!(
            (health(&client, "").await, health(&client, "whole.Log").await),
            (1, 1)
        );

        let seen = proxy.events();
        function.crash().await;
        let lost = |event: &Event| matches!(event, Event::FunctionLost(_)).then_some(());
        proxy.event_after(seen, lost).await.unwrap();
        assert_eq!(ready(&admin).await.0, 503);
        assert_eq!(
            (health(&client, "").await, health(&client, "whole.Log").await),
            (2, 2)
        );

        function.come_back(cloudstate_protocol::EntitySpec {
            entities: vec![],
            ..whole()
        });
        let refused = |event: &Event| matches!(event, Event::Refused(_)).then_some(());
        proxy.event_after(seen, refused).await.unwrap();
        let (status, body) = ready(&admin).await;
        assert_eq!(status, 503);
        assert!(
            body.contains("No entities were reported by the discover call!"),
            "{body}"
        );

        function.declares(whole());
        let serving = |event: &Event| matches!(event, Event::Serving { .. }).then_some(());
        proxy.event_after(seen, serving).await.unwrap();
        assert_eq!(ready(&admin).await.0, 200);
        assert_eq!(health(&client, "").await, 1);
    });
}

#[test]
fn reflection_lists_the_services_and_sends_their_files() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let list = Reflect {
            list_services: Some("*".to_owned()),
            ..Reflect::default()
        };
        let answer = client.call(REFLECTION, &list).await;
        let listed = Reflected::decode(answer.body.slice(5..))
            .unwrap()
            .services
            .unwrap();
        let names: Vec<_> = listed
            .service
            .iter()
            .map(|named| named.service.as_str())
            .collect();
        for service in ["whole.Log", "whole.Cell", "whole.Job", "grpc.health.v1.Health"] {
            assert!(names.contains(&service), "{names:?}");
        }
        let find = Reflect {
            file_containing_symbol: Some("whole.Log".to_owned()),
            ..Reflect::default()
        };
        let answer = client.call(REFLECTION, &find).await;
        let files = Reflected::decode(answer.body.slice(5..))
            .unwrap()
            .files
            .unwrap()
            .file;
        let names: Vec<_> = files
            .iter()
            .map(|file| {
                let file = cloudstate_sdk::prost_types::FileDescriptorProto::decode(&**file).unwrap();
                file.name().to_owned()
            })
            .collect();
        assert!(names.contains(&"whole.proto".to_owned()), "{names:?}");
        assert!(
            names.contains(&"cloudstate/entity_key.proto".to_owned()),
            "{names:?}"
        );
    });
}

#[test]
fn the_default_binding_reads_and_writes_json() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let http = proxy.http().await;
        for path in [LOG, CELL, JOB] {
            let (status, body) = http.act(path, &add("a", "x")).await;
            assert_eq!((status, body.as_str()), (200, r#"{"text":"x"}"#), "{path}");
        }
        assert_eq!(client.text(LOG, add("a", "y")).await, "x,y");
        for (method, path, body, status, part) in [
            ("POST", LOG, r#"{"id":"a","#, 400, "EOF"),
            ("POST", LOG, r#"{"id":"a","nope":1}"#, 400, "nope"),
            ("POST", LOG, r#"{"id":7}"#, 400, "id"),
            ("POST", LOG, r#"{"what":"read"}"#, 400, "id"),
            ("GET", LOG, "", 405, ""),
            ("POST", "/whole.Log/Nope", "{}", 404, "/whole.Log/Nope"),
        ] {
            let response = http.send(method, path, body).await;
            assert_eq!(
                response.status(),
                status,
                "{method} {path} {body}: {}",
                response.body()
            );
            assert!(response.body().contains(part), "{part}: {}", response.body());
            assert_eq!(response.headers().contains_key("allow"), status == 405);
        }
        let long = add(&"x".repeat(1025), "x");
        assert_eq!(client.call(LOG, &long).await.status().0, 3);
        let large = add("a", &"x".repeat(9 << 20));
        assert_eq!(client.call(LOG, &large).await.status().0, 8);
        assert_eq!(client.text(LOG, read("a")).await, "x,y");
    });
}

#[test]
fn a_page_and_the_description_are_served_beside_the_function() {
    run(async {
        let site = tempfile::tempdir().unwrap();
        std::fs::write(site.path().join("index.html"), "a page").unwrap();
        let directory = site.path().to_str().unwrap();
        let (proxy, _function, client) = start(&[("static", directory)]).await;
        let http = proxy.http().await;
        assert_eq!(http.send("GET", "/", "").await.body(), "a page");
        let document = http.send("GET", "/openapi.json", "").await;
        let document: serde_json::Value = serde_json::from_str(document.body()).unwrap();
        assert_eq!(document["paths"][LOG]["post"]["operationId"], "Log_Act");
        assert_eq!(
            document["components"]["schemas"]["whole.Do"]["properties"]["what"]["type"],
            "string"
        );
        assert_eq!(client.text(LOG, add("a", "x")).await, "x");
        let metrics = proxy.admin().await.send("GET", "/metrics", "").await;
        for method in ["static", "openapi"] {
            let line = format!(r#"requests_total{{service="",method="{method}",code="OK"}} 1"#);
            assert!(metrics.body().contains(&line), "{line} in\n{}", metrics.body());
        }
        let (without, _function, _) = start(&[("http.openapi", "false")]).await;
        let http = without.http().await;
        for path in ["/", "/openapi.json"] {
            assert_eq!(http.send("GET", path, "").await.status(), 404, "{path}");
        }
    });
}
