//! The shopping cart of the samples, as a client sees it.

use bytes::Bytes;
use prost::Message;

use super::Answer;

pub(crate) const ADD: &str = "/com.example.shoppingcart.ShoppingCart/AddItem";
pub(crate) const REMOVE: &str = "/com.example.shoppingcart.ShoppingCart/RemoveItem";
pub(crate) const GET: &str = "/com.example.shoppingcart.ShoppingCart/GetCart";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AddLineItem {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    pub(crate) product_id: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(int32, tag = "4")]
    pub(crate) quantity: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(string, tag = "1")]
    product_id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(int32, tag = "3")]
    quantity: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Cart {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Line>,
}

/// A request that adds to a cart; without a quantity it takes out.
pub(crate) fn item(cart: &str, product: &str, quantity: i32) -> AddLineItem {
    AddLineItem {
        user_id: cart.to_owned(),
        product_id: product.to_owned(),
        name: format!("a {product}"),
        quantity,
    }
}

/// A request that names a cart only.
pub(crate) fn only_cart(cart: &str) -> AddLineItem {
    AddLineItem {
        user_id: cart.to_owned(),
        ..AddLineItem::default()
    }
}

/// What is in a cart, ordered by product.
pub(crate) fn cart(answer: &Answer) -> Vec<(String, String, i32)> {
    assert_eq!(answer.status(), (0, String::new()));
    let message: Bytes = answer.body.slice(5..);
    let cart = Cart::decode(message).expect("a cart");
    let line = |line: Line| (line.product_id, line.name, line.quantity);
    let mut lines: Vec<_> = cart.items.into_iter().map(line).collect();
    lines.sort();
    lines
}

/// What is expected in a cart.
pub(crate) fn lines(lines: &[(&str, i32)]) -> Vec<(String, String, i32)> {
    let line = |(product, quantity): &(&str, i32)| ((*product).to_owned(), format!("a {product}"), *quantity);
    lines.iter().map(line).collect()
}
