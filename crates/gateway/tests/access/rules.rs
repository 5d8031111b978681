//! Rules, in every protocol.

use super::*;

#[test]
fn rules_hold_for_every_protocol() {
    run(async {
        let provider = Provider::new();
        let mut policy = rules(
            "shop.Streams/Unary = claim:role=admin; shop.Streams/* = authenticated; shop.Cart/Plain = internal",
        );
        policy.reflection = Allowed::authenticated();
        let server = serve(tell(), with_tokens(&provider, policy)).await;
        let client = connect(server.port).await;
        let admin = format!("Bearer {}", provider.token(&claims(&json!({"role": "admin"}))));
        let other = format!("Bearer {}", provider.token(&claims(&json!({"role": "other"}))));
        let as_admin = [("authorization", admin.as_str())];
        let as_other = [("authorization", other.as_str())];
        for (path, headers, code, status) in [
            ("/shop.Streams/Unary", &as_admin[..], "0", 200),
            ("/shop.Streams/Unary", &as_other, "7", 403),
            ("/shop.Streams/Unary", &[], "16", 401),
            ("/shop.Streams/Out", &as_other, "0", 200),
            ("/shop.Streams/Out", &[], "16", 401),
            ("/shop.Cart/Plain", &as_admin, "7", 403),
            ("/shop.Cart/Plain", &[], "7", 403),
        ] {
            let request = headers.iter().fold(client.grpc(path), |request, (name, value)| {
                request.header(*name, *value)
            });
            let answer = client.send(request, &[frame(b"")]).await;
            assert_eq!(answer.code(), code, "gRPC {path} {headers:?}");
            let answer = grpc_web(&client, path, headers).await;
            let web = answer
                .headers
                .get("grpc-status")
                .map_or("0", |status| status.to_str().unwrap());
            assert_eq!(web, code, "gRPC-Web {path} {headers:?}");
            let answer = post(&client, path, headers).await;
            assert_eq!(answer.status, status, "JSON {path} {headers:?}: {answer:?}");
            assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
        }
        const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let list = frame(&[0x3a, 0]);
        let answer = client
            .send(client.grpc(REFLECTION), std::slice::from_ref(&list))
            .await;
        assert_eq!(answer.code(), "16");
        let request = client.grpc(REFLECTION).header("authorization", &other);
        assert_eq!(client.send(request, &[list]).await.code(), "0");
        assert_eq!(
            client.unary("/grpc.health.v1.Health/Check", b"").await.code(),
            "0"
        );
        for (reason, count) in [("anonymous", 7), ("forbidden", 3), ("internal", 6)] {
            let line = format!(r#"cloudstate_gateway_refused_callers_total{{reason="{reason}"}} {count}"#);
            assert!(counts(&server, &line), "{line} is not in\n{}", shown(&server));
        }
    });
}

#[test]
fn static_files_and_the_openapi_document_have_rules_of_their_own() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("index.html"), "page").unwrap();
        let provider = Provider::new();
        let admin = provider.token(&claims(&json!({"role": "admin"})));
        let other = provider.token(&claims(&json!({})));
        let who = Allowed::parse("claim:role=admin").unwrap();
        for (files, openapi) in [(true, false), (false, true), (true, true)] {
            let choose = |closed: bool| if closed { who.clone() } else { Allowed::anyone() };
            let policy = Policy {
                static_files: choose(files),
                openapi: choose(openapi),
                ..Policy::default()
            };
            let options = Options {
                static_files: Some(StaticFiles::new(directory.path(), 10).unwrap()),
                ..with_tokens(&provider, policy)
            };
            let client = connect(serve(tell(), options).await.port).await;
            let get = async |path: &str, token: Option<&str>| {
                let mut request = client.request("GET", path);
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                client.send(request, &[]).await.status.as_u16()
            };
            let expect = |closed: bool, refused: u16| if closed { refused } else { 200 };
            assert_eq!(get("/", None).await, expect(files, 401));
            assert_eq!(get("/", Some(&other)).await, expect(files, 403));
            assert_eq!(get("/", Some(&admin)).await, 200);
            assert_eq!(get("/openapi.json", None).await, expect(openapi, 401));
            assert_eq!(get("/openapi.json", Some(&other)).await, expect(openapi, 403));
            assert_eq!(get("/openapi.json", Some(&admin)).await, 200);
            // Whether there is such a file is not told either.
            assert_eq!(get("/nothing", None).await, if files { 401 } else { 404 });
            assert_eq!(get("/nothing", Some(&admin)).await, 404);
        }
    });
}

