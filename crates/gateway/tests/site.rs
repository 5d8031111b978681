//! What is served beside the function: static files and the OpenAPI document, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use cloudstate_gateway::{Options, StaticFiles};
use common::raw::{Answer, Client, connect};
use common::{Script, one, run, serve};
use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PAGE: &str = "<h1>Grüße</h1>";

/// A directory with a page, a script, and what must not be served.
fn site() -> TempDir {
    let outer = tempfile::tempdir().unwrap();
    let at = |path: &str| outer.path().join(path);
    for directory in [
        "site/sub",
        "site/empty",
        "site/.git",
        "site/.well-known",
        "site/carts",
    ] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    fs::write(at("secret.txt"), "secret").unwrap();
    for (path, text) in [
        ("index.html", PAGE),
        ("app.js", "alert(1)"),
        ("data.bin", "0123456789"),
        ("no-suffix", "?"),
        ("a b.txt", "blank"),
        ("sub/index.html", "below"),
        (".env", "secret"),
        (".git/config", "secret"),
        (".well-known/security.txt", "contact"),
        ("carts/ann", "never seen"),
        ("shop.Cart", "a file where a directory would be"),
    ] {
        fs::write(at("site").join(path), text).unwrap();
    }
    symlink("app.js", at("site/inside.js")).unwrap();
    symlink(at("secret.txt"), at("site/outside.txt")).unwrap();
    symlink(outer.path(), at("site/up")).unwrap();
    symlink("loop", at("site/loop")).unwrap();
    outer
}

fn options(directory: &Path, max_open: usize) -> Options {
    Options {
        static_files: Some(StaticFiles::new(directory, max_open).unwrap()),
        ..Options::default()
    }
}

/// A client of a gateway with that site, whose function answers to all.
async fn client(outer: &TempDir) -> Client {
    let options = options(&outer.path().join("site"), 10);
    connect(serve(Script::new(|_| async { one("") }), options).await.port).await
}

async fn get(client: &Client, path: &str) -> Answer {
    client.send(client.request("GET", path), &[]).await
}

