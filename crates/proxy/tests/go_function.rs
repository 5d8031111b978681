//! A function on a published SDK of the original, unmodified.

use std::path::{Path, PathBuf};
use std::process::Command;

use cloudstate_test_support::{leave_out, program};
use futures_util::future::join_all;

use crate::harness::cart::{ADD, AddLineItem, GET, REMOVE, cart, item, lines, only_cart};
use crate::harness::process::Process;
use crate::harness::{Answer, Client, Proxy, run};

const TEST: &str = "a_function_on_the_go_sdk_0_3_0_runs_unmodified";
const PACKAGE: &str = "github.com/cloudstateio/go-support/tck/cmd/tck_shoppingcart";
const MODULE: &str = "module function\n\ngo 1.13\n\nrequire github.com/cloudstateio/go-support v0.3.0\n";

/// Builds a function of the SDK's own; `None` when this machine cannot, for which the test is left out.
pub(crate) fn build(test: &str, package: &str, directory: &Path) -> Option<PathBuf> {
    let go = program(test, "go")?;
    std::fs::write(directory.join("go.mod"), MODULE).expect("a writable directory");
    let built = Command::new(go)
        .current_dir(directory)
        .env("GOFLAGS", "-mod=mod")
        .args(["build", "-o", "function", package])
        .output()
        .expect("go can be started");
    if !built.status.success() {
        let cause = String::from_utf8_lossy(&built.stderr).into_owned();
        leave_out(test, "Go and its modules' proxy", cause);
        return None;
    }
    Some(directory.join("function"))
}

async fn all(
    client: &Client,
    count: usize,
    path: &str,
    request: impl Fn(&str) -> AddLineItem,
) -> Vec<Answer> {
    let mut calls = Vec::new();
    for n in 0..count {
        calls.push(client.begin(path, &request(&format!("cart-{n}"))).await);
    }
    join_all(calls.into_iter().map(|call| call.answer())).await
}

#[test]
fn a_function_on_the_go_sdk_0_3_0_runs_unmodified() {
    const CARTS: usize = 1_500;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(binary) = build(TEST, PACKAGE, directory.path()) else {
        return;
    };
    run(async {
        let function = Process::start(&mut Command::new(&binary));
        let store = format!("sqlite:{}", directory.path().join("store").display());
        let flags = [
            ("store.url", &*store),
            // None leaves before the last has come.
            ("entity.passivation-timeout", "1h"),
            ("http.max-concurrent-streams", "2000"),
        ];
        let proxy = Proxy::start(function.port, &flags);
        let client = proxy.client().await;
        for (product, quantity) in [("hat", 1), ("shoe", 2), ("hat", 3)] {
            for answer in all(&client, CARTS, ADD, |cart| item(cart, product, quantity)).await {
                assert_eq!(answer.status(), (0, String::new()));
            }
        }
        for answer in all(&client, CARTS, GET, only_cart).await {
            assert_eq!(cart(&answer), lines(&[("hat", 4), ("shoe", 2)]));
        }

        // The rest of what it can do, on one cart; its sixth event gives a snapshot.
        for _ in 0..5 {
            client.call(ADD, &item("cart-7", "sock", 1)).await;
        }
        let removed = client.call(REMOVE, &item("cart-7", "shoe", 0)).await;
        assert_eq!(removed.status(), (0, String::new()));
        let declined = client.call(ADD, &item("cart-7", "hat", -1)).await;
        assert_eq!(declined.status().0, 2, "{:?}", declined.status());

        let http = proxy.http().await;
        let response = http.send("GET", "/carts/cart-7", "").await;
        let (status, body) = (response.status(), response.into_body());
        assert_eq!(status, 200, "{body}");
        for part in [
            r#""productId":"hat""#,
            r#""name":"a hat""#,
            r#""quantity":4"#,
            r#""quantity":5"#,
        ] {
            assert!(body.contains(part), "{body}");
        }
        let belt = r#"{"productId":"belt","name":"a belt","quantity":1}"#;
        let added = http.post("/cart/cart-8/items/add", belt).await;
        assert_eq!((added.status().as_u16(), added.body().as_str()), (200, "{}"));

        // Another process on both sides: everything comes from the store.
        proxy.stop().await;
        drop(function);
        let function = Process::start(&mut Command::new(&binary));
        let proxy = Proxy::start(function.port, &flags);
        let client = proxy.client().await;
        for (n, answer) in all(&client, CARTS, GET, only_cart).await.iter().enumerate() {
            let expected = match n {
                7 => lines(&[("hat", 4), ("sock", 5)]),
                8 => lines(&[("belt", 1), ("hat", 4), ("shoe", 2)]),
                _ => lines(&[("hat", 4), ("shoe", 2)]),
            };
            assert_eq!(cart(answer), expected, "cart-{n}");
        }
    });
}
