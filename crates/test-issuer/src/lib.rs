//! Issues certificates and tokens for tests, as an authority and an identity provider would. Every run has new keys; none
//! is kept.
//!
//! ```text
//!   Authority ─issue─▶ Issued { cert, key } in PEM ─▶ the files of a proxy, or the TLS of a client
//!   Provider ─keys─▶ a key set for a proxy      ─sign─▶ tokens for a client
//! ```
//!
//! What fails here panics: a test that cannot be set up has failed.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "only tests use it")]

mod certificates;
mod tokens;

pub use certificates::{Authority, Issued};
pub use tokens::{Provider, SECRET, now};
