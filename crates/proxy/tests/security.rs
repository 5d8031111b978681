//! TLS, client certificates, tokens and access rules of a whole proxy, from its files to the function.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use cloudstate_proxy::{Event, RunError};
use cloudstate_test_issuer::{Authority, Issued, Provider, now};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::harness::{Client, Function, JOB, LOG, Proxy, add, declare, edited, read, run, whole};

const UNAUTHENTICATED: u32 = 16;
const PERMISSION_DENIED: u32 = 7;

/// Files that the configuration names.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Files(TempDir::new().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a file in place at once, as careful tools do.
    fn put(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path("new"), text).expect("it can be written");
        std::fs::rename(self.path("new"), self.path(name)).expect("it can be moved");
        self.path(name).display().to_string()
    }

    fn put_certificate(&self, issued: &Issued) -> [(&'static str, String); 2] {
        [
            ("http.tls.key", self.put("tls.key", &issued.key)),
            ("http.tls.cert", self.put("tls.crt", &issued.cert)),
        ]
    }
}

fn start(function: &Function, flags: &[(&str, String)]) -> Proxy {
    let quick = ("http.reload-interval", "10ms".to_owned());
    let flags: Vec<_> = flags
        .iter()
        .chain([&quick])
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    Proxy::start(function.port, &flags)
}

async fn shake(proxy: &Proxy, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let io = TcpStream::connect(proxy.address().await).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(config).connect(name, io).await
}

async fn client(proxy: &Proxy, config: Arc<ClientConfig>) -> Client {
    let io = shake(proxy, config).await.expect("a handshake");
    Client::over(io, proxy.address().await).await
}

async fn reloads(proxy: &Proxy, of: &str, outcome: &str) -> f64 {
    let scrape = proxy.scrape().await;
    scrape.value(
        "cloudstate_security_reloads_total",
        &[("of", of), ("outcome", outcome)],
    )
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_a_bad_one_is_not() {
    run(async {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let (files, function) = (Files::new(), Function::start(whole()));
        let proxy = start(&function, &files.put_certificate(&old.server()));
        let before = client(&proxy, old.client(None, &["h2"])).await;
        assert_eq!(before.text(LOG, add("a", "1")).await, "1");
        let expiry = "cloudstate_tls_certificate_expiry_timestamp_seconds";
        assert_eq!(proxy.scrape().await.value(expiry, &[]), 4_102_444_800.0);

        files.put("tls.crt", "this is no certificate");
        while reloads(&proxy, "tls", "failed").await == 0.0 {
            tokio::task::yield_now().await;
        }
        let during = client(&proxy, old.client(None, &["h2"])).await;
        assert_eq!(during.text(LOG, add("a", "2")).await, "1,2");

        files.put_certificate(&new.issue("localhost", &["localhost"], 2050));
        while shake(&proxy, new.client(None, &["h2"])).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reloads(&proxy, "tls", "ok").await, 1.0);
        assert_eq!(proxy.scrape().await.value(expiry, &[]), 2_524_608_000.0);
        let after = client(&proxy, new.client(None, &["h2"])).await;
        assert_eq!(after.text(LOG, add("a", "3")).await, "1,2,3");
        assert_eq!(before.text(LOG, read("a")).await, "1,2,3");
        proxy.stop().await;
    });
}

#[test]
fn files_that_are_no_good_end_the_start_by_name() {
    run(async {
        let authority = Authority::new("test");
        let (files, function) = (Files::new(), Function::start(whole()));
        let (own, other) = (authority.server(), authority.server());
        let good = files.put_certificate(&own);
        let [key, cert] = &good;
        let with = |key: &'static str, value: String| {
            let mut flags = good.to_vec();
            flags.retain(|(name, _)| *name != key);
            flags.push((key, value));
            flags
        };
        let audience = ("http.jwt.audience", "shop".to_owned());
        for (flags, expected) in [
            (
                with("http.tls.cert", "/nowhere.crt".to_owned()),
                "/nowhere.crt (from http.tls.cert): it cannot be read",
            ),
            (
                with("http.tls.cert", key.1.clone()),
                "(from http.tls.cert): it holds no certificate",
            ),
            (
                with("http.tls.key", cert.1.clone()),
                "(from http.tls.key): it holds no private key",
            ),
            (
                with("http.tls.key", files.put("other.key", &other.key)),
                "it does not belong to the certificate",
            ),
            (
                with("http.tls.client-ca", key.1.clone()),
                "(from http.tls.client_ca): it holds no certificate",
            ),
            (
                vec![audience, ("http.jwt.keys", files.put("keys.json", "{}"))],
                "keys.json (from http.jwt.keys): it is no JSON Web Key Set",
            ),
        ] {
            let ended = start(&function, &flags)
                .ended()
                .await
                .expect_err("it cannot start");
            assert!(matches!(ended, RunError::File(_)), "{ended:?}");
            assert!(
                ended.to_string().contains(expected),
                "{ended}\ninstead of\n{expected}"
            );
        }
    });
}

