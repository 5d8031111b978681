//! The pages of the samples in a real browser, before a real proxy.
//!
//! ```text
//!   Chromium ──page, calls, events──▶ `cloudstate proxy --static` (killed and started again) ──▶ the sample's function
//! ```
//!
//! With `CLOUDSTATE_TEST_PICTURES=DIR` they leave pictures of the pages in that directory, to be looked at.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use cloudstate_sdk::UserFunction;
use cloudstate_test_support::Driver;
use rustix::process::Signal;
use support::{Running, serve, start_proxy};
use tempfile::TempDir;

/// A sample that is served with its page.
struct Site {
    function: String,
    files: String,
    store: TempDir,
    proxy: Running,
    address: String,
}

/// As `cloudstate dev` has it: pages may call this machine by all its names.
const CORS: [&str; 2] = ["--http.cors.origins", "localhost"];

impl Site {
    fn start(function: UserFunction, sample: &str) -> Self {
        let function = serve(function);
        let files = files(sample);
        let store = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}", store.path().display());
        let (proxy, address) = start_proxy(&function, &url, &[&CORS[..], &["--static", &files]].concat());
        Site {
            function,
            files,
            store,
            proxy,
            address,
        }
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/{rest}", self.address)
    }

    fn kill(&mut self) {
        assert_eq!(
            self.proxy.end(Signal::KILL),
            None,
            "it ended before it was killed"
        );
    }

    /// Starts the proxy again where it was.
    fn start_again(&mut self) {
        let url = format!("sqlite:{}", self.store.path().display());
        let (_, port) = self.address.rsplit_once(':').expect("host:port");
        let flags = [&CORS[..], &["--static", &self.files, "--http.port", port]].concat();
        self.proxy = start_proxy(&self.function, &url, &flags).0;
    }

    /// Calls the API from outside of the page.
    fn post(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).expect("it listens");
        write!(
            socket,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            self.address
        )
        .expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }
}

fn files(sample: &str) -> String {
    format!("{}/../../samples/{sample}/static", env!("CARGO_MANIFEST_DIR"))
}

/// JavaScript: whether an element shows exactly this text.
fn shows(selector: &str, text: &str) -> String {
    format!("document.querySelector({selector:?})?.innerText === {text:?}")
}

#[test]
fn a_cart_is_filled_and_emptied_in_a_browser() {
    let Some(browser) = Driver::start("a_cart_is_filled_and_emptied_in_a_browser") else {
        return;
    };
    let mut site = Site::start(shopping_cart::function(), "shopping-cart");
    browser.open(&site.url("?user=ann"));
    browser.wait_for("!document.getElementById('empty').hidden");

    let add = |name: &str, quantity: &str| {
        browser.fill("#name", name);
        browser.fill("#quantity", quantity);
        browser.click("#add button");
    };
    add("Bread", "2");
    browser.wait_for(&shows("#items li:nth-child(1) .name", "Bread"));
    add("Milk", "1");
    browser.wait_for(&shows("#items li:nth-child(2) .name", "Milk"));
    add("Bread", "3");
    browser.wait_for(&shows("[data-product=bread] .quantity", "× 5"));
    browser.click("[data-product=milk] .more");
    browser.wait_for(&shows("[data-product=milk] .quantity", "× 2"));
    assert_eq!(browser.text("#count"), "7 pieces");
    browser.picture("cart");

    add("Bread", "-1");
    browser.wait_for("!document.getElementById('error').hidden");
    assert_eq!(
        browser.text("#error-text"),
        "Cannot add negative quantity to item bread"
    );
    assert_eq!(
        browser.text("[data-product=bread] .quantity"),
        "× 5",
        "what was declined changes nothing"
    );
    browser.picture("cart-declined");
    assert!(browser.fits_narrow(), "the page is too wide for a phone");
    let remove = browser.spoken("[data-product=milk] .remove");
    assert_eq!(remove, ("button".to_owned(), "Remove Milk".to_owned()));

    // Somebody else was faster.
    site.post("/cart/ann/items/milk/remove");
    browser.click("[data-product=milk] .remove");
    browser.wait_for("document.querySelectorAll('#items li').length === 1");
    assert_eq!(
        browser.text("#error-text"),
        "Cannot remove item milk because it is not in the cart."
    );

    site.kill();
    browser.click("[data-product=bread] .more");
    browser.wait_for(&shows("#error-text", "The proxy does not answer. Is it running?"));
    site.start_again();
    browser.reload();
    browser.wait_for(&shows("[data-product=bread] .quantity", "× 5"));
    assert!(
        !browser
            .evaluate("document.getElementById('error').hidden === false")
            .as_bool()
            .expect("a boolean")
    );
    browser.click("[data-product=bread] .remove");
    browser.wait_for("!document.getElementById('empty').hidden");
    assert_eq!(browser.text("#count"), "0 pieces");
}

