//! From a request to the message of the call (11.4).

use bytes::Bytes;

use super::{Api, Outcome, check, message};
use crate::common::run;

const PROTO: &str = r#"
    enum Colour { RED = 0; GREEN = 1; }
    message Book { string name = 1; string title = 2; int32 pages = 3; Book sequel = 4; }
    message Request {
      string id = 1;
      Book book = 2;
      repeated string tags = 3;
      map<string, int32> prices = 4;
      int64 number = 5;
      Colour colour = 6;
      bytes raw = 7;
      google.protobuf.Timestamp at = 8;
      google.api.HttpBody file = 9;
      repeated Book books = 10;
      google.protobuf.Value any_json = 11;
      oneof side { string left = 12; string right = 13; }
      bool flag = 14;
      repeated google.api.HttpBody files = 15;
    }
    service Service {
      rpc Query(Request) returns (Request) { option (google.api.http).get = "/query/{id}"; }
      rpc Whole(Request) returns (Request) {
        option (google.api.http) = {
          post: "/whole/{id}" body: "*"
          additional_bindings { put: "/whole/{id}/{book.name=books/*}" body: "*" }
          additional_bindings { delete: "/whole/{id}" body: "*" }
          additional_bindings { put: "/number/{number}" body: "*" }
        };
      }
      rpc Field(Request) returns (Request) {
        option (google.api.http) = {
          post: "/book/{id}" body: "book"
          additional_bindings { patch: "/{book.name=books/*}" body: "book" }
          additional_bindings { post: "/tags" body: "tags" }
          additional_bindings { post: "/prices" body: "prices" }
          additional_bindings { post: "/number" body: "number" }
          additional_bindings { post: "/colour" body: "colour" }
          additional_bindings { post: "/raw" body: "raw" }
          additional_bindings { post: "/at" body: "at" }
          additional_bindings { post: "/books" body: "books" }
          additional_bindings { post: "/any_json" body: "any_json" }
          additional_bindings { post: "/left" body: "left" }
          additional_bindings { post: "/file/{id}" body: "file" }
          additional_bindings { post: "/files" body: "files" }
        };
      }
    }
"#;