#[test]
fn the_function_learns_who_calls_by_certificate_and_by_token() {
    run(async {
        let (authority, provider, files) = (Authority::new("test"), Provider::new(), Files::new());
        let mut spec = whole();
        spec.entities[0].command_metadata = true;
        let function = Function::start(spec);
        let mut flags = files.put_certificate(&authority.server()).to_vec();
        flags.extend([
            ("http.tls.client-ca", files.put("ca.crt", &authority.pem())),
            (
                "http.jwt.keys",
                files.put("keys.json", &provider.keys().to_string()),
            ),
            ("http.jwt.audience", "shop".to_owned()),
            ("http.jwt.issuer", "https://issuer".to_owned()),
        ]);
        let proxy = start(&function, &flags);
        let own = authority.issue("front", &["spiffe://example.org/front"], 2100);
        let client = client(&proxy, authority.client(Some(&own), &["h2"])).await;
        let claims = json!({"sub": "ann", "aud": "shop", "iss": "https://issuer", "exp": now() + 600, "role": "admin"});
        let bearer = format!("Bearer {}", provider.token(&claims));
        for path in [LOG, JOB] {
            let headers = [
                ("authorization", bearer.as_str()),
                ("cloudstate-claim-role", "root"),
            ];
            let answer = client.call_with(path, &headers, &add("a", "x")).await;
            assert_eq!(answer.status().0, 0, "{answer:?}");
        }
        for line in [
            "cloudstate-principal: ann",
            "cloudstate-principal-source: token",
            "cloudstate-claim-role: admin",
            "cloudstate-tls-uri: spiffe://example.org/front",
        ] {
            function.saw_times(line, 2).await;
        }
        assert!(
            !function.log().iter().any(|line| line.contains("root")),
            "{:?}",
            function.log()
        );
        // Who has a certificate is authenticated without a token.
        let answer = client.call(JOB, &add("a", "x")).await;
        assert_eq!(answer.status().0, 0, "{answer:?}");
        function
            .saw("cloudstate-principal: spiffe://example.org/front")
            .await;
        proxy.stop().await;
    });
}

#[test]
fn new_keys_for_tokens_are_taken_without_a_restart() {
    run(async {
        let (old, new, files) = (Provider::new(), Provider::new(), Files::new());
        let function = Function::start(whole());
        let flags = [
            ("http.jwt.keys", files.put("keys.json", &old.keys().to_string())),
            ("http.jwt.audience", "shop".to_owned()),
        ];
        let proxy = start(&function, &flags);
        let client = proxy.client().await;
        let call = async |provider: &Provider| {
            let claims = json!({"sub": "ann", "aud": "shop", "exp": now() + 600});
            let bearer = format!("Bearer {}", provider.token(&claims));
            let answer = client
                .call_with(LOG, &[("authorization", &bearer)], &read("a"))
                .await;
            answer.status().0
        };
        // Who configures tokens wants to see them.
        assert_eq!(client.call(LOG, &read("a")).await.status().0, UNAUTHENTICATED);
        assert_eq!((call(&old).await, call(&new).await), (0, UNAUTHENTICATED));
        files.put("keys.json", "{");
        while reloads(&proxy, "jwt", "failed").await == 0.0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(call(&old).await, 0);
        files.put("keys.json", &new.keys().to_string());
        while call(&new).await != 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(call(&old).await, UNAUTHENTICATED);
        proxy.stop().await;
    });
}