#[test]
fn an_order_is_followed_across_a_kill_of_the_proxy() {
    let Some(browser) = Driver::start("an_order_is_followed_across_a_kill_of_the_proxy") else {
        return;
    };
    let mut site = Site::start(order_tracker::function(), "order-tracker");
    browser.open(&site.url("?order=kite-1"));
    browser.wait_for(&shows("#connection", "Live"));
    browser.fill("#article-name", "A red kite");
    browser.click("#place button");
    let has_come_to = |stage: &str| {
        browser.wait_for(&format!(
            "document.querySelector('#steps [aria-current]')?.dataset.stage === {stage:?}"
        ));
    };
    has_come_to("PLACED");
    browser.wait_for(&shows("#article", "A red kite"));
    browser.click("#advance");
    has_come_to("PAID");
    browser.picture("order");

    site.kill();
    browser.wait_for(&shows("#connection", "Reconnecting"));
    browser.picture("order-lost");
    site.start_again();
    // Most likely before the browser is back: these two are what it must not miss.
    site.post("/orders/kite-1/advance");
    site.post("/orders/kite-1/advance");
    has_come_to("SHIPPED");
    assert_eq!(browser.text("#connection"), "Live");
    assert_eq!(browser.text("#received"), "4 updates received", "each once");
    let stages = "[...document.querySelectorAll('#steps .done')].map(row => row.dataset.stage).join()";
    assert_eq!(browser.evaluate(stages), "PLACED,PAID,PACKED,SHIPPED");

    browser.click("#cancel");
    browser.wait_for("!document.getElementById('error').hidden");
    assert_eq!(
        browser.text("#error-text"),
        "Order kite-1 is under way; it is too late to cancel it."
    );
    assert!(browser.fits_narrow(), "the page is too wide for a phone");
    browser.click("#advance");
    has_come_to("DELIVERED");
    browser.wait_for(&shows("#connection", "Finished"));

    browser.reload();
    has_come_to("DELIVERED");
    assert_eq!(browser.text("#received"), "5 updates received");
}

/// JavaScript: whether this person, or friend, of a window is `online`, `connecting` or `offline`.
fn is(selector: &str, state: &str) -> String {
    format!("document.querySelector({selector:?})?.dataset.state === {state:?}")
}

#[test]
fn people_in_two_windows_see_each_other_come_type_talk_and_go() {
    let test = "people_in_two_windows_see_each_other_come_type_talk_and_go";
    let (Some(anns), Some(bobs)) = (Driver::start(test), Driver::start(test)) else {
        return;
    };
    let mut site = Site::start(chat::function(), "chat");
    anns.open(&site.url("?user=Ann"));
    bobs.open(&site.url(""));
    anns.wait_for(&is(".person[data-user=Ann]", "online"));
    anns.fill(".befriend input", "Bob");
    anns.click(".befriend button");
    anns.wait_for(&is(".friend[data-user=Bob]", "offline"));

    bobs.fill("#name", "Bob");
    bobs.click("#join button");
    bobs.wait_for(&is(".person[data-user=Bob]", "online"));
    bobs.wait_for(&is(".friend[data-user=Ann]", "online"));
    anns.wait_for(&is(".friend[data-user=Bob]", "online"));
    let here = "[...document.querySelectorAll('#nodes .face .name')].map(face => face.innerText).join()";
    assert_eq!(anns.evaluate(here), "Ann,Bob");

    bobs.press(".post input", "Hello");
    anns.wait_for(&shows(".typing", "Bob is typing …"));
    bobs.press(".post input", ", Ann!\u{e007}");
    anns.wait_for(&shows(".message .text", "Hello, Ann!"));
    anns.wait_for(&shows(".typing", ""));
    anns.fill(".post input", "Hi there. Shall we meet in the kitchen?");
    anns.click(".post button");
    bobs.wait_for(&shows(
        ".message:last-child .text",
        "Hi there. Shall we meet in the kitchen?",
    ));
    assert_eq!(bobs.text(".message:last-child .by .name"), "Ann");
    anns.picture("chat");
    assert!(anns.fits_narrow(), "the page is too wide for a phone");
    let leave = anns.spoken(".leave");
    assert_eq!(
        leave,
        ("button".to_owned(), "Remove Ann from this window".to_owned())
    );

    anns.fill(".befriend input", "Ann");
    anns.click(".befriend button");
    anns.wait_for(&shows("#error-text", "Nobody can be his own friend."));
    anns.click("#dismiss");

    bobs.click(".toggle");
    anns.wait_for(&is(".friend[data-user=Bob]", "offline"));
    bobs.click(".toggle");
    anns.wait_for(&is(".friend[data-user=Bob]", "online"));
    bobs.open("about:blank");
    anns.wait_for(&is(".friend[data-user=Bob]", "offline"));

    site.kill();
    anns.wait_for(&is(".person[data-user=Ann]", "connecting"));
    site.start_again();
    anns.wait_for(&is(".person[data-user=Ann]", "online"));
    anns.wait_for("document.querySelectorAll('.message').length === 0");
}

