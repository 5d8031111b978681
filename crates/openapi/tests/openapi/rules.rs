//! What single rules become.

use std::fmt::Write;

use cloudstate_protocol::names;
use serde_json::{Value, json};

use crate::support::{self, of_action};

const MESSAGES: &str = "
    message M { string name = 1; N n = 2; string other = 3; }
    message N { string name = 1; N n = 2; int32 count = 3; }";

/// The document of one method a rule, named `M0`, `M1` and so on.
fn of_rules(rules: &[&str]) -> Value {
    let mut methods = String::new();
    for (i, rule) in rules.iter().enumerate() {
        write!(
            methods,
            "rpc M{i}(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}"
        )
        .unwrap();
    }
    of_action(&format!("{MESSAGES} service Service {{ {methods} }}"))
}

/// Operations on one line each: `get /a/{b} Service_M0 b,c?`, a parameter of the query with a `?` behind it.
fn operations(document: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let names: Vec<String> = parameters
                .iter()
                .map(|parameter| {
                    let mark = if parameter["in"] == "query" { "?" } else { "" };
                    format!("{}{mark}", parameter["name"].as_str().unwrap())
                })
                .collect();
            let id = operation["operationId"].as_str().unwrap();
            lines.push(format!("{verb} {path} {id} {}", names.join(",")));
        }
    }
    lines
}

#[track_caller]
fn check(rules: &[&str], expected: &[&str]) {
    assert_eq!(operations(&of_rules(rules)), expected);
}

#[test]
fn nested_fields_are_parameters_down_to_where_a_message_contains_itself() {
    check(
        &["get: '/a/{n.name}'"],
        &["get /a/{n.name} Service_M0 n.name,name?,other?,n.count?"],
    );
}

#[test]
fn every_wildcard_is_a_parameter_of_one_segment() {
    check(
        &["get: '/{name=a/*}/{n.name=*/b/**}' body: '*'"],
        &["get /a/{name}/{n.name_1}/b/{n.name_2} Service_M0 name,n.name_1,n.name_2"],
    );
    check(
        &["get: '/*/*/{name}:go' body: '*'"],
        &["get /{segment}/{segment_2}/{name}:go Service_M0 segment,segment_2,name"],
    );
}

#[test]
fn a_part_of_a_variable_says_of_what() {
    let document = of_rules(&["get: '/v1/{name=a/*/b/**}:go' body: '*'"]);
    let parameters = &document["paths"]["/v1/a/{name_1}/b/{name_2}:go"]["get"]["parameters"];
    let part = "Part of `name`, which is `a/{name_1}/b/{name_2}`.";
    assert_eq!(parameters[0]["description"], part);
    assert_eq!(
        parameters[1]["description"],
        format!("{part}\n\nMay hold several segments, parted by `/`.")
    );
}

#[test]
fn literals_are_escaped_as_in_a_request() {
    check(
        &["get: '/ü b/a%2Fb/x%7By%7D:do%3F' body: '*'"],
        &["get /%C3%BC%20b/a%2Fb/x%7By%7D:do%3F Service_M0 "],
    );
}

#[test]
fn paths_that_differ_in_names_alone_are_one() {
    check(
        &["get: '/a/{name}' body: '*'", "put: '/a/{other}' body: '*'"],
        &["get /a/{name} Service_M0 name", "put /a/{name} Service_M1 name"],
    );
}

#[test]
fn what_no_request_reaches_is_left_out() {
    check(
        &["get: '/a/{name}' body: '*'", "get: '/a/{other}' body: '*'"],
        &["get /a/{other} Service_M1 other"],
    );
    check(
        &["get: '/a/{name}' body: '*'", "get: '/a/{other=**}' body: '*'"],
        &["get /a/{name} Service_M0 name"],
    );
    check(
        &["get: '/a/{name}' body: '*'", "get: '/a/b' body: '*'"],
        &["get /a/b Service_M1 ", "get /a/{name} Service_M0 name"],
    );
}

#[test]
fn a_rule_for_every_http_method_is_shown_for_the_usual_ones() {
    check(
        &["custom { kind: '*' path: '/a' } body: '*'", "put: '/a' body: '*'"],
        &[
            "delete /a Service_M0_3 ",
            "get /a Service_M0 ",
            "patch /a Service_M0_4 ",
            "post /a Service_M0_2 ",
            "put /a Service_M1 ",
        ],
    );
}

#[test]
fn http_methods_that_openapi_does_not_know_are_an_extension() {
    let document = of_rules(&[
        "custom { kind: 'HEAD' path: '/a' }",
        "custom { kind: 'LINK' path: '/a' }",
    ]);
    let path = &document["paths"]["/a"];
    assert_eq!(path["head"]["operationId"], "Service_M0");
    assert_eq!(
        path["x-additional-operations"]["LINK"]["operationId"],
        "Service_M1"
    );
}

