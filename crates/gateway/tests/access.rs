//! Who is let in over real sockets: TLS, client certificates, tokens, rules.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_access::{Algorithms, Allowed, Policy, Rules, TokenOptions, Tokens};
use cloudstate_gateway::{ALPN, Options, Security, StaticFiles};
use cloudstate_runtime::{Call, Input};
use cloudstate_test_issuer::{Authority, Issued, Provider, now};
use common::raw::{Answer, Client, connect, connect_over, frame};
use common::{Script, Server, one, run, serve};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use prost::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

/// Answers with the metadata of the call, one entry a line.
fn tell() -> Script {
    Script::new(|call: Call| async move {
        let Input::One(_) = call.input else {
            unreachable!("the method is unary")
        };
        let value = |key: &str| call.metadata.get_all(key).collect::<Vec<_>>().join(",");
        let entries = call.metadata.entries.iter();
        let mut lines: Vec<_> = entries
            .map(|entry| format!("{}={}", entry.key, value(&entry.key)))
            .collect();
        lines.dedup();
        one(Text {
            text: lines.join("\n"),
        }
        .encode_to_vec())
    })
}

/// Only [`ALPN`] protocols; with client certificates if there is an authority for them.
fn server_config(own: &Issued, clients: Option<&Authority>, optional: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for root in authority_chain(authority) {
                roots.add(root).unwrap();
            }
            let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            if optional {
                builder.allow_unauthenticated()
            } else {
                builder
            }
            .build()
            .unwrap()
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain(), own.private_key())
        .unwrap();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    config.into()
}

fn authority_chain(authority: &Authority) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    Issued {
        cert: authority.pem(),
        key: String::new(),
    }
    .chain()
}

fn with_tls(config: Arc<ServerConfig>) -> Options {
    let (_, tls) = watch::channel(config);
    Options {
        security: Security {
            tls: Some(tls),
            ..Security::default()
        },
        ..Options::default()
    }
}

fn with_tokens(provider: &Provider, policy: Policy) -> Options {
    let options = TokenOptions {
        audience: vec!["shop".into()],
        issuer: vec![],
        leeway: Duration::ZERO,
        algorithms: Algorithms::from_names(["ES256"]).unwrap(),
    };
    let (tokens, _) = Tokens::new(provider.keys().to_string().as_bytes(), options).unwrap();
    let (_, tokens) = watch::channel(Arc::new(tokens));
    Options {
        security: Security {
            tokens: Some(tokens),
            policy: policy.into(),
            ..Security::default()
        },
        ..Options::default()
    }
}

fn rules(text: &str) -> Policy {
    Policy {
        rules: Rules::parse(text).unwrap(),
        ..Policy::default()
    }
}

async fn shake(port: u16, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let io = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, io).await
}

async fn secured(port: u16, config: Arc<ClientConfig>) -> Client {
    connect_over(shake(port, config).await.unwrap(), port).await
}

fn text(answer: &Answer) -> String {
    assert_eq!(answer.code(), "0", "{answer:?}");
    Text::decode(answer.messages()[0].clone()).unwrap().text
}

fn shown(server: &Server) -> String {
    let mut registry = Registry::default();
    server.metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

fn counts(server: &Server, line: &str) -> bool {
    let text = shown(server);
    assert!(
        text.contains(line.rsplit_once(' ').unwrap().0),
        "{line} is no metric in\n{text}"
    );
    text.lines().any(|shown| shown == line)
}

/// The server counts a connection when it is done with it; every round trip on another one lets it go on.
async fn until_counted(server: &Server, line: &str) {
    while !counts(server, line) {
        tokio::task::yield_now().await;
    }
}

#[test]
fn both_protocols_are_served_over_tls_as_agreed_or_as_they_come() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        for (protocols, agreed) in [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&[], None)] {
            let io = shake(server.port, authority.client(None, protocols))
                .await
                .unwrap();
            assert_eq!(io.get_ref().1.alpn_protocol(), agreed);
            let client = connect_over(io, server.port).await;
            assert_eq!(text(&client.unary("/shop.Streams/Unary", b"").await), "");
        }
        for (protocols, agreed) in [(&["http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
            let mut io = shake(server.port, authority.client(None, protocols))
                .await
                .unwrap();
            assert_eq!(io.get_ref().1.alpn_protocol(), agreed);
            io.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            io.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
    });
}

