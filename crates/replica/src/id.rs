//! Which entity.

use std::fmt;
use std::sync::Arc;

use cloudstate_crdt::DeletedId;

/// How many shards there are, on every node.
pub const SHARDS: usize = 256;

/// The identity of a CRDT entity, with its hash. Cheap to clone.
///
/// Two are the same if their hashes are: 128 bits of SHA-256, see [`DeletedId::new`].
#[derive(Clone)]
pub struct Id {
    persistence_id: Arc<str>,
    entity_id: Arc<str>,
    hash: DeletedId,
}

impl Id {
    /// The entity with this id among those with the persistence id. The type of the CRDT is not part of it.
    pub fn new(persistence_id: impl Into<Arc<str>>, entity_id: impl Into<Arc<str>>) -> Id {
        let (persistence_id, entity_id) = (persistence_id.into(), entity_id.into());
        Id {
            hash: DeletedId::new(&persistence_id, &entity_id),
            persistence_id,
            entity_id,
        }
    }

    /// What the function's declaration calls its persistence id.
    pub fn persistence_id(&self) -> &Arc<str> {
        &self.persistence_id
    }

    /// The entity id.
    pub fn entity_id(&self) -> &Arc<str> {
        &self.entity_id
    }

    /// Its hash: what remains of it when it is deleted.
    pub fn hash(&self) -> DeletedId {
        self.hash
    }

    /// The shard that it belongs to.
    pub fn shard(&self) -> u8 {
        shard_of(self.hash)
    }
}

/// The shard of the entity with this hash.
pub(crate) fn shard_of(hash: DeletedId) -> u8 {
    hash.to_bytes()[0]
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Id {}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.persistence_id, self.entity_id)
    }
}
