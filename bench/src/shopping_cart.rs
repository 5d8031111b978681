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