#[test]
fn a_client_that_offers_other_protocols_only_is_refused() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        shake(server.port, authority.client(None, &["spdy/3"]))
            .await
            .unwrap_err();
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="incompatible"} 1"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn plain_http_is_told_to_speak_tls() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        for request in [
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(request.as_bytes()).await.unwrap();
            io.shutdown().await.unwrap();
            let mut answer = String::new();
            io.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 400"), "{head}");
            assert!(
                head.contains(&format!("Content-Length: {}", body.len())),
                "{head}"
            );
            assert!(body.contains("speaks TLS"), "{body}");
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="plain_text"} 2"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn a_handshake_that_does_not_end_is_cut() {
    run(async {
        let authority = Authority::new("test");
        let options = Options {
            handshake_timeout: Duration::from_millis(20),
            ..with_tls(server_config(&authority.server(), None, false))
        };
        let server = serve(tell(), options).await;
        // Nothing; the beginning of a record.
        for start in [&b""[..], &[22, 3, 1]] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(start).await.unwrap();
            let mut rest = Vec::new();
            io.read_to_end(&mut rest).await.unwrap();
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="timeout"} 2"#;
        until_counted(&server, line).await;
        // A load balancer that only looks whether the port is open is no failure.
        drop(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
        shake(server.port, authority.client(None, &["h2"])).await.unwrap();
        assert!(counts(
            &server,
            r#"cloudstate_gateway_tls_handshake_failures_total{reason="broken_off"} 0"#
        ));
    });
}