#[test]
fn without_body_fields_come_from_query_and_path_and_the_path_wins() {
    check(
        PROTO,
        &[
            (
                "GET /query/a?book.title=t",
                "",
                r#"Query {"id":"a","book":{"title":"t"}}"#,
            ),
            ("GET /query/a?id=b", "", r#"Query {"id":"a"}"#),
            // A body is not looked at, whatever it is.
            ("GET /query/a", "{]", r#"Query {"id":"a"}"#),
        ],
    );
}

#[test]
fn a_whole_body_is_overwritten_by_the_path_and_the_query_is_not_looked_at() {
    check(
        PROTO,
        &[
            (
                "POST /whole/a?number=7&nope=1",
                r#"{"id":"b","number":5}"#,
                r#"Whole {"id":"a","number":"5"}"#,
            ),
            (
                "PUT /whole/a/books/b",
                r#"{"book":{"name":"x","title":"t"}}"#,
                r#"Whole {"id":"a","book":{"name":"books/b","title":"t"}}"#,
            ),
            (
                "DELETE /whole/a",
                r#"{"flag":true}"#,
                r#"Whole {"id":"a","flag":true}"#,
            ),
            // Also with a value that is the default.
            ("POST /whole/", r#"{"id":"b"}"#, "Whole {}"),
            ("PUT /number/0", r#"{"number":"5"}"#, "Whole {}"),
            ("POST /whole/a", "", "415"),
            (
                "POST /whole/a",
                " ",
                "400 the request body is empty, but must be JSON for test.Request",
            ),
        ],
    );
}

#[test]
fn a_body_field_is_completed_by_query_and_path() {
    check(
        PROTO,
        &[
            (
                "POST /book/a?number=7&tags=x&tags=y",
                r#"{"title":"t"}"#,
                r#"Field {"id":"a","number":"7","tags":["x","y"],"book":{"title":"t"}}"#,
            ),
            // What lies inside the body comes from the body alone.
            (
                "POST /book/a?book.title=q&book.pages=7",
                r#"{"title":"t"}"#,
                r#"Field {"id":"a","book":{"title":"t"}}"#,
            ),
            // But for what the path binds: the usual form of an update.
            (
                "PATCH /books/b",
                r#"{"name":"books/x","title":"t","sequel":{"name":"s"}}"#,
                r#"Field {"book":{"name":"books/b","title":"t","sequel":{"name":"s"}}}"#,
            ),
            ("POST /book/a", "{}", r#"Field {"id":"a","book":{}}"#),
            ("POST /book/a", "[]", "400 [book]"),
            (
                "POST /book/a",
                r#"{"sequel":{"pages":"x"}}"#,
                "400 [book.sequel.pages]",
            ),
            (
                "POST /book/a",
                r#"{"nope":1}"#,
                "400 [book.nope] at line 1, column 7",
            ),
            ("POST /book/a?nope=1", "{}", "400 [nope]"),
        ],
    );
}

#[test]
fn a_body_field_is_of_any_type() {
    check(
        PROTO,
        &[
            ("POST /tags", r#"["a","b"]"#, r#"Field {"tags":["a","b"]}"#),
            ("POST /tags", "[]", "Field {}"),
            ("POST /tags", r#"["a",1]"#, "400 [tags[1]] at line 1, column "),
            (
                "POST /prices",
                r#"{"a":1,"b":"2"}"#,
                r#"Field {"prices":{"a":1,"b":2}}"#,
            ),
            ("POST /prices", r#"{"a":1.5}"#, "400 [prices.a]"),
            (
                "POST /number",
                r#""9007199254740993""#,
                r#"Field {"number":"9007199254740993"}"#,
            ),
            (
                "POST /number",
                "9007199254740993",
                r#"Field {"number":"9007199254740993"}"#,
            ),
            ("POST /number", "{}", "400 [number]"),
            ("POST /number", "1 2", "400 malformed JSON at line 1, column 3"),
            (
                "POST /number",
                r#"1,"flag":true"#,
                "400 malformed JSON at line 1, column 2",
            ),
            ("POST /number", "", "415"),
            ("POST /number", " ", "400 empty"),
            (
                "POST /number?flag=true",
                "7",
                r#"Field {"flag":true,"number":"7"}"#,
            ),
            ("POST /colour", r#""GREEN""#, r#"Field {"colour":"GREEN"}"#),
            ("POST /colour", "1", r#"Field {"colour":"GREEN"}"#),
            ("POST /colour", r#""BLUE""#, "400 [colour]"),
            ("POST /raw", r#""_-8""#, r#"Field {"raw":"/+8="}"#),
            (
                "POST /at",
                r#""2026-01-02T03:04:05Z""#,
                r#"Field {"at":"2026-01-02T03:04:05Z"}"#,
            ),
            ("POST /at", r#""noon""#, "400 [at]"),
            (
                "POST /books",
                r#"[{"title":"t"},{}]"#,
                r#"Field {"books":[{"title":"t"},{}]}"#,
            ),
            ("POST /books", r#"[{"nope":"t"}]"#, "400 [books[0].nope]"),
            (
                "POST /any_json",
                r#"{"a":[1,null]}"#,
                r#"Field {"anyJson":{"a":[1.0,null]}}"#,
            ),
            ("POST /any_json", "null", r#"Field {"anyJson":null}"#),
            ("POST /left?flag=1", r#""l""#, "400 [flag]"),
            // A member of the same oneof comes later and wins.
            ("POST /left?right=r", r#""l""#, r#"Field {"right":"r"}"#),
        ],
    );
}

#[test]
fn content_that_is_not_json_goes_into_an_http_body() {
    run(async {
        let api = Api::of(PROTO).await;
        let request = api.client.request("POST", "/file/a?flag=true");
        let request = request.header("content-type", "image/png");
        let answer = api.client.send(request, &[Bytes::from_static(b"\xff\0")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            api.calls.borrow_mut().pop().as_deref(),
            Some(r#"Field {"file":{"contentType":"image/png","data":"/wA="},"flag":true,"id":"a"}"#)
        );
        // Without content, and without a type of it.
        let answer = api.client.send(api.client.request("POST", "/file/a"), &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            api.calls.borrow_mut().pop().as_deref(),
            Some(r#"Field {"file":{},"id":"a"}"#)
        );
        // Several of them are JSON.
        let outcome = api
            .outcome("POST /files", r#"[{"contentType":"text/plain","data":"YQ"}]"#)
            .await;
        assert!(
            matches!(&outcome, Outcome::Called(_, request) if request["files"][0]["data"] == "YQ=="),
            "{outcome:?}"
        );
    });
}

#[test]
fn json_is_announced_as_json() {
    run(async {
        let api = Api::of(PROTO).await;
        for (content_type, status) in [
            ("application/json", 200),
            ("APPLICATION/json ; charset=utf-8", 200),
            ("application/json; charset=utf-16", 415),
            ("text/json", 415),
            ("", 415),
        ] {
            let request = api.client.request("POST", "/whole/a");
            let request = request.header("content-type", content_type);
            let answer = api.client.send(request, &["{}".into()]).await;
            assert_eq!(answer.status, status, "{content_type}");
            if status == 415 {
                assert!(message(&answer).contains(&format!("[{content_type}]")));
            }
        }
    });
}
