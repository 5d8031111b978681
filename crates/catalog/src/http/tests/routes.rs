use proptest::prelude::*;

use crate::Catalog;
use crate::http::Route;
use crate::testing::action;

/// A catalog with one method a rule, named `M0`, `M1` and so on.
fn catalog(rules: &[&str]) -> Catalog {
    let methods: String = rules
        .iter()
        .enumerate()
        .map(|(i, rule)| {
            format!("rpc M{i}(Request) returns (Request) {{ option (google.api.http) = {{ {rule} }}; }}")
        })
        .collect();
    action(&format!(
        "message Request {{ string bar = 1; string other = 2; Request nested = 3; }} service Service {{ {methods} }}"
    ))
    .unwrap()
    .0
}

/// The outcome on one line: `M0 bar=x`, `405 GET`, `404` or `400 reason`.
fn outcome(catalog: &Catalog, http_method: &str, path: &str) -> String {
    match catalog.routes().find(http_method, path) {
        Route::Found(found) => {
            let mut line = found.binding.method.name.to_string();
            for capture in &found.variables {
                let names: Vec<_> = capture
                    .fields
                    .iter()
                    .map(|field| field.name().to_owned())
                    .collect();
                line += &format!(" {}={}", names.join("."), capture.value);
            }
            line
        }
        Route::MethodNotAllowed { allow } => format!("405 {allow}"),
        Route::NotFound => "404".to_owned(),
        Route::Malformed { reason } => format!("400 {reason}"),
    }
}

#[track_caller]
fn check(template: &str, path: &str, expected: &str) {
    assert_eq!(
        outcome(&catalog(&[&format!("get: '{template}'")]), "GET", path),
        expected,
        "{template} on {path}"
    );
}

#[test]
fn literals_match_exactly() {
    check("/foo", "/foo", "M0");
    for path in ["/fo", "/foo/", "/foo/x", "/", "", "foo", "/Foo", "//foo"] {
        check("/foo", path, "404");
    }
    check("/", "/", "M0");
    check("/foo/", "/foo/", "M0");
    check("/foo/", "/foo", "404");
}

#[test]
fn variables_match_one_segment() {
    check("/foo/{bar}/baz", "/foo/blah/baz", "M0 bar=blah");
    check("/foo/{bar}/baz", "/foo/bl/ah/baz", "404");
    check("/foo/{bar}/baz", "/foo//baz", "M0 bar=");
    check("/foo/{bar}/baz/{other}", "/foo/a/baz/b", "M0 bar=a other=b");
    check("/foo/{bar}", "/foo/", "M0 bar=");
    check("/foo/{bar}", "/foo", "404");
    check("/foo/*", "/foo/x", "M0");
    check("/{nested.nested.bar}", "/x", "M0 nested.nested.bar=x");
}

#[test]
fn variables_with_a_template_match_its_segments() {
    check("/foo/{bar=*/a/*}/baz", "/foo/bl/a/h/baz", "M0 bar=bl/a/h");
    check("/foo/{bar=*/a/*}/baz", "/foo/bl/b/h/baz", "404");
    check("/foo/{bar=**}", "/foo/blah/baz", "M0 bar=blah/baz");
    check("/foo/{bar=**}", "/foo/", "M0 bar=");
    check("/foo/{bar=x/**}", "/foo/x/y/z", "M0 bar=x/y/z");
    check("/{other}/{bar=**}", "/a/b/c", "M0 other=a bar=b/c");
    check("/foo/**", "/foo/a/b", "M0");
}

#[test]
fn a_double_star_matches_no_segment_too() {
    check("/foo/{bar=**}", "/foo", "M0 bar=");
    check("/foo/{bar=x/**}", "/foo/x", "M0 bar=x");
    check("/foo/**", "/foo", "M0");
    check("/**", "/", "M0");
    check("/foo/{bar=**}:watch", "/foo:watch", "M0 bar=");
    check("/foo/{bar=**}", "/fo", "404");
    let both = catalog(&["get: '/foo/**'", "get: '/foo'", "get: '/**'"]);
    assert_eq!(outcome(&both, "GET", "/foo"), "M1", "what ends there goes first");
    assert_eq!(outcome(&both, "GET", "/foo/x"), "M0");
    assert_eq!(outcome(&both, "GET", "/x"), "M2");
}

#[test]
fn verbs_match_the_end() {
    check("/foo/{bar}:watch", "/foo/blah:watch", "M0 bar=blah");
    check("/foo/{bar}:watch", "/foo/blah", "404");
    check("/foo/{bar}:watch", "/foo/blah:other", "404");
    check("/foo/{bar}:watch", "/foo/a:b:watch", "M0 bar=a:b");
    check("/foo/{bar=**}:watch", "/foo/a/b:watch", "M0 bar=a/b");
    check("/foo/{bar=**}:watch", "/foo/a:watch/b", "404");
    check("/foo:watch", "/foo:watch", "M0");
    check("/foo:", "/foo:", "M0");
}

