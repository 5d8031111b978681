//! The examples that the comments of `google/api/http.proto` give, with their rules, requests and calls; and what those
//! comments say about path templates.

use super::check;

#[test]
fn a_field_is_mapped_to_a_path_with_a_literal() {
    check(
        r#"
        service Messaging {
          rpc GetMessage(GetMessageRequest) returns (Message) {
            option (google.api.http) = {
                get: "/v1/{name=messages/*}"
            };
          }
        }
        message GetMessageRequest {
          string name = 1;
        }
        message Message {
          string text = 1;
        }"#,
        &[
            (
                "GET /v1/messages/123456",
                "",
                r#"GetMessage {"name":"messages/123456"}"#,
            ),
            ("GET /v1/other/123456", "", "404"),
            ("GET /v1/messages", "", "404"),
            ("POST /v1/messages/123456", "", "405"),
        ],
    );
}

#[test]
fn fields_that_the_path_does_not_bind_are_query_parameters() {
    check(
        r#"
        service Messaging {
          rpc GetMessage(GetMessageRequest) returns (Message) {
            option (google.api.http) = {
                get:"/v1/messages/{message_id}"
            };
          }
        }
        message GetMessageRequest {
          message SubMessage {
            string subfield = 1;
          }
          string message_id = 1;
          int64 revision = 2;
          SubMessage sub = 3;
        }
        message Message {}"#,
        &[(
            "GET /v1/messages/123456?revision=2&sub.subfield=foo",
            "",
            r#"GetMessage {"messageId":"123456","revision":"2","sub":{"subfield":"foo"}}"#,
        )],
    );
}

#[test]
fn a_nested_field_is_mapped_to_the_path() {
    // The example of a service configuration, as an option.
    check(
        r#"
        service Messaging {
          rpc GetMessage(GetMessageRequest) returns (Message) {
            option (google.api.http).get = "/v1/messages/{message_id}/{sub.subfield}";
          }
        }
        message GetMessageRequest {
          message SubMessage {
            string subfield = 1;
          }
          string message_id = 1;
          SubMessage sub = 2;
        }
        message Message {
          string text = 1;
        }"#,
        &[(
            "GET /v1/messages/123456/foo",
            "",
            r#"GetMessage {"messageId":"123456","sub":{"subfield":"foo"}}"#,
        )],
    );
}

