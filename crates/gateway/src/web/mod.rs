//! What browsers need beside gRPC and JSON.
//!
//! ```text
//!   grpc-web request ─▶ plain frames (base64 removed) ─▶ grpc ─▶ reply with its trailers as the last frame of the body
//! ```
//!
//! Absent: the calls themselves. A gRPC-Web call runs as a gRPC call does.

pub(crate) mod grpc_web;
mod text;

pub use text::{MalformedText, TextDecoder};