#[test]
fn values_may_contain_colons_unless_a_verb_matches() {
    let both = catalog(&["get: '/foo/{bar}:watch'", "get: '/foo/{bar}'"]);
    assert_eq!(outcome(&both, "GET", "/foo/a:watch"), "M0 bar=a");
    assert_eq!(outcome(&both, "GET", "/foo/a:b"), "M1 bar=a:b");
    assert_eq!(
        outcome(&both, "GET", "/foo/a%3Awatch"),
        "M1 bar=a:watch",
        "an escaped colon is data first"
    );
    check("/foo/{bar}:watch", "/foo/a%3awatch", "M0 bar=a");
}

#[test]
fn values_are_percent_decoded() {
    check("/foo/{bar}", "/foo/a%20b%2Fc%C3%BC+d", "M0 bar=a b/cü+d");
    check("/f%6Fo/{bar}", "/fo%6f/x", "M0 bar=x");
    check("/ü", "/%C3%BC", "M0");
    check("/a%2Fb", "/a%2Fb", "M0");
    check("/a%2Fb", "/a/b", "404");
}

#[test]
fn slashes_in_a_value_of_several_segments_stay_escaped() {
    check("/foo/{bar=**}", "/foo/a%2Fb/%2B%2f%25", "M0 bar=a%2Fb/+%2f%");
    check("/foo/{bar=**}", "/foo/a%2Fb", "M0 bar=a%2Fb");
    check("/{bar=foo/*}", "/fo%6F/a%2Fb%20c", "M0 bar=foo/a%2Fb c");
    check("/foo/{bar=*}", "/foo/a%2Fb", "M0 bar=a/b");
    check("/foo/{bar=**}:watch", "/foo/a%2Fb%3Awatch", "M0 bar=a%2Fb");
}

#[test]
fn broken_escapes_are_named() {
    check(
        "/foo/{bar}",
        "/foo/a%2",
        "400 `%` without two hexadecimal digits at byte 6 of the path",
    );
    check(
        "/foo/{bar}",
        "/foo/%zz",
        "400 `%` without two hexadecimal digits at byte 5 of the path",
    );
    check(
        "/foo/{bar}",
        "/foo/%ff",
        "400 escapes that are not UTF-8 in the segment at byte 5 of the path",
    );
    check(
        "/foo/{bar}",
        "/%+1/x",
        "400 `%` without two hexadecimal digits at byte 1 of the path",
    );
}

#[test]
fn literals_go_before_variables() {
    for rules in [
        ["get: '/a/b'", "get: '/a/{bar}'"],
        ["get: '/a/{bar}'", "get: '/a/b'"],
    ] {
        let catalog = catalog(&rules);
        let literal = rules.iter().position(|rule| rule.contains("/b")).unwrap();
        assert_eq!(outcome(&catalog, "GET", "/a/b"), format!("M{literal}"));
        assert_eq!(
            outcome(&catalog, "GET", "/a/c"),
            format!("M{} bar=c", 1 - literal)
        );
    }
    let leftmost = catalog(&["get: '/{bar}/b'", "get: '/a/{other}'", "get: '/{bar=**}'"]);
    assert_eq!(outcome(&leftmost, "GET", "/a/b"), "M1 other=b");
    assert_eq!(outcome(&leftmost, "GET", "/x/b"), "M0 bar=x");
    assert_eq!(outcome(&leftmost, "GET", "/x/y"), "M2 bar=x/y");
}

#[test]
fn a_dead_end_is_walked_back() {
    let catalog = catalog(&["get: '/a/b/c'", "get: '/{bar}/b/d'", "get: '/a/{bar=**}'"]);
    assert_eq!(
        outcome(&catalog, "GET", "/a/b/d"),
        "M2 bar=b/d",
        "the literal start goes first"
    );
    assert_eq!(outcome(&catalog, "GET", "/x/b/d"), "M1 bar=x");
}

#[test]
fn of_equal_templates_the_last_defined_wins() {
    let catalog = catalog(&[
        "get: '/a/{bar}' additional_bindings { get: '/a/{other}' }",
        "get: '/b/{bar}'",
        "get: '/b/{other=*}'",
    ]);
    assert_eq!(outcome(&catalog, "GET", "/a/x"), "M0 other=x");
    assert_eq!(outcome(&catalog, "GET", "/b/x"), "M2 other=x");
}

