//! The shopping cart sample, as a client sees it.

use bytes::Bytes;
use cloudstate_protocol::Any;
use prost::Message;

use crate::wire;

/// The service's full name.
pub const SERVICE: &str = "com.example.shoppingcart.ShoppingCart";
/// Path of `AddItem`.
pub const ADD_ITEM: &str = "/com.example.shoppingcart.ShoppingCart/AddItem";
/// Path of `GetCart`.
pub const GET_CART: &str = "/com.example.shoppingcart.ShoppingCart/GetCart";

/// `AddLineItem`.
#[derive(Clone, PartialEq, Message)]
pub struct AddLineItem {
    /// The cart.
    #[prost(string, tag = "1")]
    pub user_id: String,
    /// What is added.
    #[prost(string, tag = "2")]
    pub product_id: String,
    /// Its name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// How many.
    #[prost(int32, tag = "4")]
    pub quantity: i32,
}

/// `GetShoppingCart`.
#[derive(Clone, PartialEq, Message)]
pub struct GetShoppingCart {
    /// The cart.
    #[prost(string, tag = "1")]
    pub user_id: String,
}

/// The event `ItemAdded`, which wraps a line item.
#[derive(Clone, PartialEq, Message)]
pub struct ItemAdded {
    /// What was added.
    #[prost(message, optional, tag = "1")]
    pub item: Option<LineItem>,
}

/// A line of a cart.
#[derive(Clone, PartialEq, Message)]
pub struct LineItem {
    /// The product.
    #[prost(string, tag = "1")]
    pub product_id: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// How many.
    #[prost(int32, tag = "3")]
    pub quantity: i32,
}

/// The id of cart number `index`.
pub fn user_id(index: usize) -> String {
    format!("user-{index:08}")
}

/// One `AddItem` frame for each of `entities` carts.
pub fn add_item_frames(entities: usize) -> Vec<Bytes> {
    let frame = |index| {
        wire::frame(&AddLineItem {
            user_id: user_id(index),
            product_id: "product-1".to_owned(),
            name: "A product with a name".to_owned(),
            quantity: 1,
        })
    };
    (0..entities).map(frame).collect()
}

/// An event as the function would have emitted it.
pub fn item_added() -> Any {
    let item = LineItem {
        product_id: "product-1".to_owned(),
        name: "A product with a name".to_owned(),
        quantity: 1,
    };
    any(
        "com.example.shoppingcart.persistence.ItemAdded",
        &ItemAdded { item: Some(item) },
    )
}

/// The payload of a command, given the name of its method and the encoded request.
pub fn command_payload(method: &str, value: Bytes) -> Any {
    let message = match method {
        "AddItem" => "AddLineItem",
        "RemoveItem" => "RemoveLineItem",
        _ => "GetShoppingCart",
    };
    Any {
        type_url: format!("type.googleapis.com/com.example.shoppingcart.{message}"),
        value,
    }
}

/// Packs a message.
pub fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec().into(),
    }
}
