use crate::http::{HttpVerb, RequestBody};
use crate::testing::action;

const MESSAGES: &str = r#"
    enum Color { RED = 0; }
    message Inner { string id = 1; repeated string tags = 2; Color color = 3; Inner deeper = 4; }
    message Request {
        string id = 1; repeated string list = 2; map<string, string> pairs = 3; Inner inner = 4; Color color = 5;
        repeated Inner inners = 6; bytes raw = 7;
    }
    message Reply { string text = 1; repeated Inner inners = 2; }
"#;

/// What is reported for a rule on `rpc Call(Request) returns (Reply)`, or `None` if it is accepted.
fn refusal(rule: &str) -> Option<String> {
    let text = format!(
        "{MESSAGES} service Service {{ rpc Call(Request) returns (Reply) {{ option (google.api.http) = {{ {rule} }}; }} }}"
    );
    action(&text).err().map(|error| error.to_string())
}

#[track_caller]
fn check_refusal(rule: &str, reason: &str) {
    let place = "(method [test.Service.Call] in file [test.proto])";
    assert_eq!(
        refusal(rule),
        Some(format!("HTTP API Config: {reason} {place}")),
        "rule {rule}"
    );
}

#[test]
fn selectors_name_the_method() {
    check_refusal(
        "selector: 'wrongSelector' get: '/a'",
        "Rule selector [wrongSelector] must be empty or [test.Service.Call]",
    );
    assert_eq!(refusal("selector: 'test.Service.Call' get: '/a'"), None);
}

#[test]
fn a_pattern_is_needed() {
    check_refusal("", "Pattern missing for rule []!");
    check_refusal("body: '*'", "Pattern missing for rule [body: \"*\"]!");
    check_refusal(
        "custom { kind: 'not currently supported' path: '/a' }",
        "Only Custom patterns with [*] kind supported but [not currently supported] found!",
    );
    assert_eq!(refusal("custom { kind: '*' path: '/a' }"), None);
}

#[test]
fn templates_are_checked() {
    check_refusal(
        "post: 'no/initial/slash'",
        "Template must start with a slash at character 1 of 'no/initial/slash'",
    );
    check_refusal(
        "post: '/{id}/{id}'",
        "Duplicate path in template at character 8 of '/{id}/{id}'",
    );
}

#[test]
fn variables_name_singular_scalar_fields() {
    for name in ["missing", "id.deeper", "inner.missing", "Id"] {
        check_refusal(
            &format!("get: '/{{{name}}}'"),
            &format!(
                "Unknown field name [{name}] in type [test.Request] reference in path template for method \
                 [test.Service.Call]"
            ),
        );
    }
    for (name, field) in [
        ("list", "test.Request.list"),
        ("pairs", "test.Request.pairs"),
        ("inners.id", "test.Request.inners"),
        ("inner.tags", "test.Inner.tags"),
    ] {
        check_refusal(
            &format!("get: '/{{{name}}}'"),
            &format!("Repeated parameters [{field}] are not allowed as path variables"),
        );
    }
    check_refusal(
        "get: '/{inner.deeper}'",
        "Message path parameters not supported! The variable [inner.deeper] names one.",
    );
    assert_eq!(
        refusal("get: '/{id}/{inner.id}/{inner.deeper.deeper.color}/{color}/{raw}'"),
        None
    );
}

#[test]
fn bodies_are_message_fields() {
    check_refusal(
        "post: '/a' body: 'missing'",
        "Body configured to [missing] but that field does not exist on input type.",
    );
    for repeated in ["list", "pairs"] {
        check_refusal(
            &format!("post: '/a' body: '{repeated}'"),
            &format!("Body configured to [{repeated}] but that field is a repeated field."),
        );
    }
    check_refusal(
        "post: '/a' body: 'id'",
        "Body configured to [id] but that field is not a message field.",
    );
    for body in ["", "*", "inner"] {
        assert_eq!(refusal(&format!("get: '/a' body: '{body}'")), None);
    }
}

#[test]
fn response_bodies_are_fields_of_the_reply() {
    check_refusal(
        "get: '/a' response_body: 'missing'",
        "Response body field [missing] does not exist on type [test.Reply]",
    );
    assert_eq!(refusal("get: '/a' response_body: 'inners'"), None);
}

#[test]
fn bindings_do_not_nest() {
    check_refusal(
        "get: '/a' additional_bindings { get: '/b' additional_bindings { get: '/c' } }",
        "Only one level of additionalBindings supported, but [get: \"/b\" additional_bindings: 1 rule] has more than \
         one!",
    );
    check_refusal(
        "get: '/a' additional_bindings { get: 'b' }",
        "Template must start with a slash at character 1 of 'b'",
    );
}