#[test]
fn repeated_and_message_fields_are_several_parameters() {
    // `...?param=A&param=B` and `...?foo.a=A&foo.b=B&foo.c=C`
    check(
        r#"
        message Foo { string a = 1; string b = 2; string c = 3; }
        message Request { repeated string param = 1; Foo foo = 2; repeated Foo foos = 3; }
        service Service {
          rpc Call(Request) returns (Request) { option (google.api.http).get = "/call"; }
        }"#,
        &[
            ("GET /call?param=A&param=B", "", r#"Call {"param":["A","B"]}"#),
            (
                "GET /call?foo.a=A&foo.b=B&foo.c=C",
                "",
                r#"Call {"foo":{"a":"A","b":"B","c":"C"}}"#,
            ),
            // Not so a repeated message.
            (
                "GET /call?foos=A",
                "",
                "400 field [foos]: [A]: it is a message of type test.Foo",
            ),
            (
                "GET /call?foos.a=A",
                "",
                "400 field [foos.a]: no field of the request has this name",
            ),
        ],
    );
}

#[test]
fn a_field_is_mapped_to_the_body() {
    check(
        r#"
        service Messaging {
          rpc UpdateMessage(UpdateMessageRequest) returns (Message) {
            option (google.api.http) = {
              patch: "/v1/messages/{message_id}"
              body: "message"
            };
          }
        }
        message UpdateMessageRequest {
          string message_id = 1;
          Message message = 2;
        }
        message Message { string text = 1; }"#,
        &[(
            "PATCH /v1/messages/123456",
            r#"{ "text": "Hi!" }"#,
            r#"UpdateMessage {"messageId":"123456","message":{"text":"Hi!"}}"#,
        )],
    );
}

#[test]
fn every_field_that_the_path_does_not_bind_is_mapped_to_the_body() {
    check(
        r#"
        service Messaging {
          rpc UpdateMessage(Message) returns (Message) {
            option (google.api.http) = {
              patch: "/v1/messages/{message_id}"
              body: "*"
            };
          }
        }
        message Message {
          string message_id = 1;
          string text = 2;
        }"#,
        &[
            (
                "PATCH /v1/messages/123456",
                r#"{ "text": "Hi!" }"#,
                r#"UpdateMessage {"messageId":"123456","text":"Hi!"}"#,
            ),
            // Then there are no query parameters.
            (
                "PATCH /v1/messages/123456?text=other",
                "{}",
                r#"UpdateMessage {"messageId":"123456"}"#,
            ),
        ],
    );
}

#[test]
fn one_method_has_several_bindings() {
    check(
        r#"
        service Messaging {
          rpc GetMessage(GetMessageRequest) returns (Message) {
            option (google.api.http) = {
              get: "/v1/messages/{message_id}"
              additional_bindings {
                get: "/v1/users/{user_id}/messages/{message_id}"
              }
            };
          }
        }
        message GetMessageRequest {
          string message_id = 1;
          string user_id = 2;
        }
        message Message {}"#,
        &[
            (
                "GET /v1/messages/123456",
                "",
                r#"GetMessage {"messageId":"123456"}"#,
            ),
            (
                "GET /v1/users/me/messages/123456",
                "",
                r#"GetMessage {"userId":"me","messageId":"123456"}"#,
            ),
        ],
    );
}

#[test]
fn custom_patterns_name_another_method_or_none() {
    check(
        r#"
        message Request { string id = 1; }
        service Service {
          rpc Head(Request) returns (Request) {
            option (google.api.http) = { custom { kind: "HEAD" path: "/head/{id}" } };
          }
          rpc Any(Request) returns (Request) {
            option (google.api.http) = { custom { kind: "*" path: "/any/{id}" } };
          }
        }"#,
        &[
            ("HEAD /head/a", "", r#"Head {"id":"a"}"#),
            ("GET /head/a", "", "405"),
            ("GET /any/a", "", r#"Any {"id":"a"}"#),
            ("DELETE /any/a", "", r#"Any {"id":"a"}"#),
            ("BREW /any/a", "", r#"Any {"id":"a"}"#),
        ],
    );
}

#[test]
fn arrays_are_mapped_to_repeated_fields() {
    // For response bodies see `replies`.
    check(
        r#"
        message Item { string name = 1; }
        message Request { string shelf = 1; repeated Item items = 2; repeated int64 numbers = 3; }
        service Service {
          rpc Call(Request) returns (Request) {
            option (google.api.http) = {
              put: "/shelves/{shelf}/items"
              body: "items"
              additional_bindings { put: "/shelves/{shelf}/numbers" body: "numbers" }
            };
          }
        }"#,
        &[
            (
                "PUT /shelves/s/items",
                r#"[{"name":"a"},{}]"#,
                r#"Call {"shelf":"s","items":[{"name":"a"},{}]}"#,
            ),
            ("PUT /shelves/s/items", "[]", r#"Call {"shelf":"s"}"#),
            (
                "PUT /shelves/s/numbers",
                r#"[1,"2"]"#,
                r#"Call {"shelf":"s","numbers":["1","2"]}"#,
            ),
            ("PUT /shelves/s/items", r#"{"name":"a"}"#, "400 [items]"),
            (
                "PUT /shelves/s/items",
                r#"[{"name":"a"},{"name":1}]"#,
                "400 [items[1].name]",
            ),
            (
                "PUT /shelves/s/items",
                r#"[],"shelf":"t""#,
                "400 line 1, column 3",
            ),
        ],
    );
}

#[test]
fn path_templates_match_as_described() {
    check(
        r#"
        message Request { string one = 1; string several = 2; }
        service Service {
          rpc Star(Request) returns (Request) { option (google.api.http).get = "/star/*"; }
          rpc Stars(Request) returns (Request) { option (google.api.http).get = "/stars/**"; }
          rpc Both(Request) returns (Request) { option (google.api.http).get = "/both/{one}/{several=**}:verb"; }
          rpc Var(Request) returns (Request) { option (google.api.http).get = "/var/{one}"; }
          rpc Equal(Request) returns (Request) { option (google.api.http).get = "/equal/{one=*}"; }
          rpc Foo(Request) returns (Request) { option (google.api.http).get = "/{several=foo/*}"; }
          rpc Literal(Request) returns (Request) { option (google.api.http).get = "/a b/%C3%BC"; }
        }"#,
        &[
            // One star: one segment.
            ("GET /star/a", "", "Star {}"),
            ("GET /star/a/b", "", "404"),
            ("GET /star", "", "404"),
            // Two stars: any number of segments up to the end or the verb, also none.
            ("GET /stars", "", "Stars {}"),
            ("GET /stars/a", "", "Stars {}"),
            ("GET /stars/a/b/c", "", "Stars {}"),
            ("GET /both/a/b/c:verb", "", r#"Both {"one":"a","several":"b/c"}"#),
            ("GET /both/a:verb", "", r#"Both {"one":"a"}"#),
            ("GET /both/a/b/c", "", "404"),
            // A variable without a template is one star.
            ("GET /var/a", "", r#"Var {"one":"a"}"#),
            ("GET /equal/a", "", r#"Equal {"one":"a"}"#),
            // Literals are compared decoded.
            ("GET /a%20b/%C3%BC", "", "Literal {}"),
            ("GET /a%20b/%c3%bc", "", "Literal {}"),
            // A variable of one segment is decoded wholly.
            (
                "GET /var/-_.~%2F%3A%25%3f%E2%82%AC",
                "",
                r#"Var {"one":"-_.~/:%?€"}"#,
            ),
            // One of several segments too, but for slashes.
            (
                "GET /foo/a%2Fb%2fc%3A%25",
                "",
                r#"Foo {"several":"foo/a%2Fb%2fc:%"}"#,
            ),
            (
                "GET /both/a%2Fb/c%2Fd:verb",
                "",
                r#"Both {"one":"a/b","several":"c%2Fd"}"#,
            ),
            // The slash in front of a variable is not part of it.
            ("GET /both/a//b:verb", "", r#"Both {"one":"a","several":"/b"}"#),
        ],
    );
}
