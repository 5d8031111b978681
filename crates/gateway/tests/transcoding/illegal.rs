//! Rules that are refused (11.2), with all that the function's author is told.

use crate::common::actions;

const PROTO: &str = r#"
    message Inner { string id = 1; repeated string tags = 2; }
    message Illegal {
      repeated string illegal_repeated = 1; string duplicated = 2; map<string, string> pairs = 3; Inner inner = 4;
      oneof side { string left = 5; string right = 6; }
    }
"#;

/// Checks that a rule on `rpc fail(Illegal) returns (Empty)` is refused with this text.
fn check(rule: &str, text: &str) {
    let proto = format!(
        "{PROTO} service Service {{ rpc fail(Illegal) returns (google.protobuf.Empty) {{ \
         option (google.api.http) = {{ {rule} }}; }} }}"
    );
    let refusal = actions(&proto).expect_err("the rule must be refused").to_string();
    let at = "of method [test.Service.fail] in file [test.proto]";
    assert_eq!(refusal, format!("HTTP API Config: {}", text.replace("AT", at)));
}

/// The ten declarations of the reference, by their numbers; the input of the empty ones does not matter here.
#[test]
fn the_illegal_rules_of_the_reference_are_refused() {
    // 0
    check(
        "",
        "Pattern missing for rule []! (rule [] AT). Set one of get, put, post, delete, patch and custom, such as get: \
         \"/carts/{user_id}\".",
    );
    // 1
    check(
        "selector: 'wrongSelector'",
        "Rule selector [wrongSelector] must be empty or [test.Service.fail] (rule [selector: \"wrongSelector\"] AT). Leave \
         the selector out: the rule stands with its method.",
    );
    // 2
    check(
        "post: 'no/initial/slash'",
        "Template must start with a slash at character 1 of 'no/initial/slash' (rule [post: \"no/initial/slash\"] AT). Put a \
         / in front.",
    );
    // 3
    check(
        "post: '/{illegal_repeated}'",
        "Repeated parameters [test.Illegal.illegal_repeated] are not allowed as path variables (rule [post: \
         \"/{illegal_repeated}\"] AT). Leave it out of the path: a repeated field can be a query parameter, and each a part of \
         the body.",
    );
    // 4
    check(
        "post: '/{duplicated}/{duplicated}'",
        "Duplicate path in template at character 16 of '/{duplicated}/{duplicated}' (rule [post: \
         \"/{duplicated}/{duplicated}\"] AT). Let each variable name another field.",
    );
    // 5
    check(
        "custom { kind: 'not currently supported' }",
        "Custom patterns need an HTTP method with a path or [*] as their kind but [not currently supported] found! (rule \
         [custom.kind: \"not currently supported\"] AT). Write the method as requests name it, such as HEAD, or * for every \
         method.",
    );
    // 6 and 7
    for body in ["not-available", "not_allowed"] {
        check(
            &format!("get: '/foo' body: '{body}'"),
            &format!(
                "Body configured to [{body}] but that field does not exist on input type. (rule [get: \"/foo\" body: \
                 \"{body}\"] AT). Write * for the whole message, or one of its fields. The fields of [test.Illegal] are \
                 illegal_repeated, duplicated, pairs, inner, left, right."
            ),
        );
    }
    // 8
    check(
        "get: '/foo' response_body: 'not-available'",
        "Response body field [not-available] does not exist on type [google.protobuf.Empty] (rule [get: \"/foo\" \
         response_body: \"not-available\"] AT). Leave it out for the whole message, or name one of its fields. \
         [google.protobuf.Empty] has no fields.",
    );
    // 9
    check(
        "get: '/a' additional_bindings { get: '/b' additional_bindings { get: '/c' } }",
        "Only one level of additionalBindings supported, but [get: \"/b\" additional_bindings: 1 rule] has more than one! \
         (rule [get: \"/b\" additional_bindings: 1 rule] AT). Put all additional_bindings into the outermost rule.",
    );
}

/// What the reference leaves pending.
#[test]
fn maps_in_the_path_and_bodies_where_there_are_none_are_refused() {
    check(
        "get: '/{pairs}'",
        "Repeated parameters [test.Illegal.pairs] are not allowed as path variables (rule [get: \"/{pairs}\"] AT). Leave it \
         out of the path: a repeated field can be a query parameter, and each a part of the body.",
    );
    for body in ["*", "inner"] {
        check(
            &format!("custom {{ kind: 'HEAD' path: '/a' }} body: '{body}'"),
            &format!(
                "Body configured to [{body}] but HTTP Method HEAD does not have a request body. (rule [custom.kind: \
                 \"HEAD\" custom.path: \"/a\" body: \"{body}\"] AT). Leave the body out, or use another HTTP method."
            ),
        );
    }
}

#[test]
fn further_checks_of_variables_name_the_way_out() {
    check(
        "get: '/{nope}'",
        "Unknown field name [nope] in type [test.Illegal] reference in path template for method [test.Service.fail] (rule \
         [get: \"/{nope}\"] AT). The fields of [test.Illegal] are illegal_repeated, duplicated, pairs, inner, left, right.",
    );
    check(
        "get: '/{inner}'",
        "Message path parameters not supported! The variable [inner] names one. (rule [get: \"/{inner}\"] AT). Name a field \
         inside it as {inner.field}. The fields of [test.Inner] are id, tags.",
    );
    check(
        "get: '/{inner.tags}'",
        "Repeated parameters [test.Inner.tags] are not allowed as path variables (rule [get: \"/{inner.tags}\"] AT). Leave it \
         out of the path: a repeated field can be a query parameter, and each a part of the body.",
    );
    check(
        "get: '/{left}/{right}'",
        "Path variables [left] and [right] are members of one oneof, of which a message can hold only one. (rule [get: \
         \"/{left}/{right}\"] AT). Put one of them into a binding of its own.",
    );
    check(
        "put: '/{duplicated}' body: 'duplicated'",
        "Body configured to [duplicated] but a path variable sets that field too. (rule [put: \"/{duplicated}\" body: \
         \"duplicated\"] AT). Leave the body out, or the variable.",
    );
}

/// The columns of 11.3.
#[test]
fn templates_that_do_not_parse_are_refused_at_their_column() {
    for (template, reason) in [
        (
            "/foo/{bar={baz}}",
            "Variable segments may not be nested at character 11",
        ),
        ("foo", "Template must start with a slash at character 1"),
        (
            "/foo/{bar*}",
            "Unclosed variable or unexpected character at character 10",
        ),
        (
            "/foo/{bar",
            "Unclosed variable or unexpected character at end of input",
        ),
        (
            "/f*o",
            "Expected '/', ':', path literal character, or end of input at character 3",
        ),
        (
            "/foo/{bar=ba*}",
            "Unclosed variable or unexpected character at character 13",
        ),
        (
            "/{1}",
            "Expected identifier first letter, but got '1' at character 3",
        ),
        (
            "/**/a",
            "Multi segment matchers (**) may only be in the last position of the template at character 2",
        ),
        ("/a%2", "'%' without two hexadecimal digits at character 3"),
    ] {
        let proto = format!(
            "{PROTO} service Service {{ rpc fail(Illegal) returns (Illegal) {{ \
             option (google.api.http) = {{ get: '{template}' }}; }} }}"
        );
        let refusal = actions(&proto).expect_err(template).to_string();
        let start =
            format!("HTTP API Config: {reason} of '{template}' (rule [get: \"{template}\"] of method");
        assert!(refusal.starts_with(&start), "{refusal}");
        assert!(refusal.ends_with('.'), "a fix follows: {refusal}");
    }
}