/// The illegal rules of the reference, with its names.
#[test]
fn the_illegal_configurations_of_the_reference_are_refused() {
    let unit = "google.protobuf.Empty";
    for (number, input, rule, reason) in [
        (0, unit, "", "Pattern missing for rule []!"),
        (
            1,
            unit,
            "selector: 'wrongSelector'",
            "Rule selector [wrongSelector] must be empty or [test.Service.fail]",
        ),
        (
            2,
            unit,
            "post: 'no/initial/slash'",
            "Template must start with a slash at character 1 of 'no/initial/slash'",
        ),
        (
            3,
            "Illegal",
            "post: '/{illegal_repeated}'",
            "Repeated parameters [test.Illegal.illegal_repeated] are not allowed as path variables",
        ),
        (
            4,
            "Illegal",
            "post: '/{duplicated}/{duplicated}'",
            "Duplicate path in template at character 16 of '/{duplicated}/{duplicated}'",
        ),
        (
            5,
            unit,
            "custom { kind: 'not currently supported' }",
            "Only Custom patterns with [*] kind supported but [not currently supported] found!",
        ),
        (
            6,
            unit,
            "get: '/foo' body: 'not-available'",
            "Body configured to [not-available] but that field does not exist on input type.",
        ),
        (
            7,
            unit,
            "get: '/foo' body: 'not_allowed'",
            "Body configured to [not_allowed] but that field does not exist on input type.",
        ),
        (
            8,
            unit,
            "get: '/foo' response_body: 'not-available'",
            "Response body field [not-available] does not exist on type [google.protobuf.Empty]",
        ),
        (
            9,
            unit,
            "get: '/foo' additional_bindings { get: '/b' additional_bindings { get: '/c' } }",
            "Only one level of additionalBindings supported, but [get: \"/b\" additional_bindings: 1 rule] has more \
             than one!",
        ),
    ] {
        let text = format!(
            "message Illegal {{ repeated string illegal_repeated = 1; string duplicated = 2; }} service Service {{ \
             rpc fail({input}) returns (google.protobuf.Empty) {{ option (google.api.http) = {{ {rule} }}; }} }}"
        );
        let error = action(&text).expect_err("the rule is illegal").to_string();
        let expected = format!("HTTP API Config: {reason} (method [test.Service.fail] in file [test.proto])");
        assert_eq!(error, expected, "illegal configuration {number}");
    }
}

#[test]
fn a_rule_becomes_one_binding_and_one_for_each_additional() {
    let (catalog, _) = action(&format!(
        r#"{MESSAGES} service Service {{
            rpc Call(Request) returns (Reply) {{ option (google.api.http) = {{
                put: "/a/{{inner.id}}" body: "inner" response_body: "text"
                additional_bindings {{ delete: "/b" }}
                additional_bindings {{ patch: "/c" body: "*" }}
            }}; }} }}"#
    ))
    .unwrap();
    let bindings = catalog.http_bindings();
    let shapes: Vec<_> = bindings
        .iter()
        .map(|b| format!("{} {}", b.verb, b.template))
        .collect();
    assert_eq!(
        shapes,
        ["PUT /a/{inner.id}", "DELETE /b", "PATCH /c"],
        "there is no generated binding beside a rule"
    );
    let fields: Vec<_> = bindings[0].variables[0]
        .iter()
        .map(|field| field.full_name().to_owned())
        .collect();
    assert_eq!(fields, ["test.Request.inner", "test.Inner.id"]);
    assert!(matches!(&bindings[0].body, RequestBody::Field(field) if field.name() == "inner"));
    assert_eq!(
        bindings[0].response_body.as_ref().map(|field| field.name()),
        Some("text")
    );
    assert_eq!(bindings[1].body, RequestBody::Ignored);
    assert_eq!(bindings[2].body, RequestBody::Message);
}

#[test]
fn a_method_without_rule_has_a_generated_binding() {
    let (catalog, _) = action(&format!(
        "{MESSAGES} service Service {{ rpc Call(Request) returns (Reply); }}"
    ))
    .unwrap();
    let [binding] = catalog.http_bindings() else {
        panic!("one binding")
    };
    assert_eq!(
        (binding.verb, binding.template.to_string().as_str()),
        (HttpVerb::Post, "/test.Service/Call")
    );
    assert_eq!(
        (&binding.body, &binding.response_body),
        (&RequestBody::Message, &None)
    );
}
