//! The [JSON mapping](https://protobuf.dev/programming-guides/json/) of protobuf messages, without messages in between.
//!
//! ```text
//!   descriptors ──compile, once──▶ Plan ─┬─ to_wire: JSON text ──serde_json──▶ visitors ──▶ wire format
//!                                        └─ to_json: wire format ──▶ where each field stands ──▶ JSON text
//! ```
//!
//! A [`Plan`] says of every message type that a root can reach how its fields are called, numbered and written. Both ways
//! walk the input once and write the output as they go; neither builds a message. What a JSON text is, and how numbers and
//! strings look in one, is serde_json's business; varints, wire types and groups are prost's.
//!
//! `prost_reflect::DynamicMessage` does the same through a message, and is what the plan is held to: a property test compares
//! the two on messages and texts of all shapes, whole and broken. `tests/differences.rs` shows the few places where they
//! differ on purpose. It also does what is not worth a plan: messages with extensions, and merging what the wire holds twice.
//!
//! Absent on purpose: HTTP, gRPC, and which message a text is of.

mod base64;
mod compile;
mod error;
mod locate;
mod plan;
mod reflect;
mod to_json;
mod to_wire;
mod types;
mod well_known;

pub use error::{JsonError, WireError};
pub use plan::{Plan, Root};

/// How deep messages may nest in messages, map entries included. It is the limit of the protobuf readers of most
/// languages, so that no message is made that the function could not read.
pub const DEPTH_MAX: usize = 100;