#[test]
fn a_client_certificate_is_demanded_checked_and_told_to_the_function() {
    run(async {
        let (authority, stranger) = (Authority::new("test"), Authority::new("stranger"));
        let config = server_config(&authority.server(), Some(&authority), false);
        let server = serve(tell(), with_tls(config)).await;
        let names = ["spiffe://example.org/shop", "shop.example.org"];
        let good = authority.issue("shop", &names, 2100);
        let client = secured(server.port, authority.client(Some(&good), &["h2"])).await;
        let request = client
            .grpc("/shop.Streams/Unary")
            .header("cloudstate-principal", "root")
            .header("Cloudstate-Tls-Uri", "spiffe://example.org/root")
            .header("cloudstate-tls-uri-bin", "AAAA")
            .header("x-own", "kept");
        let expected = [
            "x-own=kept",
            "cloudstate-principal=spiffe://example.org/shop",
            "cloudstate-principal-source=certificate",
            "cloudstate-tls-subject=CN=shop,O=Example",
            "cloudstate-tls-uri=spiffe://example.org/shop",
            "cloudstate-tls-dns=shop.example.org",
        ];
        assert_eq!(
            text(&client.send(request, &[frame(b"")]).await),
            expected.join("\n")
        );
        // Entities that did not ask for metadata get none.
        assert_eq!(text(&client.unary("/shop.Cart/Plain", b"").await), "");

        let expired = authority.issue("shop", &names, 2020);
        let foreign = stranger.issue("shop", &names, 2100);
        for own in [None, Some(&expired), Some(&foreign)] {
            // In TLS 1.3 the client is done before the server has looked at its certificate.
            if let Ok(mut io) = shake(server.port, authority.client(own, &["http/1.1"])).await {
                let _ = io.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
                io.read_u8().await.unwrap_err();
            }
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="client_certificate"} 3"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn an_optional_certificate_lets_in_where_a_rule_asks_for_it() {
    run(async {
        let authority = Authority::new("test");
        let mut options = with_tls(server_config(&authority.server(), Some(&authority), true));
        options.security.policy = rules("shop.Streams/Unary = certificate:spiffe://example.org/shop").into();
        let server = serve(tell(), options).await;
        let call = async |own: Option<&Issued>, path: &str| {
            let client = secured(server.port, authority.client(own, &["h2"])).await;
            client.unary(path, b"").await
        };
        let shop = authority.issue("a", &["spiffe://example.org/shop"], 2100);
        let other = authority.issue("b", &["spiffe://example.org/other"], 2100);
        assert_eq!(call(Some(&shop), "/shop.Streams/Unary").await.code(), "0");
        let answer = call(Some(&other), "/shop.Streams/Unary").await;
        assert_eq!(
            (answer.code(), answer.message()),
            ("7", "this caller may not use it")
        );
        let answer = call(None, "/shop.Streams/Unary").await;
        assert_eq!(answer.code(), "16");
        assert!(
            answer.message().contains("client certificate"),
            "{}",
            answer.message()
        );
        assert_eq!(call(None, "/shop.Cart/Plain").await.code(), "0");

        // HTTP cannot ask for a certificate, so 401, which has to ask for something, would be wrong.
        let client = secured(server.port, authority.client(None, &["h2"])).await;
        let answer = post(&client, "/shop.Streams/Unary", &[]).await;
        assert_eq!(answer.status, 403);
        assert_eq!(json(&answer)["status"], "UNAUTHENTICATED");
    });
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    run(async {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let (change, tls) = watch::channel(server_config(&old.server(), None, false));
        let security = Security {
            tls: Some(tls),
            ..Security::default()
        };
        let server = serve(
            tell(),
            Options {
                security,
                ..Options::default()
            },
        )
        .await;
        let before = secured(server.port, old.client(None, &["h2"])).await;
        change.send_replace(server_config(&new.server(), None, false));
        shake(server.port, old.client(None, &["h2"])).await.unwrap_err();
        let after = secured(server.port, new.client(None, &["h2"])).await;
        for client in [before, after] {
            assert_eq!(text(&client.unary("/shop.Streams/Unary", b"").await), "");
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="refused_by_client"} 1"#;
        until_counted(&server, line).await;
    });
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({"sub": "ann", "aud": "shop", "exp": now() + 600});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

async fn post(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client
        .request("POST", path)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request, &[Bytes::from_static(b"{}")]).await
}

/// A unary gRPC-Web call, which the test reads the status of.
async fn grpc_web(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client
        .request("POST", path)
        .header("content-type", "application/grpc-web");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request, &[frame(b"")]).await
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_token_is_told_to_the_function_and_what_a_client_says_of_itself_is_not() {
    run(async {
        let provider = Provider::new();
        let server = serve(tell(), with_tokens(&provider, Policy::default())).await;
        let client = connect(server.port).await;
        let token = provider.token(&claims(&json!({"roles": ["admin", "ops"], "level": 3})));
        let bearer = format!("bearer {token}");
        let forged = [
            ("authorization", bearer.as_str()),
            ("cloudstate-principal", "root"),
            ("cloudstate-claim-roles", "root"),
            ("cloudstate-claim-roles-bin", "!"),
            ("cloudstate_claim_roles", "root"),
        ];
        let request = forged
            .iter()
            .fold(client.grpc("/shop.Streams/Unary"), |request, (name, value)| {
                request.header(*name, *value)
            });
        let told = text(&client.send(request, &[frame(b"")]).await);
        for line in [
            "cloudstate-principal=ann",
            "cloudstate-principal-source=token",
            "cloudstate-claim-sub=ann",
            "cloudstate-claim-roles=admin,ops",
            "cloudstate-claim-level=3",
        ] {
            assert!(
                told.lines().any(|told| told == line),
                "{line} is missing in\n{told}"
            );
        }
        assert!(!told.contains("root") && !told.contains("cloudstate_"), "{told}");

        let anonymous = client
            .grpc("/shop.Streams/Unary")
            .header("cloudstate-principal", "root")
            .header("authorization", "Basic YTpi");
        assert_eq!(
            text(&client.send(anonymous, &[frame(b"")]).await),
            "authorization=Basic YTpi"
        );
        let answer = grpc_web(&client, "/shop.Streams/Unary", &forged[1..]).await;
        assert!(
            !answer.body.windows(4).any(|bytes| bytes == b"root"),
            "{answer:?}"
        );
        let answer = grpc_web(&client, "/shop.Streams/Unary", &forged).await;
        assert!(answer.body.windows(3).any(|bytes| bytes == b"ann"), "{answer:?}");
    });
}

#[test]
fn a_bad_token_is_refused_even_where_anyone_may_call() {
    run(async {
        let provider = Provider::new();
        let server = serve(tell(), with_tokens(&provider, Policy::default())).await;
        let client = connect(server.port).await;
        let bearer = |claims: &Value| format!("Bearer {}", provider.token(claims));
        for (token, reason, text) in [
            (
                bearer(&claims(&json!({"exp": now() - 1}))),
                "expired_token",
                "the token has expired",
            ),
            (
                bearer(&claims(&json!({"nbf": now() + 60}))),
                "early_token",
                "the token is not valid yet",
            ),
            (
                bearer(&claims(&json!({"aud": "x"}))),
                "token_audience",
                "the token is for another audience",
            ),
            (
                bearer(&claims(&json!({"sub": 1}))),
                "token_claim",
                "the token's claim [sub] is missing or malformed",
            ),
            ("Bearer x".to_owned(), "malformed_token", "the token is malformed"),
            (
                format!("Bearer {}", Provider::new().token(&claims(&json!({})))),
                "token_signature",
                "the token's signature is wrong",
            ),
            (
                format!(
                    "Bearer {}",
                    provider.sign(&json!({"alg": "HS256"}), &claims(&json!({})).to_string())
                ),
                "token_algorithm",
                "the token's algorithm is not accepted",
            ),
        ] {
            let headers = [("authorization", token.as_str())];
            let request = client.grpc("/shop.Cart/Plain").header("authorization", &token);
            let answer = client.send(request, &[frame(b"")]).await;
            assert_eq!((answer.code(), answer.message()), ("16", text));
            let answer = grpc_web(&client, "/shop.Cart/Plain", &headers).await;
            assert_eq!(answer.headers["grpc-status"], "16");
            let answer = post(&client, "/shop.Cart/Plain", &headers).await;
            assert_eq!(answer.status, 401);
            assert_eq!(
                (&json(&answer)["message"], &json(&answer)["status"]),
                (&json!(text), &json!("UNAUTHENTICATED"))
            );
            let challenge = format!(r#"Bearer error="invalid_token", error_description="{text}""#);
            assert_eq!(answer.headers["www-authenticate"], challenge);
            assert!(counts(
                &server,
                &format!(r#"cloudstate_gateway_refused_callers_total{{reason="{reason}"}} 3"#)
            ));
        }
        let good = bearer(&claims(&json!({})));
        let twice = client
            .grpc("/shop.Cart/Plain")
            .header("authorization", &good)
            .header("authorization", &good);
        assert_eq!(client.send(twice, &[frame(b"")]).await.code(), "16");
    });
}

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
fn new_keys_hold_at_once_also_for_tokens_that_were_good() {
    run(async {
        let (old, new) = (Provider::new(), Provider::new());
        let mut options = with_tokens(&old, Policy::default());
        let tokens = |provider: &Provider| {
            with_tokens(provider, Policy::default())
                .security
                .tokens
                .unwrap()
                .borrow()
                .clone()
        };
        let (change, receiver) = watch::channel(tokens(&old));
        options.security.tokens = Some(receiver);
        let client = connect(serve(tell(), options).await.port).await;
        let call = async |provider: &Provider| {
            let bearer = format!("Bearer {}", provider.token(&claims(&json!({}))));
            let request = client.grpc("/shop.Cart/Plain").header("authorization", bearer);
            client.send(request, &[frame(b"")]).await.code().to_owned()
        };
        assert_eq!(
            (call(&old).await, call(&new).await),
            ("0".to_owned(), "16".to_owned())
        );
        change.send_replace(tokens(&new));
        assert_eq!(
            (call(&old).await, call(&new).await),
            ("16".to_owned(), "0".to_owned())
        );
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
