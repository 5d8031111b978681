use crate::http::{HttpVerb, RequestBody};
use crate::testing::action;

const MESSAGES: &str = r#"
    enum Color { RED = 0; }
    message Inner { string id = 1; repeated string tags = 2; Color color = 3; Inner deeper = 4;
        oneof side { string left = 5; string right = 6; } }
    message Request {
        string id = 1; repeated string list = 2; map<string, string> pairs = 3; Inner inner = 4; Color color = 5;
        repeated Inner inners = 6; bytes raw = 7; oneof side { string left = 8; string right = 9; }
        optional string maybe = 10; optional string perhaps = 11;
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

/// The reason; and that rule, method, file and a fix go with it.
#[track_caller]
fn check_refusal(rule: &str, reason: &str) {
    let text = refusal(rule).unwrap_or_else(|| panic!("accepted: {rule}"));
    let (start, rest) = text.split_once(" (rule [").unwrap();
    assert_eq!(start, format!("HTTP API Config: {reason}"), "rule {rule}");
    let (_, fix) = rest
        .split_once("] of method [test.Service.Call] in file [test.proto]). ")
        .unwrap();
    assert!(fix.len() > 10 && fix.ends_with('.'), "{text}");
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
        "Custom patterns need an HTTP method with a path or [*] as their kind but [not currently supported] found!",
    );
    for kind in ["", "CONNECT", "GET:", "ü"] {
        check_refusal(
            &format!("custom {{ kind: '{kind}' path: '/a' }}"),
            &format!(
                "Custom patterns need an HTTP method with a path or [*] as their kind but [{kind}] found!"
            ),
        );
    }
    for kind in ["*", "HEAD", "OPTIONS", "LINK", "GET", "x-y"] {
        assert_eq!(refusal(&format!("custom {{ kind: '{kind}' path: '/a' }}")), None);
    }
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
fn variables_do_not_exclude_each_other() {
    check_refusal(
        "get: '/{left}/{right}'",
        "Path variables [left] and [right] are members of one oneof, of which a message can hold only one.",
    );
    check_refusal(
        "get: '/{inner.left}/{inner.right}'",
        "Path variables [inner.left] and [inner.right] are members of one oneof, of which a message can hold only one.",
    );
    assert_eq!(refusal("get: '/{left}/{inner.right}/{maybe}/{perhaps}'"), None);
}

#[test]
fn bodies_are_fields_of_any_type() {
    check_refusal(
        "post: '/a' body: 'missing'",
        "Body configured to [missing] but that field does not exist on input type.",
    );
    check_refusal(
        "post: '/a' body: 'inner.id'",
        "Body configured to [inner.id] but that field does not exist on input type.",
    );
    for body in [
        "", "*", "inner", "id", "list", "pairs", "inners", "color", "raw", "left",
    ] {
        assert_eq!(refusal(&format!("get: '/a' body: '{body}'")), None);
    }
}

#[test]
fn bodies_need_a_method_that_has_them() {
    for body in ["*", "inner"] {
        for kind in ["HEAD", "TRACE"] {
            check_refusal(
                &format!("custom {{ kind: '{kind}' path: '/a' }} body: '{body}'"),
                &format!("Body configured to [{body}] but HTTP Method {kind} does not have a request body."),
            );
        }
        for kind in ["OPTIONS", "LINK", "*"] {
            let rule = format!("custom {{ kind: '{kind}' path: '/a' }} body: '{body}'");
            assert_eq!(refusal(&rule), None);
        }
    }
    assert_eq!(refusal("custom { kind: 'HEAD' path: '/a' }"), None);
}

#[test]
fn a_field_comes_from_the_body_or_from_the_path() {
    check_refusal(
        "put: '/{id}' body: 'id'",
        "Body configured to [id] but a path variable sets that field too.",
    );
    check_refusal(
        "put: '/{left}' body: 'right'",
        "Body configured to [right] but the path variable [left] sets another member of the same oneof.",
    );
    assert_eq!(
        refusal("patch: '/{inner.id}' body: 'inner'"),
        None,
        "the path overwrites a field inside the body"
    );
}

#[test]
fn a_refusal_names_what_can_be_written() {
    for (rule, fix) in [
        (
            "get: '/{inner.nope}'",
            "The fields of [test.Inner] are id, tags, color, deeper, left, right.",
        ),
        (
            "get: '/{id.nope}'",
            "Only a message has fields to name after a dot.",
        ),
        (
            "get: '/{inner}'",
            "Name a field inside it as {inner.field}. The fields of [test.Inner] are id, ",
        ),
        (
            "get: '/a' response_body: 'nope'",
            "The fields of [test.Reply] are text, inners.",
        ),
        (
            "get: 'a'",
            "(rule [get: \"a\"] of method [test.Service.Call] in file [test.proto]). Put a / in front.",
        ),
        (
            "get: '/a' additional_bindings { put: '/a/{' }",
            "(rule [put: \"/a/{\"] of method [test.Service.Call] in file [test.proto]). Write a variable as {field}",
        ),
    ] {
        let text = refusal(rule).unwrap();
        assert!(text.contains(fix), "{rule}: {text}");
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
            "Custom patterns need an HTTP method with a path or [*] as their kind but [not currently supported] found!",
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
        let expected = format!("HTTP API Config: {reason} (rule [");
        assert!(
            error.starts_with(&expected),
            "illegal configuration {number}: {error}"
        );
        let place = "of method [test.Service.fail] in file [test.proto]). ";
        assert!(error.contains(place), "illegal configuration {number}: {error}");
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
        (&binding.verb, binding.template.to_string().as_str()),
        (&HttpVerb::Post, "/test.Service/Call")
    );
    assert_eq!(
        (&binding.body, &binding.response_body),
        (&RequestBody::Message, &None)
    );
}
