//! Serves the order tracker.

use cloudstate_sdk::{ServeError, log_to_stderr};

fn main() -> Result<(), ServeError> {
    log_to_stderr();
    order_tracker::function().run()
}