#[test]
fn what_the_path_sets_is_not_asked_for_in_the_body() {
    let document = of_rules(&[
        "put: '/a/{name}' body: '*'",
        "put: '/b/{n.name}' body: 'n'",
        "put: '/c/{other}' body: 'n'",
    ]);
    let body = |path: &str| {
        document["paths"][path]["put"]["requestBody"]["content"]["application/json"]["schema"].clone()
    };
    let names = |path: &str| {
        body(path)["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names("/a/{name}"), ["n", "other"]);
    assert_eq!(names("/b/{n.name}"), ["count", "n"]);
    assert_eq!(body("/c/{other}"), json!({"$ref": "#/components/schemas/test.N"}));
}

#[test]
fn bodies_can_be_of_any_field() {
    let document = of_action(
        "message M { repeated string tags = 1; map<string, int32> counts = 2; }
        service Service {
            rpc Tag(M) returns (M) { option (google.api.http) = { post: '/tags' body: 'tags' response_body: 'counts' }; }
        }",
    );
    let tag = &document["paths"]["/tags"]["post"];
    let schema = |content: &Value| content["content"]["application/json"]["schema"].clone();
    assert_eq!(
        schema(&tag["requestBody"]),
        json!({"type": "array", "items": {"type": "string"}})
    );
    assert_eq!(
        schema(&tag["responses"]["200"])["additionalProperties"]["format"],
        "int32"
    );
}

#[test]
fn parameters_can_be_json() {
    let document = of_action(
        "message M { google.protobuf.Struct one = 1; repeated google.protobuf.Value many = 2; google.protobuf.Any any = 3; }
        service Service { rpc Find(M) returns (M) { option (google.api.http) = { get: '/find' }; } }",
    );
    let parameters = document["paths"]["/find"]["get"]["parameters"]
        .as_array()
        .unwrap();
    assert_eq!(parameters.len(), 2, "{parameters:?}");
    assert_eq!(
        parameters[0]["content"]["application/json"]["schema"]["type"],
        "object"
    );
    assert_eq!(
        parameters[1]["schema"],
        json!({"type": "array", "items": {"type": "string", "contentMediaType": "application/json"}})
    );
}

#[test]
fn services_of_one_name_are_told_apart() {
    let text = |package: &str| {
        format!(
            "syntax = 'proto3'; package {package}; message M {{}} service Service {{ rpc Call(M) returns (M); }}"
        )
    };
    let files = [("a.proto", text("a")), ("b.proto", text("b"))];
    let services = [(names::ACTION, "a.Service"), (names::ACTION, "b.Service")];
    let document = support::json(&support::declare(&files, true, &services));
    for package in ["a", "b"] {
        let operation = &document["paths"][format!("/{package}.Service/Call")]["post"];
        assert_eq!(operation["operationId"], format!("{package}_Service_Call"));
    }
}

#[test]
fn there_is_a_limit_to_query_parameters() {
    let fields: String = (1..=300).map(|i| format!("string f{i} = {i};")).collect();
    let document = of_action(&format!(
        "message M {{ {fields} }} service Service {{ rpc A(M) returns (M) {{ option (google.api.http) = {{ get: '/a' }}; }} }}"
    ));
    let parameters = document["paths"]["/a"]["get"]["parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 200);
    assert_eq!(parameters[199]["name"], "f200");
}

#[test]
fn deeply_nested_types_are_described() {
    let messages: String = (0..2000)
        .map(|i| format!("message M{i} {{ repeated M{} next = 1; }}", i + 1))
        .collect();
    let document = of_action(&format!(
        "{messages} message M2000 {{}} service Service {{ rpc A(M0) returns (M0); }}"
    ));
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(
        schemas["test.M1999"]["properties"]["next"]["items"]["$ref"],
        "#/components/schemas/test.M2000"
    );
}

#[test]
fn raw_bodies_have_any_content_type() {
    let document = of_action(
        "message M { google.api.HttpBody body = 1; string name = 2; }
        service Service {
            rpc In(M) returns (M) { option (google.api.http) = { post: '/in' body: 'body' response_body: 'body' }; }
            rpc Out(M) returns (stream google.api.HttpBody) { option (google.api.http) = { get: '/out/{name}' }; }
        }",
    );
    let any = json!({"*/*": {}});
    let both = &document["paths"]["/in"]["post"];
    assert_eq!(both["requestBody"]["content"], any);
    assert_eq!(both["responses"]["200"]["content"], any);
    assert_eq!(both["parameters"].as_array().unwrap().len(), 1);
    let out = &document["paths"]["/out/{name}"]["get"];
    assert_eq!(out["responses"]["200"]["content"], any);
}

#[test]
fn streams_are_events_or_lines() {
    let document = of_action(&format!(
        "{MESSAGES} service Service {{ rpc Both(stream M) returns (stream M); }}"
    ));
    let both = &document["paths"]["/test.Service/Both"]["post"];
    let schema = json!({"schema": {"$ref": "#/components/schemas/test.M"}});
    assert_eq!(
        both["requestBody"]["content"],
        json!({"application/json": schema, "application/x-ndjson": schema})
    );
    assert_eq!(
        both["responses"]["200"]["content"],
        json!({"text/event-stream": schema, "application/x-ndjson": schema})
    );
    assert_eq!(both["parameters"][0]["name"], "Last-Event-ID");
}
