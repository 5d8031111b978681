//! What is stored: entities and their payloads.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::shard::hash;

/// The largest persistence id and the largest entity id, in bytes.
pub const MAX_ID_BYTES: usize = 1024;

/// The identity of an entity. Both ids are any text of 1 to [`MAX_ID_BYTES`] bytes; none is ever interpreted.
///
/// Cloning shares the texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityKey {
    persistence_id: Arc<str>,
    entity_id: Arc<str>,
    /// Of both ids, as [`crate::shard_of`] defines it; computed once.
    hash: u64,
}

/// An id of a size that no store takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {which} must have 1 to {MAX_ID_BYTES} bytes, this one has {bytes}")]
pub struct InvalidKey {
    /// `persistence id` or `entity id`.
    pub which: &'static str,
    /// The size of the refused id.
    pub bytes: usize,
}

impl EntityKey {
    /// Names an entity.
    ///
    /// # Errors
    /// An id is empty or longer than [`MAX_ID_BYTES`].
    pub fn new(
        persistence_id: impl Into<Arc<str>>,
        entity_id: impl Into<Arc<str>>,
    ) -> Result<EntityKey, InvalidKey> {
        let (persistence_id, entity_id) = (persistence_id.into(), entity_id.into());
        check("persistence id", &persistence_id)?;
        check("entity id", &entity_id)?;
        let hash = hash(&persistence_id, &entity_id);
        Ok(EntityKey {
            persistence_id,
            entity_id,
            hash,
        })
    }

    /// Whose entities share this id: one entity type of the function.
    pub fn persistence_id(&self) -> &Arc<str> {
        &self.persistence_id
    }

    /// The entity among those of its persistence id.
    pub fn entity_id(&self) -> &Arc<str> {
        &self.entity_id
    }

    pub(crate) fn stable_hash(&self) -> u64 {
        self.hash
    }
}

fn check(which: &'static str, id: &str) -> Result<(), InvalidKey> {
    let bytes = id.len();
    if (1..=MAX_ID_BYTES).contains(&bytes) {
        Ok(())
    } else {
        Err(InvalidKey { which, bytes })
    }
}

// Both ids, not the stored hash: that one is the same in every process, so clients could choose colliding ids.
impl std::hash::Hash for EntityKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.entity_id.hash(state);
        self.persistence_id.hash(state);
    }
}

impl fmt::Debug for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.persistence_id, self.entity_id)
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.persistence_id.escape_debug(),
            self.entity_id.escape_debug()
        )
    }
}

/// An opaque message of the function: an event, a snapshot or a value. Stored and returned byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// Names the type of `value`; may be empty.
    pub type_url: String,
    /// The encoded message; may be empty.
    pub value: Bytes,
}

impl Payload {
    /// How much room the payload takes, for limits in bytes.
    pub fn size(&self) -> usize {
        self.type_url.len() + self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_accepted_up_to_the_limit_and_refused_beyond_it() {
        let longest = "x".repeat(MAX_ID_BYTES);
        assert!(EntityKey::new(longest.as_str(), longest.as_str()).is_ok());
        let refused = EntityKey::new("cart", format!("{longest}x")).unwrap_err();
        assert_eq!(
            refused,
            InvalidKey {
                which: "entity id",
                bytes: 1025
            }
        );
        assert_eq!(EntityKey::new("", "a").unwrap_err().which, "persistence id");
    }

    #[test]
    fn the_limit_counts_bytes_not_characters() {
        assert!(EntityKey::new("cart", "é".repeat(512)).is_ok());
        assert_eq!(EntityKey::new("cart", "é".repeat(513)).unwrap_err().bytes, 1026);
    }

    #[test]
    fn control_characters_are_shown_escaped() {
        let key = EntityKey::new("cart", "a\0b").unwrap();
        assert_eq!(key.to_string(), "cart/a\\0b");
    }
}
