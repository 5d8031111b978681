//! Path templates of the reference (11.3), and where this one differs: a value may hold a colon, `+` is a plus, `**` may match
//! nothing, and `%2F` stays in values of several segments.

use super::check;

fn matching(template: &str, cases: &[(&str, Option<&str>)]) {
    let proto = format!(
        r#"message Request {{ string bar = 1; string other = 2; }}
        service Service {{ rpc M(Request) returns (Request) {{ option (google.api.http).get = "{template}"; }} }}"#
    );
    let cases: Vec<(String, String)> = cases
        .iter()
        .map(|(path, expected)| {
            let expected = expected.map_or("404".to_owned(), |call| format!("M {call}"));
            (format!("GET {path}"), expected)
        })
        .collect();
    let cases: Vec<_> = cases
        .iter()
        .map(|(request, expected)| (request.as_str(), "", expected.as_str()))
        .collect();
    check(&proto, &cases);
}

#[test]
fn the_vectors_of_the_reference_match() {
    matching(
        "/foo",
        &[
            ("/foo", Some("{}")),
            ("/foo/", None),
            ("/foo/bar", None),
            ("/fo", None),
        ],
    );
    matching(
        "/foo/{bar}/baz",
        &[
            ("/foo/blah/baz", Some(r#"{"bar":"blah"}"#)),
            ("/foo/bl/ah/baz", None),
        ],
    );
    matching(
        "/foo/{bar}/baz/{other}",
        &[("/foo/a/baz/b", Some(r#"{"bar":"a","other":"b"}"#))],
    );
    matching(
        "/foo/{bar=*/a/*}/baz",
        &[
            ("/foo/bl/a/h/baz", Some(r#"{"bar":"bl/a/h"}"#)),
            ("/foo/bl/b/h/baz", None),
        ],
    );
    matching(
        "/foo/{bar=**}",
        &[("/foo/blah/baz", Some(r#"{"bar":"blah/baz"}"#))],
    );
    matching(
        "/foo/{bar}:watch",
        &[
            ("/foo/blah:watch", Some(r#"{"bar":"blah"}"#)),
            ("/foo/blah", None),
        ],
    );
}

#[test]
fn single_segments_may_be_empty() {
    matching("/foo/{bar}/baz", &[("/foo//baz", Some("{}"))]);
    matching("/foo/*", &[("/foo/", Some("{}")), ("/foo", None)]);
}

#[test]
fn what_the_reference_cannot_match_does() {
    matching(
        "/foo/{bar}",
        &[
            ("/foo/a:b", Some(r#"{"bar":"a:b"}"#)),
            ("/foo/a+b", Some(r#"{"bar":"a+b"}"#)),
            ("/foo/a%2Bb%20c", Some(r#"{"bar":"a+b c"}"#)),
            ("/foo/a%2Fb", Some(r#"{"bar":"a/b"}"#)),
            ("/foo/a@!$&'()*,;=b", Some(r#"{"bar":"a@!$&'()*,;=b"}"#)),
        ],
    );
    matching(
        "/foo/{bar=**}",
        &[("/foo", Some("{}")), ("/foo/a%2Fb", Some(r#"{"bar":"a%2Fb"}"#))],
    );
    matching("/foo/{bar}:watch", &[("/foo/a%3Awatch", Some(r#"{"bar":"a"}"#))]);
}

#[test]
fn paths_that_do_not_decode_are_refused() {
    let proto = r#"message Request { string bar = 1; }
        service Service { rpc M(Request) returns (Request) { option (google.api.http).get = "/foo/{bar}"; } }"#;
    check(
        proto,
        &[
            (
                "GET /foo/%zz",
                "",
                "400 `%` without two hexadecimal digits at byte 5 of the path",
            ),
            (
                "GET /foo/a%2",
                "",
                "400 `%` without two hexadecimal digits at byte 6 of the path",
            ),
            (
                "GET /foo/%FF",
                "",
                "400 escapes that are not UTF-8 in the segment at byte 5 of the path",
            ),
        ],
    );
}