#[test]
fn a_method_for_events_is_called_by_the_function_only_unless_a_rule_opens_it() {
    run(async {
        let text = edited(
            "service Job {\n  rpc Act(Do) returns (Done);",
            "service Job {\n  rpc Act(Do) returns (Done) { option (cloudstate.eventing).in.topic = \"news\"; };",
        );
        let text = text.replace(
            "import \"cloudstate/entity_key.proto\";",
            "import \"cloudstate/entity_key.proto\"; import \"cloudstate/eventing.proto\";",
        );
        let function = Function::start(declare(&text, whole().entities));
        let proxy = start(&function, &[]);
        let client = proxy.client().await;
        let answer = client.call(JOB, &add("", "direct")).await;
        assert_eq!(answer.status().0, PERMISSION_DENIED, "{answer:?}");
        assert_eq!(proxy.http().await.act(JOB, &add("", "direct")).await.0, 403);
        let (forwarded, effect) = (add("", "forwarded"), add("", "effect"));
        let request = add("a", "x").effect(JOB, effect, true).forward(JOB, forwarded);
        assert_eq!(client.text(LOG, request).await, "forwarded");
        function.saw("job: add effect").await;
        assert!(
            !function.log().iter().any(|line| line.contains("direct")),
            "{:?}",
            function.log()
        );
        proxy.stop().await;

        let rules = ("access.rules", "whole.Job/Act = anyone".to_owned());
        let proxy = start(&function, &[rules]);
        assert_eq!(proxy.client().await.text(JOB, add("", "direct")).await, "direct");
        proxy.stop().await;
    });
}

#[test]
fn a_rule_that_names_nothing_refuses_the_declaration_and_is_told_to_the_function() {
    run(async {
        let function = Function::start(whole());
        for (rule, near) in [
            ("whole.Log/Akt = internal", "whole.Log/Act"),
            ("whole.Lag/* = internal", "whole.Log/Act"),
        ] {
            let proxy = start(&function, &[("access.rules", rule.to_owned())]);
            let refused = |event: &Event| match event {
                Event::Refused(reason) => Some(reason.clone()),
                _ => None,
            };
            let reason = proxy.event(refused).await.expect("it is refused");
            let (pattern, _) = rule.split_once(' ').expect("a rule");
            let expected = format!(
                "the rule [{pattern}] (access.rules) names no method or service of the function; the nearest method is [{near}]."
            );
            assert!(reason.starts_with(&expected), "{reason}");
            function.reported(&reason).await;
            assert!(
                TcpStream::connect(proxy.reserved().await).await.is_err(),
                "nothing is served"
            );
            proxy.stop().await;
        }
    });
}

#[test]
fn curl_calls_over_tls_with_and_without_http2() {
    const TEST: &str = "proxy: curl over TLS";
    let Some(curl) = cloudstate_test_support::program(TEST, "curl") else {
        return;
    };
    run(async {
        let authority = Authority::new("test");
        let (files, function) = (Files::new(), Function::start(whole()));
        let mut flags = files.put_certificate(&authority.server()).to_vec();
        flags.extend([
            ("http.tls.client-ca", files.put("ca.crt", &authority.pem())),
            ("http.tls.client-auth", "optional".to_owned()),
            ("access.default", "anyone".to_owned()),
            (
                "access.rules",
                "whole.Cell/Act = certificate:spiffe://example.org/curl".to_owned(),
            ),
        ]);
        let proxy = start(&function, &flags);
        let address = proxy.address().await;
        let own = authority.issue("curl", &["spiffe://example.org/curl"], 2100);
        let (cert, key) = (files.put("own.crt", &own.cert), files.put("own.key", &own.key));
        let ca = files.path("ca.crt");
        let call = async |path: &str, more: &[&str]| {
            let mut command = Command::new(&curl);
            command.args([
                "--silent",
                "--show-error",
                "--write-out",
                "\n%{http_code} %{http_version}",
            ]);
            command.args([
                "--header",
                "Content-Type: application/json",
                "--data",
                r#"{"id":"a","what":"read"}"#,
            ]);
            command.arg("--cacert").arg(&ca).args(more);
            command.arg(format!("https://localhost:{}{path}", address.port()));
            let output = tokio::task::spawn_blocking(move || command.output()).await;
            let output = output.expect("it is not cancelled").expect("curl runs");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8(output.stdout).expect("text");
            text.rsplit_once('\n').expect("the status").1.to_owned()
        };
        assert_eq!(call(LOG, &["--http2"]).await, "200 2");
        assert_eq!(call(LOG, &["--http1.1"]).await, "200 1.1");
        assert_eq!(call(LOG, &["--tlsv1.2", "--tls-max", "1.2"]).await, "200 2");
        assert_eq!(call("/whole.Cell/Act", &[]).await, "403 2");
        assert_eq!(
            call("/whole.Cell/Act", &["--cert", &cert, "--key", &key]).await,
            "200 2"
        );
        proxy.stop().await;
    });
}
