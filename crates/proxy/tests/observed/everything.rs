//! A proxy with everything on, after traffic of every kind: each of its metrics has samples.

use std::sync::Arc;

use cloudstate_otlp_collector::Collector;
use cloudstate_test_issuer::Authority;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::harness::scrape::Scrape;
use crate::harness::{BOARD, CELL, Client, Function, JOB, LOG, Proxy, WATCH, add, ask, read, with_boards};

/// What such a proxy exports.
pub(super) async fn scrape() -> Scrape {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let (authority, collector, function) = (
        Authority::new("test"),
        Collector::start(),
        Function::start(with_boards()),
    );
    let own = authority.server();
    let flags = [
        ("http.tls.cert", put("tls.crt", &own.cert)),
        ("http.tls.key", put("tls.key", &own.key)),
        ("tracing.endpoint", collector.endpoint()),
        ("tracing.interval", "1ms".to_owned()),
        (
            "store.url",
            format!("sqlite:{}", directory.path().join("store").display()),
        ),
        ("entity.queue-commands", "1".to_owned()),
        ("runtime.max-in-flight", "3".to_owned()),
    ];
    let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let proxy = Proxy::start(function.port, &flags);
    let client = secured(&proxy, &authority).await;
    succeed(&client).await;
    fail(&client).await;
    overload(&proxy, &function, &client).await;
    proxy
        .scrape_until(|scrape| {
            let spans = scrape.value("cloudstate_tracing_spans_total", &[("outcome", "exported")]);
            let reactivated = scrape.log("recovery_time_seconds_count") >= 2.0;
            spans > 0.0 && reactivated && scrape.log("passivated_entities_total") > 0.0
        })
        .await
}

async fn secured(proxy: &Proxy, authority: &Authority) -> Client {
    let address = proxy.address().await;
    let socket = TcpStream::connect(address).await.expect("the proxy listens");
    let connector = TlsConnector::from(Arc::clone(&authority.client(None, &["h2"])));
    let name = ServerName::try_from("localhost").expect("a name");
    let secured = connector.connect(name, socket).await.expect("a handshake");
    Client::over(secured, address).await
}

async fn succeed(client: &Client) {
    client.text(LOG, add("a", "x")).await;
    client.text(LOG, ask("a", "snapshot", "y")).await;
    client.text(CELL, add("c", "x")).await;
    client.text(CELL, ask("c", "delete", "")).await;
    client.text(BOARD, add("e", "1")).await;
    client.text(WATCH, ask("e", "watch nothing", "")).await;
    client.text(BOARD, ask("gone", "delete", "")).await;
    let request = add("j", "")
        .effect(CELL, add("d", "x"), true)
        .effect(LOG, ask("a", "decline", "no"), false)
        .forward(LOG, add("b", "x"));
    client.text(JOB, request).await;
    let stream = client.call("/whole.Job/Out", &ask("j", "count", "3")).await;
    assert_eq!(stream.texts().len(), 3);
}

/// Each way to fail has its own status.
async fn fail(client: &Client) {
    for (path, request, status) in [
        (LOG, ask("a", "decline", "no"), 2),
        (LOG, ask("a", "answer another command", ""), 13),
        (JOB, ask("j", "end with a status", "no"), 5),
        ("/whole.Nowhere/Act", read("a"), 12),
    ] {
        assert_eq!(
            client.call(path, &request).await.status().0,
            status,
            "{path} {request:?}"
        );
    }
    // The entity comes back from its snapshot.
    client.text(LOG, read("a")).await;
    let hurry = [("grpc-timeout", "20m")];
    let late = client.call_with(JOB, &hurry, &ask("j", "never answer", "")).await;
    assert_eq!(late.status().0, 4);
}

async fn overload(proxy: &Proxy, function: &Function, client: &Client) {
    let running = client.begin(LOG, &ask("q", "hold, add", "x")).await;
    function.saw("q: command 1 hold, add x").await;
    let waiting = client.begin(LOG, &add("q", "y")).await;
    proxy
        .scrape_until(|scrape| scrape.log("queued_commands") == 1.0)
        .await;
    assert_eq!(client.call(LOG, &add("q", "z")).await.status().0, 8);
    let other = client.begin(LOG, &ask("r", "hold, add", "x")).await;
    function.saw("r: command 1 hold, add x").await;
    assert_eq!(client.call(LOG, &add("s", "x")).await.status().0, 14);
    function.release_times(2);
    for call in [running, waiting, other] {
        assert_eq!(call.answer().await.status().0, 0);
    }
}
