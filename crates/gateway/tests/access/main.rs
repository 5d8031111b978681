//! Who is let in over real sockets: TLS, client certificates, tokens, rules.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod pages;
mod rules;
mod streams;
mod tls;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_access::{Algorithms, Allowed, Policy, Rules, TokenOptions, Tokens};
use cloudstate_gateway::{ALPN, Cors, Options, Security, StaticFiles};
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
