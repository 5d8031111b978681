//! Serves the chat.

use cloudstate_sdk::{ServeError, log_to_stderr};

fn main() -> Result<(), ServeError> {
    log_to_stderr();
    chat::function().run()
}
