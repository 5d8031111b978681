//! Documents of whole APIs, and of one rule at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

mod conforming;
mod library;
mod rules;
mod support;