async fn get_with(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.request("GET", path);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request, &[]).await
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn files_are_served_with_their_types() {
    run(async {
        let outer = site();
        let client = client(&outer).await;
        for (path, content_type, content) in [
            ("/", "text/html; charset=utf-8", PAGE),
            ("/index.html", "text/html; charset=utf-8", PAGE),
            ("/?a=b", "text/html; charset=utf-8", PAGE),
            ("/app.js", "text/javascript; charset=utf-8", "alert(1)"),
            ("/data.bin", "application/octet-stream", "0123456789"),
            ("/no-suffix", "application/octet-stream", "?"),
            ("/a%20b.txt", "text/plain; charset=utf-8", "blank"),
            ("/sub/", "text/html; charset=utf-8", "below"),
            (
                "/.well-known/security.txt",
                "text/plain; charset=utf-8",
                "contact",
            ),
            ("/inside.js", "text/javascript; charset=utf-8", "alert(1)"),
        ] {
            let answer = get(&client, path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert_eq!(answer.headers["content-type"], content_type, "{path}");
            assert_eq!(
                answer.headers["content-length"],
                content.len().to_string(),
                "{path}"
            );
            assert_eq!(answer.headers["cache-control"], "no-cache", "{path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(text(&answer), content, "{path}");
        }
    });
}

#[test]
fn what_is_hidden_or_outside_is_not_there() {
    run(async {
        let outer = site();
        assert!(
            Command::new("mkfifo")
                .arg(outer.path().join("site/pipe"))
                .status()
                .unwrap()
                .success()
        );
        let client = client(&outer).await;
        for path in [
            "/.env",
            "/.git/config",
            "/sub/..%2f.env",
            "/sub%2f..%2f.git%2fconfig",
            "/../secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e/secret.txt",
            "/sub/../../secret.txt",
            "//secret.txt",
            "//sub",
            "/outside.txt",
            "/up/secret.txt",
            "/pipe",
            "/app.js/",
            "/app.js/x",
            "/empty/",
            "/missing",
            "/a%00b",
            "/%ff",
        ] {
            let answer = get(&client, path).await;
            let known = [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST];
            assert!(known.contains(&answer.status), "{path}: {answer:?}");
            assert_eq!(answer.headers["content-type"], "application/json", "{path}");
            assert!(!text(&answer).contains("secret\""), "{path}");
        }
    });
}

#[test]
fn the_function_goes_first() {
    run(async {
        let outer = site();
        let client = client(&outer).await;
        let answer = get(&client, "/carts/ann").await;
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(
            serde_json::from_slice::<Value>(&answer.body).unwrap()["version"],
            "0",
            "the function's cart, not the file"
        );
        // The function answers to POST there, and to nothing else.
        let answer = get(&client, "/shop.Cart/Plain").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        let answer = client.send(client.request("POST", "/index.html"), &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "files are read only");
    });
}

#[test]
fn what_cannot_be_read_is_no_fault_of_the_client() {
    run(async {
        let outer = site();
        let answer = get(&client(&outer).await, "/loop").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            text(&answer).contains("the file of [/loop] cannot be read"),
            "{answer:?}"
        );
    });
}

#[test]
fn a_directory_without_its_slash_is_redirected() {
    run(async {
        let outer = site();
        let answer = get(&client(&outer).await, "/sub?a=b").await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(
            answer.headers["location"], "/sub/?a=b",
            "on whatever host the client knows"
        );
    });
}

#[test]
fn a_client_that_has_the_file_is_told_so() {
    run(async {
        let outer = site();
        let client = client(&outer).await;
        let etag = get(&client, "/app.js").await.headers["etag"]
            .to_str()
            .unwrap()
            .to_owned();
        let since = get(&client, "/app.js").await.headers["last-modified"]
            .to_str()
            .unwrap()
            .to_owned();
        for known in [("if-none-match", &etag), ("if-modified-since", &since)] {
            let answer = get_with(&client, "/app.js", &[(known.0, known.1)]).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(answer.headers["etag"], etag.as_str());
            assert!(answer.body.is_empty());
        }
        let answer = get_with(&client, "/app.js", &[("if-match", "\"other\"")]).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
        fs::write(outer.path().join("site/app.js"), "alert(2); // longer").unwrap();
        let answer = get_with(&client, "/app.js", &[("if-none-match", &etag)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(text(&answer), "alert(2); // longer");
    });
}

#[test]
fn parts_of_files_can_be_had() {
    run(async {
        let outer = site();
        let client = client(&outer).await;
        let answer = get_with(&client, "/data.bin", &[("range", "bytes=2-4")]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(answer.headers["content-range"], "bytes 2-4/10");
        assert_eq!(text(&answer), "234");
        let answer = get_with(&client, "/data.bin", &[("range", "bytes=-3")]).await;
        assert_eq!(text(&answer), "789");
        let answer = get_with(&client, "/data.bin", &[("range", "bytes=20-")]).await;
        assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
        for whole in [
            &[("range", "bytes=0-1,4-5")][..],
            &[("range", "bytes=2-4"), ("if-range", "\"another version\"")],
        ] {
            let answer = get_with(&client, "/data.bin", whole).await;
            assert_eq!(
                (answer.status, text(&answer)),
                (StatusCode::OK, "0123456789"),
                "{whole:?}"
            );
        }
    });
}

#[test]
fn head_tells_what_get_would() {
    run(async {
        let outer = site();
        let client = client(&outer).await;
        for path in ["/data.bin", "/openapi.json"] {
            let got = get(&client, path).await;
            let told = client.send(client.request("HEAD", path), &[]).await;
            assert_eq!(told.status, StatusCode::OK, "{path}");
            assert!(told.body.is_empty(), "{path}");
            assert_eq!(
                told.headers["content-length"],
                got.body.len().to_string(),
                "{path}"
            );
            assert_eq!(told.headers["etag"], got.headers["etag"], "{path}");
        }
    });
}

#[test]
fn http_1_serves_the_same() {
    run(async {
        let outer = site();
        let options = options(&outer.path().join("site"), 10);
        let server = serve(Script::new(|_| async { one("") }), options).await;
        let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        // The second on the same connection shows where the first one ended.
        io.write_all(
            b"GET /app.js HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
        let mut answer = String::new();
        io.read_to_string(&mut answer).await.unwrap();
        let (first, second) = answer.split_once("alert(1)").unwrap();
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(first.contains("content-length: 8\r\n"), "{answer}");
        assert!(second.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            second.contains("content-length: 16\r\n") && second.ends_with("\r\n\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn a_large_file_arrives_whole() {
    run(async {
        let outer = site();
        let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        fs::write(outer.path().join("site/large.bin"), &content).unwrap();
        let answer = get(&client(&outer).await, "/large.bin").await;
        assert!(answer.body == content, "{} bytes came", answer.body.len());
    });
}

#[test]
fn there_is_a_limit_to_files_being_sent() {
    run(async {
        let outer = site();
        fs::write(outer.path().join("site/large.bin"), vec![0; 3_000_000]).unwrap();
        let options = options(&outer.path().join("site"), 1);
        let server = serve(Script::new(|_| async { one("") }), options).await;
        let slow = connect(server.port).await;
        let (response, _) = slow.open_get("/large.bin").await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let other = connect(server.port).await;
        let refused = get(&other, "/app.js").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text(&refused).contains("http.static.max_open"), "{refused:?}");
        let whole = common::raw::read(response).await.unwrap();
        assert_eq!(whole.body.len(), 3_000_000);
        assert_eq!(
            get(&other, "/app.js").await.status,
            StatusCode::OK,
            "the place is free again"
        );
    });
}

#[test]
fn the_document_is_served_and_kept() {
    run(async {
        let server = serve(Script::new(|_| async { one("") }), Options::default()).await;
        let client = connect(server.port).await;
        let answer = get(&client, "/openapi.json").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(document["openapi"], "3.1.1");
        assert_eq!(
            document["paths"]["/carts/{cartId}"]["get"]["operationId"],
            "Cart_GetCart"
        );
        let etag = answer.headers["etag"].to_str().unwrap();
        for known in [etag.to_owned(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let answer = get_with(&client, "/openapi.json", &[("if-none-match", &known)]).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(answer.headers["etag"], etag);
        }
        let answer = get_with(&client, "/openapi.json", &[("if-none-match", "\"x\"")]).await;
        assert_eq!(answer.status, StatusCode::OK);
        let answer = client.send(client.request("POST", "/openapi.json"), &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn the_document_can_be_switched_off() {
    run(async {
        let options = Options {
            openapi: false,
            ..Options::default()
        };
        let server = serve(Script::new(|_| async { one("") }), options).await;
        let answer = get(&connect(server.port).await, "/openapi.json").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_file_of_its_name_goes_before_the_document() {
    run(async {
        let outer = site();
        fs::write(outer.path().join("site/openapi.json"), "{}").unwrap();
        assert_eq!(text(&get(&client(&outer).await, "/openapi.json").await), "{}");
    });
}

#[test]
fn what_is_no_directory_is_refused() {
    let outer = site();
    for (path, kind) in [
        ("missing", std::io::ErrorKind::NotFound),
        ("secret.txt", std::io::ErrorKind::NotADirectory),
    ] {
        let error = StaticFiles::new(&outer.path().join(path), 1).unwrap_err();
        assert_eq!(error.kind(), kind, "{path}");
    }
}
