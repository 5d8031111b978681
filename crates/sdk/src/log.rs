//! Where the log goes.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Writes the function's log to stderr: this library's messages, such as errors that the proxy reports, and your own by
/// `tracing`. The environment variable `RUST_LOG` sets the level, `info` by default. Call it once, first thing in
/// `main`; if a subscriber is set already, that one stays.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // An error says that there is a subscriber already, which is what the caller was told.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .try_init();
}
