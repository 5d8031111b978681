//! The OpenAPI 3.1 document of what a function serves over HTTP and JSON, made from its catalog.
//!
//! ```text
//!   HttpBinding ──▶ path.rs         the path, one parameter a wildcard ──┐
//!              ├──▶ query.rs        fields that the query may set ───────┤
//!              └──▶ operation.rs    body, replies, errors ───────────────┴─▶ Document ──serde──▶ JSON
//!                        │ messages and enums that it speaks of
//!                        ▼
//!   descriptors ──▶ schema.rs       proto3 JSON as JSON Schema 2020-12, each type once, recursion by `$ref`
//!              └──▶ comments.rs     comments of the `.proto` files, the descriptions of all these
//! ```
//!
//! Equal catalogs give equal documents, byte for byte. Sources: the OpenAPI Specification 3.1.1, the proto3 JSON
//! mapping, `google/api/http.proto`.
//!
//! Absent: serving it, and the server's address, which the document leaves to where it was fetched from.

mod comments;
mod document;
mod model;
mod operation;
mod path;
mod query;
mod schema;
mod well_known;

pub use document::document;
pub use model::Document;
