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

impl Site {
    fn start(function: UserFunction, sample: &str) -> Self {
        let function = serve(function);
        let files = format!("{}/../../samples/{sample}/static", env!("CARGO_MANIFEST_DIR"));
        let store = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}", store.path().display());
        let (proxy, address) = start_proxy(&function, &url, &["--static", &files]);
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
        let flags = ["--static", &self.files, "--http.port", port];
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
