//! A shopping cart as a value entity.
//!
//! ```text
//!   AddItem ──▶ ShoppingCartEntity ──update──▶ persistence.Cart, stored as a whole
//! ```

mod entity;

use cloudstate_sdk::{ServeError, UserFunction, log_to_stderr};

use entity::ShoppingCartEntity;
use proto::com::example::valueentity::shoppingcart::shopping_cart;

mod proto {
    cloudstate_sdk::include_protos!();
}

fn main() -> Result<(), ServeError> {
    log_to_stderr();
    let carts = shopping_cart::value("shopping-cart", ShoppingCartEntity);
    UserFunction::new("shopping-cart-value", env!("CARGO_PKG_VERSION"))
        .with(carts)
        .run()
}
