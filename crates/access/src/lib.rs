//! Who calls, and what they may call.
//!
//! ```text
//!   certificate of the connection ─▶ Certificate ─┐
//!                                                 ├─▶ Identity ──▶ metadata for the function
//!   token of the request ─▶ Tokens ─▶ Token ──────┘      │
//!                                                        ▼
//!   rules of the configuration ─▶ Policy ─▶ Allowed ─▶ decide ─▶ may call, or Refusal
//! ```
//!
//! Everything here decides on values that it is given. Absent: sockets, TLS, files, HTTP headers and statuses, and what
//! the function declares; `gateway` and `proxy` bring them.

mod certificate;
mod identity;
mod metadata;
mod policy;
mod rules;
mod token;
mod who;

pub use certificate::{Certificate, CertificateError};
pub use identity::{Identity, Refusal, Shown};
pub use metadata::is_reserved;
pub use policy::{Policy, Thing};
pub use rules::{Pattern, Rules};
pub use token::{Algorithms, KeysError, Token, TokenError, TokenOptions, Tokens};
pub use who::{Allowed, Who};
