//! What a user function declared, checked and ready to serve.
//!
//! ```text
//!   EntitySpec ──▶ link files ──▶ check entities ──▶ Catalog { services, methods, keys, HTTP routes, descriptors }
//!                      └───────────────┴───────────▶ DiscoveryError, to report to the function
//! ```
//!
//! A catalog is immutable: when the function comes back with another declaration, a new one takes its place.
//! This crate knows no sockets and no entity life cycles, and reads no JSON: it compiles how JSON is to be read.

mod descriptors;
mod discovery;
mod error;
mod eventing;
pub mod http;
mod key;
mod model;
mod options;
#[cfg(test)]
mod testing;

pub use discovery::CatalogOptions;
pub use error::{DiscoveryError, Warning};
pub use key::{ENTITY_ID_BYTES_MAX, Key, KeyError};
pub use model::{Catalog, EntityKind, Method, Service};
