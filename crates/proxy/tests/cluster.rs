//! Several proxies as one, over real sockets.

use std::fmt::Write as _;

use cloudstate_proxy::config::{Sources, load};
use cloudstate_proxy::{Event, RunError};
use cloudstate_test_issuer::Authority;

use crate::harness::{BOARD, Function, JOB, Proxy, add, boards, read, run, with_boards};

const OFF: [(&str, &str); 2] = [("cluster.tls", "off"), ("store", "memory:")];

/// A proxy that others can join, or that joins, and its function.
fn start(name: &str, join: &str, flags: &[(&str, &str)]) -> (Proxy, Function) {
    let function = Function::start(boards());
    let mut all = vec![("peer-addr", "127.0.0.1:0"), ("node-name", name), ("join", join)];
    all.extend_from_slice(flags);
    (Proxy::start(function.port, &all), function)
}

/// What `/cluster` says, when `shows` is content with it.
async fn cluster(proxy: &Proxy, shows: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    loop {
        let response = proxy.admin().await.send("GET", "/cluster", "").await;
        assert_eq!(response.status(), 200);
        let page = serde_json::from_str(response.body()).expect("JSON");
        if shows(&page) {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

fn members(page: &serde_json::Value) -> usize {
    page["members"].as_array().map_or(0, Vec::len)
}

/// Where others reach it.
async fn peer(proxy: &Proxy) -> String {
    let page = cluster(proxy, |page| members(page) > 0).await;
    let own = page["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["self"] == true);
    own.unwrap()["address"].as_str().unwrap().to_owned()
}

#[test]
fn what_one_proxy_is_told_the_others_know() {
    run(async {
        let (first, _one) = start("one", "", &OFF);
        let at = peer(&first).await;
        let (second, _two) = start("two", &at, &OFF);
        let (third, _three) = start("three", &at, &OFF);
        for proxy in [&first, &second, &third] {
            cluster(proxy, |page| members(page) == 3 && page["ready"] == true).await;
        }
        assert_eq!(first.client().await.text(BOARD, add("e", "3")).await, "3");
        let elsewhere = second.client().await;
        // A first use asks a majority, which has it or is told of it within milliseconds.
        while elsewhere.text(BOARD, read("e")).await != "3" {}
        elsewhere.text(BOARD, add("e", "4")).await;
        let last = third.client().await;
        while last.text(BOARD, read("e")).await != "7" {}
        assert_eq!(last.text(JOB, add("", "x")).await, "x", "actions are served");

        let scrape = third.scrape().await;
        let value = |name: &str| {
            scrape
                .samples
                .iter()
                .find(|sample| sample.name == name)
                .map(|sample| sample.value)
        };
        assert_eq!(value("cloudstate_cluster_members"), Some(3.0));
        assert!(value("cloudstate_cluster_deltas_taken_total") > Some(0.0));

        // Who ends leaves at once, and its work stays.
        second.stop().await;
        for proxy in [&first, &third] {
            cluster(proxy, |page| members(page) == 2).await;
        }
        assert_eq!(last.text(BOARD, read("e")).await, "7");
    });
}

#[test]
fn stored_entities_are_refused_with_what_to_do() {
    run(async {
        let function = Function::start(with_boards());
        let mut flags = vec![("peer-addr", "127.0.0.1:0")];
        flags.extend(OFF);
        let proxy = Proxy::start(function.port, &flags);
        let refused = |event: &Event| match event {
            Event::Refused(reason) => Some(reason.clone()),
            _ => None,
        };
        let reason = proxy.event(refused).await.expect("it says so");
        assert!(
            reason.starts_with("Service [whole.Log] has declared an event sourced entity, but"),
            "{reason}"
        );
        let fix = "run one node, without --join, --peer-addr and --nodes";
        assert!(reason.contains(fix), "{reason}");
    });
}

#[test]
fn links_use_the_certificates_of_the_files() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("cluster");
        let issued = authority.issue("node", &["127.0.0.1"], 2100);
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (ca, cert, key) = (
            write("ca", &authority.pem()),
            write("cert", &issued.cert),
            write("key", &issued.key),
        );
        let flags = [
            ("store", "memory:"),
            ("cluster.tls.ca", ca.as_str()),
            ("cluster.tls.cert", cert.as_str()),
            ("cluster.tls.key", key.as_str()),
        ];
        let (first, _one) = start("one", "", &flags);
        let at = peer(&first).await;
        let (second, _two) = start("two", &at, &flags);
        cluster(&second, |page| members(page) == 2 && page["ready"] == true).await;

        // A certificate that is of no use is named before anything starts.
        std::fs::write(&key, "nothing").unwrap();
        let (bad, _three) = start("three", &at, &flags);
        let Err(RunError::File(error)) = bad.ended().await else {
            panic!("it started");
        };
        assert!(error.to_string().contains("(from cluster.tls.key)"), "{error}");
    });
}

fn refusals(flags: &[(&str, &str)]) -> String {
    let sources = Sources {
        flags: flags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    };
    let mut text = String::new();
    if let Err(errors) = load(&sources) {
        write!(text, "{errors}").unwrap();
    }
    text
}

#[test]
fn joining_without_certificates_has_to_be_meant() {
    let text = refusals(&[("join", "a:2552")]);
    for part in [
        "cluster.join = `a:2552`",
        "needs cluster.tls.ca",
        "set `cluster.tls` to `off`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(refusals(&[("join", "a:2552"), ("cluster.tls", "off")]), "");
    assert_eq!(refusals(&[]), "", "a single proxy needs none");
}
