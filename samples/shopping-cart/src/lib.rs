//! A shopping cart as an event sourced entity.
//!
//! ```text
//!   AddItem ──▶ ShoppingCartEntity ──emit──▶ ItemAdded ──▶ Cart::apply
//! ```

mod cart;
mod entity;
#[cfg(test)]
mod whole;

use cloudstate_sdk::UserFunction;

use entity::ShoppingCartEntity;
use proto::com::example::shoppingcart::shopping_cart;

mod proto {
    cloudstate_sdk::include_protos!();
}

/// Everything that this function serves.
pub fn function() -> UserFunction {
    let carts = shopping_cart::event_sourced("shopping-cart", ShoppingCartEntity).snapshot_every(100);
    UserFunction::new("shopping-cart", env!("CARGO_PKG_VERSION")).with(carts)
}