#[test]
fn a_refused_request_is_read_before_it_is_answered() {
    run(async {
        let server = serve(
            tell(),
            with_tokens(&Provider::new(), rules("shop.Cart/* = authenticated")),
        )
        .await;
        // Over HTTP/2 a client that is answered while it sends is told to stop, which some take for a failure.
        let client = connect(server.port).await;
        let request = client
            .request("POST", "/shop.Cart/Plain")
            .header("content-type", "application/json");
        let (response, mut body) = client.open_request(request).await;
        let mut response = std::pin::pin!(response);
        while !counts(
            &server,
            r#"cloudstate_gateway_refused_callers_total{reason="anonymous"} 1"#,
        ) {
            assert!(futures_util::poll!(&mut response).is_pending());
            tokio::task::yield_now().await;
        }
        body.send_data("{}".into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 401);
        // Had the request been cut off, that would have come before the answer to another one.
        assert_eq!(
            client.unary("/grpc.health.v1.Health/Check", b"").await.code(),
            "0"
        );
        assert!(futures_util::poll!(std::future::poll_fn(|cx| body.poll_reset(cx))).is_pending());

        // Over HTTP/1.1 the connection would be lost.
        let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        for last in [false, true] {
            let close = if last { "Connection: close\r\n" } else { "" };
            let request = format!(
                "POST /shop.Cart/Plain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40000\r\n{close}\r\n{}",
                " ".repeat(40_000)
            );
            io.write_all(request.as_bytes()).await.unwrap();
        }
        let mut answers = String::new();
        io.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("HTTP/1.1 401").count(), 2, "{answers}");
    });
}

/// Status lines of the answers to a request line of HTTP/1.1, sent as it is.
async fn status_of(port: u16, line: &str, headers: &str) -> u16 {
    let mut io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request =
        format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: 2\r\n\r\n{{}}");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    answer[9..12].parse().unwrap()
}

#[test]
fn no_spelling_of_a_path_leads_around_a_rule() {
    run(async {
        let called = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = called.clone();
        let router = Script::new(move |_| {
            counted.set(counted.get() + 1);
            async { one("") }
        });
        let mut policy = rules("shop.Cart/* = internal; shop.Streams/* = token:ann");
        policy.openapi = Allowed::authenticated();
        policy.static_files = Allowed::authenticated();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("index.html"), "page").unwrap();
        let options = Options {
            static_files: Some(StaticFiles::new(directory.path(), 10).unwrap()),
            ..with_tokens(&Provider::new(), policy)
        };
        let server = serve(router, options).await;
        let json = "Content-Type: application/json\r\n";
        for line in [
            "POST /shop.Cart/Plain",
            "POST /shop.Cart/Plain?x=y",
            "POST /shop.Cart/%50lain",
            "POST /%73hop.Cart/Plain",
            "POST /shop%2ECart/Plain",
            "POST http://x/shop.Cart/Plain",
            "GET /carts/a",
            "HEAD /carts/a",
            "GET /carts/a%2Fb",
            "GET /carts/",
            "GET /carts/a/lines",
            "GET /carts/a/version",
            "POST /carts/a/items",
            "PUT /carts/a/items/b?tags=x",
            "GET /pages/a/b",
            "GET /pages/%2e%2e/index.html",
            "GET /follow/a",
            "POST /upload",
            "GET /openapi.json",
            "GET /openapi%2Ejson",
            "GET /",
            "GET //",
            "GET /index.html",
            "GET /./index.html",
            "GET /%69ndex.html",
            "GET /shop.cart/Plain",
        ] {
            for headers in [
                json,
                "",
                "Content-Type: application/json\r\nAccept: text/event-stream\r\n",
            ] {
                let status = status_of(server.port, line, headers).await;
                assert!(matches!(status, 401 | 403), "{line}: {status}");
            }
        }
        // What is not quite a path of a method is a path of none.
        for line in [
            "POST /shop.Cart/Plain/",
            "POST //shop.Cart/Plain",
            "POST /shop.Cart//Plain",
            "POST /shop.cart/Plain",
            "POST /shop.Cart/plain",
            "POST /shop.Cart%2FPlain",
            "POST /x/../shop.Cart/Plain",
            "POST /shop.Cart/Plain;x",
            "POST /shop.Cart/Plain%20",
        ] {
            let status = status_of(server.port, line, json).await;
            assert_eq!(status, 404, "{line}");
            let web = status_of(server.port, line, "Content-Type: application/grpc-web\r\n").await;
            assert_eq!(web, 200, "its grpc-status tells");
            let path = line.strip_prefix("POST ").unwrap();
            let client = connect(server.port).await;
            assert_eq!(client.unary(path, b"").await.code(), "12", "{path}");
        }
        assert_eq!(called.get(), 0);
    });
}

#[test]
fn what_a_browser_may_ask_beforehand_tells_nothing() {
    run(async {
        let options = Options {
            cors: Cors {
                origins: "https://listed".parse().unwrap(),
                credentials: true,
            },
            ..with_tokens(&Provider::new(), rules("shop.Cart/* = token"))
        };
        let server = serve(tell(), options).await;
        let client = connect(server.port).await;
        let preflight = client
            .request("OPTIONS", "/shop.Cart/Plain")
            .header("origin", "https://listed")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let answer = client.send(preflight, &[]).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.headers["access-control-allow-headers"], "authorization");
        let refused = post(&client, "/shop.Cart/Plain", &[("origin", "https://listed")]).await;
        assert_eq!(refused.status, 401);
        assert_eq!(
            refused.headers["access-control-allow-origin"], "https://listed",
            "the page may know why"
        );
        assert!(
            refused.headers["access-control-expose-headers"]
                .to_str()
                .unwrap()
                .contains("www-authenticate")
        );
    });
}
