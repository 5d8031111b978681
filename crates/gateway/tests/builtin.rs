//! Reflection and health, with messages built from the published schema.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_gateway::{Front, Options, Routes};
use common::raw::{Answer, Client, connect, frame};
use common::{Script, Server, catalog, one, run, serve, serve_front};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// The messages of reflection and health.
fn pool() -> DescriptorPool {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = [
        "grpc/reflection/v1/reflection.proto",
        "grpc/health/v1/health.proto",
    ];
    DescriptorPool::from_file_descriptor_set(protox::compile(files, [proto]).unwrap()).unwrap()
}

fn encode(type_name: &str, value: &Value) -> Bytes {
    let of = pool().get_message_by_name(type_name).unwrap();
    frame(&DynamicMessage::deserialize(of, value).unwrap().encode_to_vec())
}

fn decode(type_name: &str, bytes: Bytes) -> Value {
    let of = pool().get_message_by_name(type_name).unwrap();
    serde_json::to_value(DynamicMessage::decode(of, bytes).unwrap()).unwrap()
}

async fn server() -> Server {
    serve(Script::new(|_| async { one("") }), Options::default()).await
}

async fn ask_all(client: &Client, path: &str, questions: &[Value]) -> Vec<Value> {
    let type_name = "grpc.reflection.v1.ServerReflectionRequest";
    let frames: Vec<Bytes> = questions
        .iter()
        .map(|question| encode(type_name, question))
        .collect();
    let answer = client.send(client.grpc(path), &frames).await;
    assert_eq!(answer.code(), "0", "{answer:?}");
    let decode = |message| decode("grpc.reflection.v1.ServerReflectionResponse", message);
    answer.messages().into_iter().map(decode).collect()
}

async fn ask(path: &str, question: Value) -> Value {
    let client = connect(server().await.port).await;
    ask_all(&client, path, &[question]).await.remove(0)
}

fn services(answer: &Value) -> Vec<&str> {
    let services = answer["listServicesResponse"]["service"].as_array().unwrap();
    services
        .iter()
        .map(|service| service["name"].as_str().unwrap())
        .collect()
}

