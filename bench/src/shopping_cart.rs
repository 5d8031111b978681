//! The shopping cart sample, as a client sees it.

use bytes::Bytes;
use cloudstate_protocol::Any;
use http::Method;
use prost::Message;

use crate::load::Json;
use crate::wire;

/// The service's full name.
pub const SERVICE: &str = "com.example.shoppingcart.ShoppingCart";
/// The name under which carts are stored.
pub const PERSISTENCE_ID: &str = "shopping-cart";
/// Path of `AddItem`.
pub const ADD_ITEM: &str = "/com.example.shoppingcart.ShoppingCart/AddItem";
/// Path of `GetCart`.
pub const GET_CART: &str = "/com.example.shoppingcart.ShoppingCart/GetCart";

const PRODUCT_ID: &str = "product-1";
const PRODUCT_NAME: &str = "A product with a name";

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

/// `persistence.ItemAdded`, the event.
#[derive(Clone, PartialEq, Message)]
struct ItemAdded {
    #[prost(message, optional, tag = "1")]
    item: Option<LineItem>,
}

/// `persistence.LineItem`.
#[derive(Clone, PartialEq, Message)]
struct LineItem {
    #[prost(string, tag = "1")]
    product_id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(int32, tag = "3")]
    quantity: i32,
}

/// The id of cart number `index`.
pub fn user_id(index: usize) -> String {
    format!("user-{index:08}")
}

/// One `AddItem` frame for each of some carts.
pub fn add_item_frames(carts: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    let frame = |index| add_frame(index, PRODUCT_ID.to_owned());
    carts.into_iter().map(frame).collect()
}

/// Frames that put a number of different products into each of some carts.
pub fn fill_frames(carts: impl IntoIterator<Item = usize>, products: usize) -> Vec<Bytes> {
    let frames = |index| (0..products).map(move |product| add_frame(index, format!("product-{product:04}")));
    carts.into_iter().flat_map(frames).collect()
}

fn add_frame(index: usize, product_id: String) -> Bytes {
    wire::frame(&AddLineItem {
        user_id: user_id(index),
        product_id,
        name: PRODUCT_NAME.to_owned(),
        quantity: 1,
    })
}

/// What the paths of [`add_item_calls`] begin with.
pub const ADD_ITEM_PATHS: &str = "/cart/";
/// What the paths of [`get_cart_calls`] begin with.
pub const GET_CART_PATHS: &str = "/carts/";

/// The calls of [`add_item_frames`] as JSON.
pub fn add_item_calls(carts: impl IntoIterator<Item = usize>) -> Vec<Json> {
    let body = format!(r#"{{"productId":"{PRODUCT_ID}","name":"{PRODUCT_NAME}","quantity":1}}"#);
    let body = Bytes::from(body);
    let call = |index| Json {
        method: Method::POST,
        path: format!("{}/items/add", user_id(index)),
        body: body.clone(),
    };
    carts.into_iter().map(call).collect()
}

/// The calls of [`get_cart_frames`] as JSON.
pub fn get_cart_calls(carts: impl IntoIterator<Item = usize>) -> Vec<Json> {
    let call = |index| Json {
        method: Method::GET,
        path: user_id(index),
        body: Bytes::new(),
    };
    carts.into_iter().map(call).collect()
}

/// One `GetCart` frame for each of some carts.
pub fn get_cart_frames(carts: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    let frame = |index| {
        wire::frame(&GetShoppingCart {
            user_id: user_id(index),
        })
    };
    carts.into_iter().map(frame).collect()
}

/// The event that an `AddItem` of [`add_item_frames`] causes, as it is stored.
pub fn item_added() -> Any {
    let item = LineItem {
        product_id: PRODUCT_ID.to_owned(),
        name: PRODUCT_NAME.to_owned(),
        quantity: 1,
    };
    wire::any(
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