/// A node of a cluster, which serves the chat and its page.
struct Node {
    proxy: Running,
    address: String,
    /// Where other nodes reach it.
    peer: String,
}

impl Node {
    /// A node that looks for the cluster there, or begins one.
    fn start(name: &str, join: Option<&str>) -> Self {
        let (function, files) = (serve(chat::function()), files("chat"));
        let own = [
            "--static",
            &files,
            "--node-name",
            name,
            "--peer-addr",
            "127.0.0.1:0",
            "--cluster.peer_host",
            "127.0.0.1",
            "--cluster.tls",
            "off",
        ];
        let join: Vec<&str> = join.into_iter().flat_map(|join| ["--join", join]).collect();
        let (proxy, address) = start_proxy(&function, "memory:", &[&CORS[..], &own, &join].concat());
        let line = proxy
            .seen
            .iter()
            .find(|line| line.contains("this node of the cluster"));
        let peer = line.and_then(|line| line.split('"').nth(3));
        let peer = peer.expect("it says where others reach it").to_owned();
        Node { proxy, address, peer }
    }
}

#[test]
fn people_of_a_killed_node_go_offline_on_the_others_and_move_there() {
    let test = "people_of_a_killed_node_go_offline_on_the_others_and_move_there";
    let (Some(anns), Some(bobs)) = (Driver::start(test), Driver::start(test)) else {
        return;
    };
    let first = Node::start("one", None);
    let mut second = Node::start("two", Some(&first.peer));
    let _third = Node::start("three", Some(&first.peer));
    anns.open(&format!("http://{}/?user=Ann", first.address));
    bobs.open(&format!("http://{}/?user=Bob", second.address));
    bobs.wait_for(&is(".person[data-user=Bob]", "online"));
    anns.fill(".befriend input", "Bob");
    anns.click(".befriend button");
    anns.wait_for(&is(".friend[data-user=Bob]", "online"));
    bobs.wait_for(&is(".friend[data-user=Ann]", "online"));

    // The windows know each other's nodes. No window came from the third.
    let card = |number: usize, state: &str| is(&format!("#nodes .node:nth-child({number})"), state);
    let face =
        |number: usize, name: &str| shows(&format!("#nodes .node:nth-child({number}) .face .name"), name);
    anns.wait_for(&shows("#size", "3 nodes"));
    anns.wait_for(&face(1, "Ann"));
    anns.wait_for(&face(2, "Bob"));
    anns.wait_for(&shows("#nodes .node:nth-child(3) .name", "One other node"));
    bobs.fill(".post input", "Hello from the second node");
    bobs.click(".post button");
    anns.wait_for(&shows(".message .text", "Hello from the second node"));
    anns.picture("chat-cluster");

    assert_eq!(
        second.proxy.end(Signal::KILL),
        None,
        "it ended before it was killed"
    );
    anns.wait_for(&is(".friend[data-user=Bob]", "offline"));
    anns.wait_for(&card(2, "down"));
    anns.wait_for(&shows("#size", "2 nodes"));
    bobs.wait_for(&is(".person[data-user=Bob]", "connecting"));
    anns.picture("chat-cluster-killed");

    bobs.evaluate(&format!(
        "(select => {{ select.value = 'http://{}'; select.dispatchEvent(new Event('change')); }})
         (document.querySelector('.on'))",
        first.address
    ));
    bobs.wait_for(&is(".person[data-user=Bob]", "online"));
    bobs.wait_for(&shows(".message .text", "Hello from the second node"));
    anns.wait_for(&is(".friend[data-user=Bob]", "online"));
}
