//! Serves the shopping cart.

use cloudstate_sdk::{ServeError, log_to_stderr};

fn main() -> Result<(), ServeError> {
    log_to_stderr();
    shopping_cart::function().run()
}
