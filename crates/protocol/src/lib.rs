//! The Cloudstate protocol 0.2, as Rust types.
//!
//! ```text
//!   proto/*.proto ──build script──▶ messages (this crate's root and one module a package)
//!                            └────▶ FILE_DESCRIPTOR_SET, SOURCES (for code generators and reflection)
//! ```
//!
//! Beside the messages live the conventions that the `.proto` files cannot express: type URLs and the encodings of
//! primitives and JSON ([`any`]), metadata look-up ([`metadata`]), CloudEvents in metadata ([`cloud_event`]), and the
//! names of services and rpcs ([`names`]). This crate knows no transport: it encodes and decodes, nothing else.

pub mod any;
pub mod cloud_event;
pub mod metadata;
pub mod names;
mod sources;

pub use any::Any;
pub use sources::{FILE_DESCRIPTOR_SET, SOURCES};

/// Generated code, in the module tree of the protobuf packages.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod packages {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

pub use packages::cloudstate::*;
pub use packages::google;

/// The protocol's major version; a function must report the same.
pub const PROTOCOL_MAJOR_VERSION: i32 = 0;
/// The protocol's minor version; a function must report the same.
pub const PROTOCOL_MINOR_VERSION: i32 = 2;