/// Links the files of an answer and returns their names: fails if a dependency is missing.
fn files(answer: &Value) -> Vec<String> {
    let none = json!([]);
    let files = answer["fileDescriptorResponse"]
        .get("fileDescriptorProto")
        .unwrap_or(&none);
    let mut names = Vec::new();
    let mut set = Vec::new();
    for file in files.as_array().unwrap() {
        let bytes = base64_decode(file.as_str().unwrap());
        names.push(
            prost_types::FileDescriptorProto::decode(&bytes[..])
                .unwrap()
                .name()
                .to_owned(),
        );
        // A FileDescriptorSet is its files, each as field 1.
        prost::encoding::bytes::encode(1, &bytes, &mut set);
    }
    DescriptorPool::decode(&set[..]).expect("the files must link");
    names
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[test]
fn v1alpha_lists_itself_and_the_functions_services() {
    run(async {
        let answer = ask(V1_ALPHA, json!({"listServices": "ignored"})).await;
        assert_eq!(
            services(&answer),
            [
                "grpc.reflection.v1alpha.ServerReflection",
                "shop.Cart",
                "shop.Streams"
            ]
        );
    });
}

#[test]
fn v1_lists_all_that_is_served() {
    run(async {
        let answer = ask(V1, json!({"listServices": "*"})).await;
        let expected = [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "shop.Cart",
            "shop.Streams",
        ];
        assert_eq!(services(&answer), expected);
    });
}

#[test]
fn files_come_with_all_their_dependencies_the_asked_one_first() {
    run(async {
        for path in [V1, V1_ALPHA] {
            for (kind, name) in [
                ("fileByFilename", "shop.proto"),
                ("fileContainingSymbol", "shop.Cart"),
                ("fileContainingSymbol", "shop.Cart.AddItem"),
                ("fileContainingSymbol", "shop.Line.Note"),
                ("fileContainingSymbol", "shop.Colour"),
                ("fileContainingSymbol", "shop.GREEN"),
            ] {
                let answer = ask(path, json!({ kind: name })).await;
                let names = files(&answer);
                assert_eq!(names[0], "shop.proto", "{path} {name}");
                assert!(
                    names
                        .iter()
                        .any(|name| name == "google/protobuf/descriptor.proto"),
                    "{names:?}"
                );
            }
            let extension =
                json!({"containingType": "google.protobuf.FieldOptions", "extensionNumber": 1080});
            let answer = ask(path, json!({"fileContainingExtension": extension})).await;
            assert_eq!(files(&answer)[0], "cloudstate/entity_key.proto");
            let answer = ask(path, json!({"fileContainingSymbol": "grpc.health.v1.Health"})).await;
            assert_eq!(files(&answer), ["grpc/health/v1/health.proto"]);
        }
    });
}

#[test]
fn custom_options_survive_in_the_files() {
    run(async {
        let answer = ask(V1, json!({"fileByFilename": "shop.proto"})).await;
        let mut set = Vec::new();
        for file in answer["fileDescriptorResponse"]["fileDescriptorProto"]
            .as_array()
            .unwrap()
        {
            prost::encoding::bytes::encode(1, &base64_decode(file.as_str().unwrap()), &mut set);
        }
        let pool = DescriptorPool::decode(&set[..]).unwrap();
        let field = pool
            .get_message_by_name("shop.GetCart")
            .unwrap()
            .get_field(1)
            .unwrap();
        let key = pool.get_extension_by_name("cloudstate.entity_key").unwrap();
        assert_eq!(field.options().get_extension(&key).as_bool(), Some(true));
    });
}

#[test]
fn unknown_names_are_an_empty_list_in_v1alpha_and_an_error_in_v1() {
    run(async {
        for question in [
            json!({"fileByFilename": "nope.proto"}),
            json!({"fileContainingSymbol": "shop.Nope"}),
            json!({"fileContainingExtension": {"containingType": "shop.Line", "extensionNumber": 7}}),
            json!({"fileContainingExtension": {"containingType": "shop.Line", "extensionNumber": -7}}),
        ] {
            let answer = ask(V1_ALPHA, question.clone()).await;
            assert_eq!(answer["fileDescriptorResponse"], json!({}), "{question}");
            let answer = ask(V1, question.clone()).await;
            assert_eq!(answer["errorResponse"]["errorCode"], 5, "{question}");
        }
    });
}

#[test]
fn extension_numbers_are_told() {
    run(async {
        for path in [V1, V1_ALPHA] {
            let of = "google.protobuf.FieldOptions";
            let answer = ask(path, json!({"allExtensionNumbersOfType": of})).await;
            let response = &answer["allExtensionNumbersResponse"];
            assert_eq!(response["baseTypeName"], of);
            assert!(
                response["extensionNumber"]
                    .as_array()
                    .unwrap()
                    .contains(&json!(1080)),
                "{answer}"
            );
        }
        let unknown = json!({"allExtensionNumbersOfType": "shop.Nope"});
        let answer = ask(V1_ALPHA, unknown.clone()).await;
        assert_eq!(
            answer["allExtensionNumbersResponse"],
            json!({"baseTypeName": "shop.Nope"})
        );
        assert_eq!(ask(V1, unknown).await["errorResponse"]["errorCode"], 5);
    });
}

#[test]
fn answers_come_in_order_with_host_and_question() {
    run(async {
        let client = connect(server().await.port).await;
        let questions = [
            json!({"host": "h", "fileByFilename": "nope"}),
            json!({"host": "", "listServices": ""}),
            json!({"host": "x"}),
        ];
        let answers = ask_all(&client, V1_ALPHA, &questions).await;
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0]["validHost"], "h");
        assert_eq!(answers[0]["originalRequest"], questions[0]);
        assert!(answers[1].get("listServicesResponse").is_some());
        assert_eq!(
            answers[2],
            json!({"validHost": "x", "originalRequest": {"host": "x"}})
        );
        let answers = ask_all(&client, V1, &[json!({})]).await;
        assert_eq!(answers[0]["errorResponse"]["errorCode"], 3);
    });
}