#[test]
fn the_http_method_decides_among_equal_paths() {
    let catalog = catalog(&[
        "get: '/a/{bar}'",
        "put: '/a/{bar}'",
        "post: '/a/b'",
        "delete: '/c'",
        "patch: '/c'",
        "custom { kind: '*' path: '/d' }",
        "custom { kind: 'LINK' path: '/c' }",
        "custom { kind: 'GET' path: '/g' }",
    ]);
    assert_eq!(
        outcome(&catalog, "GET", "/a/b"),
        "M0 bar=b",
        "the literal has only POST"
    );
    assert_eq!(outcome(&catalog, "HEAD", "/a/b"), "M0 bar=b");
    assert_eq!(outcome(&catalog, "PUT", "/a/x"), "M1 bar=x");
    assert_eq!(outcome(&catalog, "POST", "/a/b"), "M2");
    assert_eq!(outcome(&catalog, "PATCH", "/c"), "M4");
    assert_eq!(outcome(&catalog, "BREW", "/d"), "M5");
    assert_eq!(outcome(&catalog, "DELETE", "/a/b"), "405 GET, HEAD, POST, PUT");
    assert_eq!(outcome(&catalog, "LINK", "/c"), "M6");
    assert_eq!(outcome(&catalog, "HEAD", "/g"), "M7");
    assert_eq!(outcome(&catalog, "GET", "/c"), "405 DELETE, LINK, PATCH");
    assert_eq!(
        outcome(&catalog, "get", "/c"),
        "405 DELETE, LINK, PATCH",
        "HTTP methods are case sensitive"
    );
    assert_eq!(outcome(&catalog, "GET", "/e"), "404");
}

#[test]
fn the_more_exact_http_method_wins_in_any_order_of_definition() {
    let rules = [
        "custom { kind: '*' path: '/a' }",
        "get: '/a'",
        "custom { kind: 'HEAD' path: '/a' }",
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let catalog = catalog(&order.map(|rule: usize| rules[rule]));
        let named = |rule: usize| format!("M{}", order.iter().position(|at| *at == rule).unwrap());
        assert_eq!(outcome(&catalog, "HEAD", "/a"), named(2), "{order:?}");
        assert_eq!(outcome(&catalog, "GET", "/a"), named(1), "{order:?}");
        assert_eq!(outcome(&catalog, "PUT", "/a"), named(0), "{order:?}");
        assert_eq!(outcome(&catalog, "CONNECT", "/a"), "405 GET, HEAD", "{order:?}");
    }
}

#[test]
fn bindings_that_are_never_used_are_told_of() {
    let text = r#"message M { string a = 1; string b = 2; } service Service {
        rpc One(M) returns (M) { option (google.api.http) = { get: "/x/{a}" additional_bindings { put: "/x/{a}" } }; }
        rpc Two(M) returns (M) { option (google.api.http) = { get: "/x/{b=*}" additional_bindings { get: "/x/{b}:v" } }; }
    }"#;
    let warnings = action(text).unwrap().1;
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "the HTTP binding [GET /x/{a}] of [test.Service.One] is never used, since [GET /x/{b=*}] of \
          [test.Service.Two] answers to the same paths and is defined later. Give one of them another path"
        ]
    );
    assert!(warnings[0].is_reported());
}

#[test]
fn methods_without_rule_answer_at_their_grpc_path() {
    let (catalog, _) = action("message M {} service Service { rpc Call(M) returns (M); }").unwrap();
    assert_eq!(outcome(&catalog, "POST", "/test.Service/Call"), "Call");
    assert_eq!(outcome(&catalog, "GET", "/test.Service/Call"), "405 POST");
    assert_eq!(outcome(&catalog, "POST", "/test.Service/call"), "404");
}

/// Template and path segments, and whether they match, by the definition of each kind.
fn segment() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(|text| (text.clone(), text)),
        "[a-z:%+ü]{0,4}".prop_map(|text| ("*".to_owned(), encode(&text))),
    ]
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'+' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_path_made_from_a_template_is_found_and_captured(
        segments in proptest::collection::vec(segment(), 1..5),
        value in "[a-z:/ü%+ ]{0,6}",
    ) {
        let template: String = segments.iter().map(|(segment, _)| format!("/{segment}")).collect();
        let path: String = segments.iter().map(|(_, text)| format!("/{text}")).collect();
        let catalog = catalog(&[&format!("get: '{template}/{{bar}}'")]);
        let outcome = outcome(&catalog, "GET", &format!("{path}/{}", encode(&value)));
        prop_assert_eq!(outcome, format!("M0 bar={value}"));
    }

    #[test]
    fn any_path_has_an_outcome(path in "/?[/%:a0-9fü]{0,16}") {
        let catalog = catalog(&["get: '/{bar}/a:a'", "get: '/a/{bar=**}:a'", "get: '/{bar=a/**}'", "get: '/*/{bar}/'"]);
        prop_assert!(!outcome(&catalog, "GET", &path).is_empty());
    }
}
