//! Functions on the SDK for TypeScript, as `sdks/typescript/check` builds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use cloudstate_test_support::{leave_out, program};
use prost::Message;
use tempfile::TempDir;

use crate::go_crdt::everything_the_kit_asks;
use crate::harness::cart::{ADD, GET, REMOVE, cart, item, lines, only_cart};
use crate::harness::process::Process;
use crate::harness::{Proxy, Watch, run};

/// A function for node, ready to run.
struct Program {
    node: PathBuf,
    main: PathBuf,
    /// The store of its proxy.
    directory: TempDir,
}

impl Program {
    /// The program at this path in the repository; `None` when it or node is missing, for which the test is left out.
    fn built(test: &str, path: &str) -> Option<Program> {
        let node = program(test, "node")?;
        let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if !main.is_file() {
            leave_out(
                test,
                "what sdks/typescript/check builds",
                format!("there is no {path}"),
            );
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        Some(Program {
            node,
            main,
            directory,
        })
    }

    fn start(&self) -> (Process, Proxy) {
        let function = Process::start(Command::new(&self.node).arg(&self.main));
        let store = format!("sqlite:{}", self.directory.path().display());
        let flags = [
            ("store.url", &*store),
            // These tests are not about load, and node on a busy machine is late.
            ("runtime.max-delay", "0s"),
        ];
        let proxy = Proxy::start(function.port, &flags);
        (function, proxy)
    }
}

#[test]
fn an_event_sourced_entity_in_typescript_keeps_its_state() {
    let test = "an_event_sourced_entity_in_typescript_keeps_its_state";
    let Some(sample) = Program::built(test, "samples/typescript/shopping-cart/build/main.js") else {
        return;
    };
    run(async {
        let (function, proxy) = sample.start();
        let client = proxy.client().await;
        // More events than lie between snapshots.
        for _ in 0..110 {
            let added = client.call(ADD, &item("ann", "hat", 1)).await;
            assert_eq!(added.status(), (0, String::new()));
        }
        client.call(ADD, &item("ann", "shoe", 2)).await;
        client.call(ADD, &item("bob", "sock", 1)).await;
        let removed = client.call(REMOVE, &item("bob", "sock", 0)).await;
        assert_eq!(removed.status(), (0, String::new()));
        let declined = client.call(ADD, &item("ann", "hat", -1)).await;
        let text = "Cannot add negative quantity to item hat".to_owned();
        assert_eq!(declined.status(), (2, text));

        // Another process on both sides: everything comes from the store.
        proxy.stop().await;
        drop(function);
        let (_function, proxy) = sample.start();
        let client = proxy.client().await;
        for (user, expected) in [("ann", lines(&[("hat", 110), ("shoe", 2)])), ("bob", Vec::new())] {
            assert_eq!(
                cart(&client.call(GET, &only_cart(user)).await),
                expected,
                "{user}"
            );
        }
        proxy.stop().await;
    });
}

#[test]
fn a_value_entity_in_typescript_keeps_its_value() {
    let test = "a_value_entity_in_typescript_keeps_its_value";
    let Some(sample) = Program::built(test, "samples/typescript/shopping-cart-value/build/main.js") else {
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
        let items = http.send("GET", "/ve/carts/ann/items", "").await;
        assert_eq!(items.body().as_str(), kept);
        assert_eq!(http.post("/ve/carts/ann/remove", "").await.body().as_str(), "{}");
        let items = http.send("GET", "/ve/carts/ann/items", "").await;
        assert_eq!(items.body().as_str(), "[]");
        proxy.stop().await;
    });
}

#[test]
fn the_crdt_models_in_typescript_run() {
    let test = "the_crdt_models_in_typescript_run";
    let Some(models) = Program::built(test, "sdks/typescript/build/tck/main.js") else {
        return;
    };
    run(async {
        let (_function, proxy) = models.start();
        everything_the_kit_asks(&proxy).await;
        proxy.stop().await;
    });
}

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

#[test]
fn presence_in_typescript_is_told_as_it_changes() {
    let test = "presence_in_typescript_is_told_as_it_changes";
    let Some(presence) = Program::built(test, "samples/typescript/presence/build/main.js") else {
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
        connection.leave();
        assert!(!monitor.message().await.unwrap().online);
        proxy.stop().await;
    });
}
