//! From reply to response (11.5).

use super::Api;
use crate::common::{one, run};

const PROTO: &str = r#"
    enum Colour { RED = 0; GREEN = 1; }
    message Item { string product_id = 1; string name = 2; int32 quantity = 3; }
    message Nothing {}
    message Reply {
      string message = 1; int64 big = 2; repeated Item items = 3; map<string, double> prices = 4; bytes raw = 5;
      Colour colour = 6; Item item = 7; optional int32 maybe = 8; oneof side { string left = 9; Item right = 10; }
      double real = 11; google.protobuf.Timestamp at = 12; google.protobuf.Int64Value wrapped = 13;
      google.api.HttpBody page = 14; repeated int64 numbers = 15; repeated Colour colours = 16; bool flag = 17;
    }
    service Service {
      rpc Call(Nothing) returns (Reply) {
        option (google.api.http) = {
          get: "/whole"
          additional_bindings { get: "/message" response_body: "message" }
          additional_bindings { get: "/big" response_body: "big" }
          additional_bindings { get: "/items" response_body: "items" }
          additional_bindings { get: "/prices" response_body: "prices" }
          additional_bindings { get: "/raw" response_body: "raw" }
          additional_bindings { get: "/colour" response_body: "colour" }
          additional_bindings { get: "/item" response_body: "item" }
          additional_bindings { get: "/maybe" response_body: "maybe" }
          additional_bindings { get: "/left" response_body: "left" }
          additional_bindings { get: "/right" response_body: "right" }
          additional_bindings { get: "/real" response_body: "real" }
          additional_bindings { get: "/at" response_body: "at" }
          additional_bindings { get: "/wrapped" response_body: "wrapped" }
          additional_bindings { get: "/page" response_body: "page" }
          additional_bindings { get: "/numbers" response_body: "numbers" }
          additional_bindings { get: "/colours" response_body: "colours" }
        };
      }
      rpc Empty(Nothing) returns (google.protobuf.Empty) { option (google.api.http).get = "/empty"; }
      rpc Page(Nothing) returns (google.api.HttpBody) { option (google.api.http).get = "/raw-page"; }
    }
"#;

/// Checks the responses to requests, when the reply is this one.
fn check(type_name: &'static str, reply: &'static str, responses: &[(&str, &str, &str)]) {
    run(async {
        let encoder = Api::of(PROTO).await;
        let reply = encoder.encode(type_name, reply);
        let api = Api::answering(PROTO, move |_| one(reply.clone())).await;
        for (path, content_type, body) in responses {
            let answer = api.send(&format!("GET {path}"), "").await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let found = answer
                .headers
                .get("content-type")
                .map(|value| value.to_str().unwrap());
            assert_eq!(found.unwrap_or(""), *content_type, "{path}");
            assert_eq!(String::from_utf8_lossy(&answer.body), *body, "{path}");
        }
    });
}

const JSON: &str = "application/json";

#[test]
fn a_whole_reply_shows_default_values_but_nothing_that_is_absent() {
    check(
        "test.Reply",
        "{}",
        &[(
            "/whole",
            JSON,
            r#"{"message":"","big":"0","items":[],"prices":{},"raw":"","colour":"RED","real":0.0,"numbers":[],"colours":[],"flag":false}"#,
        )],
    );
    check("google.protobuf.Empty", "{}", &[("/empty", JSON, "{}")]);
}

/// As it stands within the whole, where the reference loses precision, encoding and defaults.
#[test]
fn a_response_body_is_the_json_of_its_field() {
    check(
        "test.Reply",
        r#"{
            "message": "a<b", "big": "9007199254740993",
            "items": [{"productId": "x", "name": "y", "quantity": 7}, {}], "prices": {"k": 1.0}, "raw": "/wA=",
            "colour": "GREEN", "item": {}, "maybe": 0, "left": "", "real": "NaN", "at": "2026-01-02T03:04:05.600Z",
            "wrapped": "7", "numbers": ["1", "-2"], "colours": ["GREEN", 5],
            "page": {"contentType": "text/html", "data": "PGI+"}
        }"#,
        &[
            ("/message", JSON, r#""a<b""#),
            ("/big", JSON, r#""9007199254740993""#),
            (
                "/items",
                JSON,
                r#"[{"productId":"x","name":"y","quantity":7},{"productId":"","name":"","quantity":0}]"#,
            ),
            ("/prices", JSON, r#"{"k":1.0}"#),
            ("/raw", JSON, r#""/wA=""#),
            ("/colour", JSON, r#""GREEN""#),
            ("/item", JSON, r#"{"productId":"","name":"","quantity":0}"#),
            ("/maybe", JSON, "0"),
            ("/left", JSON, r#""""#),
            ("/right", JSON, "null"),
            ("/real", JSON, r#""NaN""#),
            ("/at", JSON, r#""2026-01-02T03:04:05.600Z""#),
            ("/wrapped", JSON, r#""7""#),
            ("/numbers", JSON, r#"["1","-2"]"#),
            ("/colours", JSON, r#"["GREEN",5]"#),
            ("/page", "text/html", "<b>"),
        ],
    );
}

#[test]
fn a_response_body_that_is_not_set_is_its_default_or_null() {
    check(
        "test.Reply",
        "{}",
        &[
            ("/message", JSON, r#""""#),
            ("/big", JSON, r#""0""#),
            ("/items", JSON, "[]"),
            ("/prices", JSON, "{}"),
            ("/colour", JSON, r#""RED""#),
            ("/item", JSON, "null"),
            ("/maybe", JSON, "null"),
            ("/left", JSON, "null"),
            ("/at", JSON, "null"),
            ("/wrapped", JSON, "null"),
            // An HttpBody without content: there is nothing to show.
            ("/page", "", ""),
        ],
    );
}

#[test]
fn an_http_body_is_sent_as_it_is() {
    check(
        "google.api.HttpBody",
        r#"{"contentType": "image/svg+xml; charset=utf-8", "data": "PHN2Zy8+"}"#,
        &[("/raw-page", "image/svg+xml; charset=utf-8", "<svg/>")],
    );
    check(
        "google.api.HttpBody",
        r#"{"data": "YQ"}"#,
        &[("/raw-page", "", "a")],
    );
}
