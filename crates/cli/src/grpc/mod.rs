//! Calls with messages that are known only at run time.
//!
//! ```text
//!   address ──▶ channel ──▶ reflection ──▶ Schema (descriptors) ──▶ JSON ⇄ messages
//!                  └───────────────────────────────────────────────▶ codec: bytes in, bytes out
//! ```

mod channel;
mod codec;
mod reflection;
mod schema;
mod status;
mod wire;

pub(crate) use channel::{Address, connect};
pub(crate) use codec::BytesCodec;
pub(crate) use reflection::Reflection;
pub(crate) use schema::{Schema, from_json, http_bindings, to_json};
pub(crate) use status::explain;
