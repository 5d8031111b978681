//! Reads the entity id from an encoded request, without building the message.

use std::sync::Arc;

/// How to read an entity id: the key fields of a request type. Empty for methods without an entity.
#[derive(Debug, Default)]
pub struct Key {
    #[allow(dead_code)]
    fields: Vec<KeyField>,
}

#[derive(Debug)]
struct KeyField {
    #[allow(dead_code)]
    name: Arc<str>,
}

/// Why a request names no entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// All key fields are empty.
    #[error("the entity key field [{field}] is empty")]
    Empty {
        /// The field, or the fields joined by `, `.
        field: String,
    },
}
