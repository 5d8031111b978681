//! Which endpoint a request reaches (11.1), and what is answered where there is none.

use super::{Api, check, message};
use crate::common::run;

const MESSAGES: &str = "message Request { string id = 1; string other = 2; }";

#[test]
fn a_method_without_a_rule_has_a_generated_endpoint() {
    check(
        &format!(
            r#"{MESSAGES}
            service Service {{
              rpc Plain(Request) returns (Request);
              rpc Ruled(Request) returns (Request) {{ option (google.api.http).get = "/ruled"; }}
            }}"#
        ),
        &[
            ("POST /test.Service/Plain", r#"{"id":"a"}"#, r#"Plain {"id":"a"}"#),
            ("GET /test.Service/Plain", "", "405"),
            ("POST /test.Service/plain", "{}", "404"),
            ("GET /ruled", "", "Ruled {}"),
            ("POST /test.Service/Ruled", "{}", "404"),
        ],
    );
}

#[test]
fn of_endpoints_with_the_same_paths_the_last_defined_answers() {
    check(
        &format!(
            r#"{MESSAGES}
            service First {{
              rpc One(Request) returns (Request) {{ option (google.api.http).get = "/services/{{id}}"; }}
              rpc Two(Request) returns (Request) {{ option (google.api.http).get = "/methods/{{id}}"; }}
              rpc Three(Request) returns (Request) {{ option (google.api.http).get = "/methods/{{other}}"; }}
            }}
            service Second {{
              rpc Four(Request) returns (Request) {{ option (google.api.http).get = "/services/{{other=*}}"; }}
              rpc Five(Request) returns (Request) {{
                option (google.api.http) = {{
                  get: "/bindings/{{id}}"
                  additional_bindings {{ get: "/bindings/{{other}}" }}
                }};
              }}
            }}"#
        ),
        &[
            ("GET /services/a", "", r#"Four {"other":"a"}"#),
            ("GET /methods/a", "", r#"Three {"other":"a"}"#),
            ("GET /bindings/a", "", r#"Five {"other":"a"}"#),
        ],
    );
}

/// The reference takes the last defined of all that match. Here the more specific template goes before that.
#[test]
fn the_more_specific_template_answers() {
    check(
        &format!(
            r#"{MESSAGES}
            service Service {{
              rpc Verb(Request) returns (Request) {{ option (google.api.http).get = "/x/{{id}}:verb"; }}
              rpc Literal(Request) returns (Request) {{ option (google.api.http).get = "/x/fixed"; }}
              rpc One(Request) returns (Request) {{ option (google.api.http).get = "/x/{{id}}"; }}
              rpc Deep(Request) returns (Request) {{ option (google.api.http).get = "/{{id}}/fixed/y"; }}
              rpc Rest(Request) returns (Request) {{ option (google.api.http).get = "/x/{{id=**}}"; }}
              rpc All(Request) returns (Request) {{ option (google.api.http).get = "/**"; }}
              rpc Put(Request) returns (Request) {{ option (google.api.http) = {{ put: "/x/fixed" body: "*" }}; }}
              rpc Any(Request) returns (Request) {{
                option (google.api.http) = {{ custom {{ kind: "*" path: "/x/{{other}}" }} }};
              }}
            }}"#
        ),
        &[
            ("GET /x/fixed", "", "Literal {}"),
            ("GET /x/a", "", r#"One {"id":"a"}"#),
            ("GET /x/fixed:verb", "", r#"Verb {"id":"fixed"}"#),
            ("GET /x/a:other", "", r#"One {"id":"a:other"}"#),
            ("GET /x/a/b", "", r#"Rest {"id":"a/b"}"#),
            ("GET /x/fixed/y", "", r#"Rest {"id":"fixed/y"}"#),
            ("GET /y/fixed/y", "", r#"Deep {"id":"y"}"#),
            ("GET /y/z", "", "All {}"),
            ("GET /", "", "All {}"),
            // The HTTP method is looked at where the path fits; else the search goes on.
            ("PUT /x/fixed", "{}", "Put {}"),
            ("DELETE /x/fixed", "", r#"Any {"other":"fixed"}"#),
            ("DELETE /x/a", "", r#"Any {"other":"a"}"#),
            (
                "DELETE /y",
                "",
                "405 does not answer to DELETE; it does to GET, HEAD",
            ),
        ],
    );
}

#[test]
fn another_http_method_is_told_what_there_is() {
    run(async {
        let api = Api::of(&format!(
            r#"{MESSAGES}
            service Service {{
              rpc Call(Request) returns (Request) {{
                option (google.api.http) = {{
                  get: "/x"
                  additional_bindings {{ custom {{ kind: "LINK" path: "/x" }} }}
                  additional_bindings {{ patch: "/{{id}}" }}
                }};
              }}
            }}"#
        ))
        .await;
        for verb in ["POST", "OPTIONS", "link"] {
            let answer = api.send(&format!("{verb} /x"), "").await;
            assert_eq!(answer.status, 405);
            assert_eq!(answer.headers["allow"], "GET, HEAD, LINK, PATCH");
            assert!(message(&answer).contains("GET, HEAD, LINK, PATCH"), "{answer:?}");
        }
    });
}
