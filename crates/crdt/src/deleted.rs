//! Deleted CRDTs: an id that was deleted can never be used again, and must cost next to nothing.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::{DecodeError, DecodeReason};
use crate::limits::Limits;

/// What remains of a deleted CRDT: 128 bits of a hash of its ids.
///
/// A cryptographic hash, because users choose ids: nobody can find an id that is taken for a deleted one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeletedId([u8; DeletedId::SIZE]);

impl DeletedId {
    /// Its size in bytes, in memory and encoded.
    pub const SIZE: usize = 16;

    /// The record of the CRDT with these ids.
    ///
    /// The first 16 bytes of SHA-256 over: length of the persistence id in bytes (u64, little endian) ‖ persistence id ‖
    /// entity id. The length keeps `("a-b", "c")` and `("a", "b-c")` apart.
    pub fn new(persistence_id: &str, entity_id: &str) -> DeletedId {
        let hash = Sha256::new()
            .chain_update((persistence_id.len() as u64).to_le_bytes())
            .chain_update(persistence_id)
            .chain_update(entity_id)
            .finalize();
        let mut id = [0; DeletedId::SIZE];
        id.copy_from_slice(&hash[..DeletedId::SIZE]);
        DeletedId(id)
    }

    /// The record with these bytes.
    pub const fn from_bytes(bytes: [u8; DeletedId::SIZE]) -> DeletedId {
        DeletedId(bytes)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; DeletedId::SIZE] {
        self.0
    }
}

impl fmt::Debug for DeletedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The CRDTs that were deleted, a set that only grows. An id costs at most 64 bytes of memory.
///
/// It is sorted, so that two nodes can compare and repair it range by range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeletedIds(BTreeSet<DeletedId>);

impl DeletedIds {
    const VERSION: u8 = 1;
    const CONTENT: u8 = b'x';

    /// Nothing was deleted.
    pub fn new() -> DeletedIds {
        DeletedIds::default()
    }

    /// Adds one; says whether it was not there.
    pub fn insert(&mut self, id: DeletedId) -> bool {
        self.0.insert(id)
    }

    /// Whether this one was deleted.
    pub fn contains(&self, id: DeletedId) -> bool {
        self.0.contains(&id)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = DeletedId> {
        self.0.iter().copied()
    }

    /// Those from `from` on, in order.
    pub fn from(&self, from: DeletedId) -> impl Iterator<Item = DeletedId> {
        self.0.range(from..).copied()
    }

    /// Adds all of another set. Says whether this one grew.
    pub fn merge(&mut self, other: &DeletedIds) -> bool {
        let before = self.len();
        self.0.extend(&other.0);
        self.len() > before
    }

    /// A version byte, a content byte, then the ids in order. Equal sets have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + self.len() * DeletedId::SIZE);
        bytes.extend([DeletedIds::VERSION, DeletedIds::CONTENT]);
        self.iter().for_each(|id| bytes.extend(id.0));
        bytes
    }

    /// Reads what [`DeletedIds::encode`] wrote.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<DeletedIds, DecodeError> {
        let error = |reason, at| Err(DecodeError { reason, at });
        if bytes.len() > limits.bytes {
            let limit = limits.bytes;
            return error(DecodeReason::TooLarge { limit }, limit);
        }
        let body = match *bytes {
            [DeletedIds::VERSION, DeletedIds::CONTENT, ref body @ ..] => body,
            [DeletedIds::VERSION, content, ..] => return error(DecodeReason::Content(content), 1),
            [version, ..] if version != DeletedIds::VERSION => {
                return error(DecodeReason::Version(version), 0);
            }
            _ => return error(DecodeReason::CutShort, bytes.len()),
        };
        let (ids, rest) = body.as_chunks::<{ DeletedId::SIZE }>();
        if !rest.is_empty() {
            return error(DecodeReason::CutShort, bytes.len());
        }
        if let Some(at) = ids.windows(2).position(|pair| pair[0] >= pair[1]) {
            let at = 2 + (at + 1) * DeletedId::SIZE;
            return error(DecodeReason::Abnormal("ids out of order"), at);
        }
        Ok(DeletedIds(ids.iter().copied().map(DeletedId).collect()))
    }
}

impl Extend<DeletedId> for DeletedIds {
    fn extend<T: IntoIterator<Item = DeletedId>>(&mut self, ids: T) {
        self.0.extend(ids);
    }
}