#[test]
fn reflection_follows_the_front() {
    run(async {
        let server = serve_front(
            Script::new(|_| async { one("") }),
            Options::default(),
            Front::unavailable("not yet"),
        )
        .await;
        let client = connect(server.port).await;
        let list = [json!({"listServices": ""})];
        let answer = ask_all(&client, V1_ALPHA, &list).await;
        assert_eq!(services(&answer[0]), ["grpc.reflection.v1alpha.ServerReflection"]);
        server
            .front
            .send_replace(Arc::new(Front::serving(Arc::new(Routes::new(catalog())))));
        let answer = ask_all(&client, V1_ALPHA, &list).await;
        assert_eq!(services(&answer[0]).len(), 3);
    });
}

async fn check(client: &Client, service: &str) -> Answer {
    let request = encode("grpc.health.v1.HealthCheckRequest", &json!({"service": service}));
    client
        .send(client.grpc("/grpc.health.v1.Health/Check"), &[request])
        .await
}

fn health(message: Bytes) -> String {
    let answer = decode("grpc.health.v1.HealthCheckResponse", message);
    answer
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("UNKNOWN")
        .to_owned()
}

#[test]
fn health_is_of_the_process_and_of_each_service() {
    run(async {
        let server = server().await;
        let client = connect(server.port).await;
        let component = server.health.component("store", "opening");
        let status = async |service| health(check(&client, service).await.messages().remove(0));
        assert_eq!(status("").await, "NOT_SERVING");
        component.ready();
        assert_eq!(status("").await, "SERVING");
        assert_eq!(status("shop.Cart").await, "SERVING");
        assert_eq!(status("grpc.health.v1.Health").await, "SERVING");
        assert_eq!(check(&client, "shop.Nope").await.code(), "5");
        server
            .front
            .send_replace(Arc::new(Front::lost(Arc::new(Routes::new(catalog())), "gone")));
        assert_eq!(status("").await, "NOT_SERVING");
        assert_eq!(status("shop.Cart").await, "NOT_SERVING");
    });
}

#[test]
fn a_malformed_request_is_an_invalid_argument() {
    run(async {
        let client = connect(server().await.port).await;
        assert_eq!(
            client.unary("/grpc.health.v1.Health/Check", b"\xff").await.code(),
            "3"
        );
        assert_eq!(client.unary(V1, b"\xff").await.code(), "3");
    });
}

#[test]
fn watchers_are_told_each_change_until_shutdown() {
    run(async {
        let server = server().await;
        let client = connect(server.port).await;
        let component = server.health.component("store", "opening");
        let (response, mut request) = client.open("/grpc.health.v1.Health/Watch").await;
        request.send_data(frame(b""), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        let mut next = async || health(body.data().await.unwrap().unwrap().slice(5..));
        assert_eq!(next().await, "NOT_SERVING");
        component.ready();
        assert_eq!(next().await, "SERVING");
        component.not_ready("lost");
        assert_eq!(next().await, "NOT_SERVING");
        server.shutdown.cancel();
        assert!(body.data().await.is_none(), "the stream ends");
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        server.serving.await.unwrap();
    });
}

#[test]
fn watching_an_unknown_service_waits_for_it() {
    run(async {
        let server = serve_front(
            Script::new(|_| async { one("") }),
            Options::default(),
            Front::unavailable("not yet"),
        )
        .await;
        let client = connect(server.port).await;
        let (response, mut request) = client.open("/grpc.health.v1.Health/Watch").await;
        let shop = encode(
            "grpc.health.v1.HealthCheckRequest",
            &json!({"service": "shop.Cart"}),
        );
        request.send_data(shop, true).unwrap();
        let mut body = response.await.unwrap().into_body();
        let mut next = async || health(body.data().await.unwrap().unwrap().slice(5..));
        assert_eq!(next().await, "SERVICE_UNKNOWN");
        server
            .front
            .send_replace(Arc::new(Front::serving(Arc::new(Routes::new(catalog())))));
        assert_eq!(next().await, "SERVING");
    });
}
