//! Functions on the SDK for Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloudstate_test_support::{leave_out, program};
use futures_util::future::join_all;
use prost::Message;
use tempfile::TempDir;

use crate::go_crdt::everything_the_kit_asks;
use crate::harness::cart::{ADD, GET, REMOVE, cart, item, lines, only_cart};
use crate::harness::process::Process;
use crate::harness::{Proxy, Watch, run};

const CONNECT: &str = "/cloudstate.samples.chat.presence.Presence/Connect";
const MONITOR: &str = "/cloudstate.samples.chat.presence.Presence/Monitor";

#[derive(Clone, PartialEq, Message)]
struct User {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct OnlineStatus {
    #[prost(bool, tag = "1")]
    online: bool,
}

/// A function in Python, ready to run.
struct Program {
    python: PathBuf,
    module: String,
    /// The function, and the store of its proxy.
    directory: TempDir,
}

impl Program {
    fn sample(test: &str, name: &str) -> Option<Program> {
        let package = format!("samples/python/{name}/{}", name.replace('-', "_"));
        Self::prepare(test, &package, &format!("samples/{name}/proto"))
    }

    /// Copies a package and generates its code; `None` when this machine cannot.
    fn prepare(test: &str, package: &str, proto: &str) -> Option<Program> {
        let python = program(test, "python3")?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (_, module) = package.rsplit_once('/').expect("a directory and a name");
        let copy = directory.path().join(module);
        fs::create_dir(&copy).expect("an empty directory");
        for entry in fs::read_dir(root.join(package)).expect("the package") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "py") {
                fs::copy(&path, copy.join(path.file_name().expect("a name"))).expect("it can be copied");
            }
        }
        let generated = Command::new(&python)
            .args(["-m", "cloudstate.generate"])
            .arg(root.join(proto))
            .arg(copy.join("proto"))
            .output()
            .expect("python3 can be started");
        if !generated.status.success() {
            let cause = String::from_utf8_lossy(&generated.stderr).into_owned();
            let wants = "the Python SDK: sdks/python/prepare DIR, and DIR/bin first in PATH";
            leave_out(test, wants, cause);
            return None;
        }
        Some(Program {
            python,
            module: module.to_owned(),
            directory,
        })
    }

    fn start(&self) -> (Process, Proxy) {
        let mut program = Command::new(&self.python);
        program
            .args(["-m", &self.module])
            .current_dir(self.directory.path());
        let function = Process::start(&mut program);
        let store = format!("sqlite:{}", self.directory.path().join("store").display());
        let flags = [
            ("store.url", &*store),
            // These tests are not about load, and an interpreter on a busy machine is late.
            ("runtime.max-delay", "0s"),
        ];
        let proxy = Proxy::start(function.port, &flags);
        (function, proxy)
    }
}

#[test]
fn an_event_sourced_entity_in_python_keeps_its_state() {
    const CARTS: usize = 100;
    let test = "an_event_sourced_entity_in_python_keeps_its_state";
    let Some(sample) = Program::sample(test, "shopping-cart") else {
        return;
    };
    run(async {
        let (function, proxy) = sample.start();
        let client = proxy.client().await;
        let mut calls = Vec::new();
        for n in 0..CARTS {
            for (product, quantity) in [("hat", 1), ("shoe", 2), ("hat", 3)] {
                calls.push(
                    client
                        .begin(ADD, &item(&format!("cart-{n}"), product, quantity))
                        .await,
                );
            }
        }
        for answer in join_all(calls.into_iter().map(|call| call.answer())).await {
            assert_eq!(answer.status(), (0, String::new()));
        }
        // More events than lie between snapshots.
        for _ in 0..110 {
            client.call(ADD, &item("cart-7", "sock", 1)).await;
        }
        let removed = client.call(REMOVE, &item("cart-7", "shoe", 0)).await;
        assert_eq!(removed.status(), (0, String::new()));
        let declined = client.call(ADD, &item("cart-7", "hat", -1)).await;
        let text = "Cannot add negative quantity to item hat".to_owned();
        assert_eq!(declined.status(), (2, text));
        let response = proxy.http().await.send("GET", "/carts/cart-8/items", "").await;
        let expected = r#"[{"productId":"hat","name":"a hat","quantity":4},{"productId":"shoe","name":"a shoe","quantity":2}]"#;
        assert_eq!(
            (response.status().as_u16(), response.body().as_str()),
            (200, expected)
        );

        // Another process on both sides: everything comes from the store.
        proxy.stop().await;
        drop(function);
        let (_function, proxy) = sample.start();
        let client = proxy.client().await;
        for n in 0..CARTS {
            let expected = match n {
                7 => lines(&[("hat", 4), ("sock", 110)]),
                _ => lines(&[("hat", 4), ("shoe", 2)]),
            };
            let answer = client.call(GET, &only_cart(&format!("cart-{n}"))).await;
            assert_eq!(cart(&answer), expected, "cart-{n}");
        }
        proxy.stop().await;
    });
}

