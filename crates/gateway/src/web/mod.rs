//! What browsers need beside gRPC and JSON: gRPC-Web, and the headers of cross-origin requests.
//!
//! ```text
//!   grpc-web request ─▶ plain frames (base64 removed) ─▶ grpc ─▶ reply with its trailers as the last frame of the body
//!   any answer ─▶ cors: may the page of this origin read it, and which headers of it
//! ```
//!
//! Absent: the calls themselves. A gRPC-Web call runs as a gRPC call does.

pub(crate) mod cors;
pub(crate) mod grpc_web;
mod origins;
mod text;

pub use cors::Cors;
pub use origins::{MalformedOrigin, Origins};
pub(crate) use text::Decoded;
pub use text::{MalformedText, TextDecoder};
