//! Turns the `.proto` files of a user function into Rust: messages, and for every service the traits to implement.
//!
//! ```text
//!   your .proto files ──┐
//!   cloudstate/*.proto ─┼─▶ descriptors ──▶ messages (prost)      ┐
//!   google/api/*.proto ─┘       │      └──▶ one module a service  ├─▶ $OUT_DIR/cloudstate.rs
//!                               └─ raw, options and all ──────────┴─▶ $OUT_DIR/cloudstate.bin
//! ```
//!
//! In `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), cloudstate_sdk_build::Error> {
//!     cloudstate_sdk_build::compile(&["proto/shoppingcart.proto"], &["proto"])
//! }
//! ```
//!
//! and in the function, `cloudstate_sdk::include_protos!()` where the packages shall appear as modules. No `protoc` is
//! needed, and no copy of `cloudstate/entity_key.proto`, `google/api/annotations.proto` or `google/protobuf/*.proto`:
//! these imports are built in. What the generated code refers to, it takes from the crate `cloudstate_sdk`.
//!
//! The descriptors are kept as they were compiled, because decoding them into typed structs and encoding them again
//! loses extension options, among them the entity keys and the HTTP bindings that the proxy needs.
//!
//! Absent: compiling for other languages, and services of other crates (`extern_path`).

mod compile;
mod modules;
mod names;
mod service;

pub use compile::{Error, compile, compile_to};