#[test]
fn a_value_entity_in_python_keeps_its_value() {
    let test = "a_value_entity_in_python_keeps_its_value";
    let Some(sample) = Program::sample(test, "shopping-cart-value") else {
        return;
    };
    run(async {
        let (function, proxy) = sample.start();
        let http = proxy.http().await;
        for product in ["pear", "apple", "pear"] {
            let item = format!(r#"{{"productId":"{product}","name":"a {product}","quantity":2}}"#);
            let added = http.post("/ve/cart/ann/items/add", &item).await;
            assert_eq!((added.status().as_u16(), added.body().as_str()), (200, "{}"));
        }
        let declined = http.post("/ve/cart/ann/items/hat/remove", "").await;
        let text = "Cannot remove item hat because it is not in the cart.";
        assert_eq!(
            (declined.status().as_u16(), declined.body().as_str()),
            (500, text)
        );

        proxy.stop().await;
        drop(function);
        let (_function, proxy) = sample.start();
        let http = proxy.http().await;
        let kept = r#"[{"productId":"apple","name":"a apple","quantity":2},{"productId":"pear","name":"a pear","quantity":4}]"#;
        assert_eq!(
            http.send("GET", "/ve/carts/ann/items", "").await.body().as_str(),
            kept
        );
        assert_eq!(http.post("/ve/carts/ann/remove", "").await.body().as_str(), "{}");
        assert_eq!(
            http.send("GET", "/ve/carts/ann/items", "").await.body().as_str(),
            "[]"
        );
        proxy.stop().await;
    });
}

#[test]
fn the_crdt_models_in_python_run() {
    let test = "the_crdt_models_in_python_run";
    let Some(models) = Program::prepare(test, "sdks/python/tck/cloudstate_tck", "sdks/tck/proto") else {
        return;
    };
    run(async {
        let (_function, proxy) = models.start();
        everything_the_kit_asks(&proxy).await;
        proxy.stop().await;
    });
}

#[test]
fn presence_in_python_is_told_as_it_changes() {
    let test = "presence_in_python_is_told_as_it_changes";
    let Some(presence) = Program::prepare(
        test,
        "samples/python/presence/presence",
        "samples/python/presence/proto",
    ) else {
        return;
    };
    run(async {
        let (_function, proxy) = presence.start();
        let client = proxy.client().await;
        let ann = User {
            name: "ann".to_owned(),
        };
        let mut monitor = Watch::<OnlineStatus>::begin(&client, MONITOR, &ann).await;
        assert!(!monitor.message().await.unwrap().online);
        let connection = Watch::<()>::begin(&client, CONNECT, &ann).await;
        assert!(monitor.message().await.unwrap().online);
        let mut later = Watch::<OnlineStatus>::begin(&client, MONITOR, &ann).await;
        assert!(later.message().await.unwrap().online);
        connection.leave();
        assert!(!monitor.message().await.unwrap().online);
        assert!(!later.message().await.unwrap().online);
        proxy.stop().await;
    });
}
