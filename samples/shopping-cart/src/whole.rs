//! The whole function against a real proxy, called as a browser would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use cloudstate_testkit::ProxyTest;

/// One HTTP request; answers status line, headers and body as they come.
fn http(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn items_are_added_and_read_over_http() {
    let proxy = ProxyTest::start(crate::function(), &[]).unwrap();
    let item = r#"{"productId": "p1", "name": "Bread", "quantity": 2}"#;
    let added = http(proxy.address(), "POST /cart/ann/items/add", item);
    assert!(added.starts_with("HTTP/1.1 200"), "{added}");
    let cart = http(proxy.address(), "GET /carts/ann", "");
    assert!(
        cart.ends_with(r#"{"items":[{"productId":"p1","name":"Bread","quantity":2}]}"#),
        "{cart}"
    );
}

#[test]
fn what_the_function_declines_arrives_as_its_text() {
    let proxy = ProxyTest::start(crate::function(), &[]).unwrap();
    let declined = http(proxy.address(), "POST /cart/ann/items/p1/remove", "");
    assert!(declined.starts_with("HTTP/1.1 500"), "{declined}");
    assert!(
        declined.ends_with("Cannot remove item p1 because it is not in the cart."),
        "{declined}"
    );
}

#[test]
fn wrong_settings_are_named() {
    let error = ProxyTest::start(crate::function(), &[("entity.passivation-timeout", "soon")]).unwrap_err();
    assert!(error.to_string().contains("passivation"), "{error}");
}
