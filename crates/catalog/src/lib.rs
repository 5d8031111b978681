//! What a user function declared, checked and ready to serve.
//!
//! ```text
//!   EntitySpec ──▶ Catalog { services, methods, descriptors }   or a DiscoveryError to report to the function
//! ```
//!
//! A catalog is immutable: when the function comes back with another declaration, a new one takes its place.
//! This crate knows no sockets and no entity life cycles.

mod key;
mod model;

pub use key::{Key, KeyError};
pub use model::{Catalog, EntityKind, Method, Service};
