//! Requests and replies of any form, without a server: each is transcoded or refused.

use std::sync::{Arc, LazyLock};

use cloudstate_catalog::Catalog;
use cloudstate_gateway::{transcode, transcode_reply};
use http::Request;
use proptest::prelude::*;
use prost_reflect::DynamicMessage;

use crate::common::actions;

const PROTO: &str = r#"
    enum Colour { RED = 0; GREEN = 1; }
    message Book { string name = 1; int32 pages = 2; Book sequel = 3; Colour colour = 4; repeated Book books = 5; }
    message Request {
      string id = 1; Book book = 2; repeated string tags = 3; map<string, int32> prices = 4; int64 number = 5;
      bytes raw = 6; google.protobuf.Timestamp at = 7; google.api.HttpBody file = 8; google.protobuf.Any any = 9;
      google.protobuf.Value value = 10; double real = 11; google.protobuf.Int32Value wrapped = 12;
      oneof side { string left = 13; Book right = 14; }
    }
    service Service {
      rpc A(Request) returns (Request) {
        option (google.api.http) = {
          get: "/a/{id}" additional_bindings { post: "/a/{id}" body: "*" } additional_bindings { put: "/a/{book.pages}" body: "book" }
          additional_bindings { put: "/a/tags" body: "tags" } additional_bindings { put: "/a/prices" body: "prices" }
          additional_bindings { put: "/a/file" body: "file" response_body: "file" }
          additional_bindings { post: "/{id=a/**}:verb" body: "value" response_body: "book" }
          additional_bindings { custom { kind: "*" path: "/**" } body: "*" response_body: "number" }
        };
      }
    }"#;

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| actions(PROTO).unwrap());

/// Text that is likely to mean something.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1".to_owned()),
        Just("-1.5e3".to_owned()),
        Just("\"GREEN\"".to_owned()),
        Just("\"1970-01-01T00:00:00Z\"".to_owned()),
        Just("{\"@type\":\"type.googleapis.com/test.Book\"}".to_owned()),
        "\"[a-zA-Z0-9_=+/-]{0,6}\"",
    ];
    let name = "id|book|tags|prices|number|raw|at|file|any|value|real|wrapped|left|right|name|pages|sequel|books|nope";
    leaf.prop_recursive(4, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((name, inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name:?}:{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.=&%+_]{0,30}",
        r"((id|book\.pages|book\.sequel\.name|tags|number|raw|at|any|value|real|wrapped|left|right\.pages)=[a-zA-Z0-9%.-]{0,4}&){0,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_request_is_a_message_or_refused(
        verb in "GET|POST|PUT|DELETE|LINK",
        path in "/a/(tags|prices|file|7|[a-zA-Z0-9%:/]{0,6})(:verb)?|/[a-z%/:]{0,8}",
        query in query(),
        content_type in "application/json|image/png|",
        body in prop_oneof![json(), ".{0,20}"],
    ) {
        let request = Request::builder()
            .method(verb.as_str())
            .uri(format!("{path}?{query}"))
            .header("content-type", content_type);
        let (head, ()) = request.body(()).unwrap().into_parts();
        match transcode(&CATALOG, &head, body.as_bytes()) {
            Ok(call) => {
                let message = DynamicMessage::decode(call.binding.method.input(), call.message.as_slice());
                prop_assert!(message.is_ok(), "{message:?}");
            }
            Err(refused) => prop_assert!([400, 415].contains(&refused.status), "{refused}"),
        }
    }

    #[test]
    fn a_reply_is_a_response_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..40)) {
        for binding in CATALOG.http_bindings() {
            match transcode_reply(binding, payload.clone().into()) {
                Ok(body) if binding.response_body.as_ref().is_none_or(|field| field.name() != "file") => {
                    prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{body:?}");
                }
                Ok(_) => {}
                Err(refused) => prop_assert_eq!(refused.status, 500),
            }
        }
    }
}
