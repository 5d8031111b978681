use prost_reflect::DescriptorPool;

use super::*;

const SERVICE: &str = r#"
syntax = "proto3";
package shop;
import "google/api/annotations.proto";
service Shop {
  rpc Add(Item) returns (Item) {
    option (google.api.http) = {post: "/users/{user_id}/items" body: "*"};
  }
  rpc Rename(Item) returns (Item) {
    option (google.api.http) = {patch: "/v1/{name=shelves/*/books/*}:rename" body: "size"};
  }
  rpc Find(Item) returns (stream Item) {
    option (google.api.http) = {get: "/count/{count}"};
  }
  rpc Look(Item) returns (Item) {
    option (google.api.http) = {custom { kind: "HEAD" path: "/items/{name}" }};
  }
  rpc Any(Item) returns (Item) {
    option (google.api.http) = {custom { kind: "*" path: "/any/{name}" }};
  }
  rpc Plain(Item) returns (Item);
  rpc Upload(stream Item) returns (Item);
}
message Item {
  string user_id = 1;
  string name = 2;
  int32 count = 3;
  Size size = 4;
  repeated bytes parts = 5;
  oneof kind { bool new = 6; bool old = 7; }
}
enum Size { UNKNOWN = 0; LARGE = 1; }
"#;

/// Keeps the files that the service imports where the compiler finds them.
fn methods() -> Vec<MethodDescriptor> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    };
    cloudstate_protocol::SOURCES
        .iter()
        .for_each(|(name, text)| write(name, text));
    write("shop.proto", SERVICE);
    let mut compiler = protox::Compiler::new([directory.path()]).expect("the directory exists");
    let compiled = compiler
        .include_imports(true)
        .open_file("shop.proto")
        .expect("it compiles");
    let pool = DescriptorPool::decode(&*compiled.encode_file_descriptor_set()).expect("it is complete");
    let service = pool.get_service_by_name("shop.Shop").expect("it is there");
    service.methods().collect()
}

fn places() -> Places {
    Places {
        client: "0.0.0.0:9000".parse().expect("an address"),
        admin: "[::]:9090".parse().ok(),
        store: "sqlite:x".to_owned(),
        page: true,
        openapi: true,
    }
}

#[test]
fn every_method_gets_a_command_that_can_be_pasted() {
    let client = "127.0.0.1:9000".parse().expect("an address");
    let examples: Vec<String> = methods().iter().map(|method| example(client, method)).collect();
    let json = "-H 'Content-Type: application/json'";
    let rest = r#""size": "LARGE", "parts": ["AQID"], "new": true}'"#;
    let all = format!(r#"'{{"userId": "user-1", "name": "name", "count": 1, {rest}"#);
    assert_eq!(
        examples,
        [
            format!(
                "curl http://127.0.0.1:9000/users/user-1/items {json} -d '{{\"name\": \"name\", \"count\": 1, {rest}"
            ),
            format!(
                "curl -X PATCH http://127.0.0.1:9000/v1/shelves/name/books/name:rename {json} -d '\"LARGE\"'"
            ),
            "curl -N http://127.0.0.1:9000/count/1".to_owned(),
            "curl -I http://127.0.0.1:9000/items/name".to_owned(),
            "curl http://127.0.0.1:9000/any/name".to_owned(),
            format!("curl http://127.0.0.1:9000/shop.Shop/Plain {json} -d {all}"),
            format!("cloudstate call --addr 127.0.0.1:9000 shop.Shop/Upload {all}"),
        ]
    );
}

#[test]
fn addresses_that_mean_all_are_shown_as_one_that_can_be_called() {
    let text = banner(&places(), "", &methods());
    assert!(text.contains("Serving shop.Shop\n"), "{text}");
    assert!(
        text.contains("http://127.0.0.1:9000\n") && text.contains("http://[::1]:9090/ready"),
        "{text}"
    );
    assert!(
        text.contains("cloudstate call --addr 127.0.0.1:9000 --list"),
        "{text}"
    );
}

#[test]
fn what_is_served_beside_the_function_is_shown() {
    let text = banner(&places(), "", &methods());
    assert!(
        text.contains("http://127.0.0.1:9000/\n") && text.contains("http://127.0.0.1:9000/openapi.json\n"),
        "{text}"
    );
    let without = Places {
        page: false,
        openapi: false,
        ..places()
    };
    let text = banner(&without, "", &methods());
    assert!(!text.contains("Static") && !text.contains("OpenAPI"), "{text}");
}

#[test]
fn quotes_survive_the_shell() {
    assert_eq!(quoted("a'b"), r"'a'\''b'");
}
