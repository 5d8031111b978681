//! The server as a proxy sees it: a raw HTTP/2 client against real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test shows what it did not expect by failing"
)]

mod actions;
mod client;
mod entities;
mod function;
mod lifecycle;
