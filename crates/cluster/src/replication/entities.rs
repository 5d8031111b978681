//! Entities on the wire.

use cloudstate_crdt::{DeletedId, Limits, State};
use cloudstate_replica::Id;

use crate::wire;

pub(super) fn state(id: &Id, state: &State) -> wire::Entity {
    entity(id, state.encode())
}

pub(super) fn entity(id: &Id, content: Vec<u8>) -> wire::Entity {
    wire::Entity {
        persistence_id: id.persistence_id().to_string(),
        entity_id: id.entity_id().to_string(),
        content: content.into(),
    }
}

pub(super) fn id(entity: &wire::Entity) -> Id {
    Id::new(&*entity.persistence_id, &*entity.entity_id)
}

/// Reads a state of a peer. What cannot be read is left out, and said so: repairs go on with the rest.
pub(super) fn read_state(entity: &wire::Entity, limits: &Limits) -> Option<(Id, State)> {
    match State::decode(&entity.content, limits) {
        Ok(state) => Some((id(entity), state)),
        Err(error) => {
            tracing::warn!(entity = ?id(entity), %error, "a replica of a peer cannot be read");
            None
        }
    }
}

pub(super) fn hashes(bytes: &[u8]) -> impl Iterator<Item = DeletedId> {
    let (hashes, _) = bytes.as_chunks::<{ DeletedId::SIZE }>();
    hashes.iter().map(|hash| DeletedId::from_bytes(*hash))
}

pub(super) fn bytes(hashes: impl IntoIterator<Item = DeletedId>) -> bytes::Bytes {
    hashes.into_iter().flat_map(DeletedId::to_bytes).collect()
}
