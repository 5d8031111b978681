//! Which shard an entity belongs to.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::EntityKey;

/// The name of the algorithm of [`shard_of`], as stores keep it.
pub const SHARD_ALGORITHM: &str = "xxh3-64";

/// A shard: the unit of ownership, order, fencing and projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(u32);

impl ShardId {
    /// The shard of this number, counted from 0.
    pub const fn new(number: u32) -> ShardId {
        ShardId(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is fixed for the life of a store. A deployment that wants another layout is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How many shards.
    pub shards: u32,
    /// How an entity's shard is found; [`SHARD_ALGORITHM`].
    pub algorithm: String,
}

impl Layout {
    /// A layout of so many shards with the algorithm of this version.
    pub fn of(shards: u32) -> Layout {
        Layout {
            shards,
            algorithm: SHARD_ALGORITHM.to_owned(),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards by {}", self.shards, self.algorithm)
    }
}

/// The shard of an entity among `shards` (at least 1): XXH3-64, seed 0, modulo `shards`, over
///
/// ```text
///   length of persistence id: u32, little endian ‖ persistence id ‖ length of entity id ‖ entity id
/// ```
///
/// with lengths in bytes and ids in UTF-8. The lengths keep `("ab", "c")` and `("a", "bc")` apart.
pub fn shard_of(entity: &EntityKey, shards: u32) -> ShardId {
    let number = entity.stable_hash() % u64::from(shards.max(1));
    // The remainder is below `shards`, a u32.
    ShardId(number as u32)
}

/// The 64-bit hash that [`shard_of`] reduces.
pub(crate) fn hash(persistence_id: &str, entity_id: &str) -> u64 {
    // Ids are short as a rule: those are hashed from the stack.
    let mut short = [0u8; 256];
    let size = 8 + persistence_id.len() + entity_id.len();
    let mut long;
    let buffer = if size <= short.len() {
        &mut short[..size]
    } else {
        long = vec![0u8; size];
        &mut long[..]
    };
    let (first, second) = buffer.split_at_mut(4 + persistence_id.len());
    frame(first, persistence_id);
    frame(second, entity_id);
    xxh3_64(buffer)
}

fn frame(target: &mut [u8], id: &str) {
    target[..4].copy_from_slice(&(id.len() as u32).to_le_bytes());
    target[4..].copy_from_slice(id.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard(persistence_id: &str, entity_id: &str) -> u32 {
        shard_of(&EntityKey::new(persistence_id, entity_id).unwrap(), 128).number()
    }

    /// Other implementations check themselves against these. Computed with the reference implementation in C.
    #[test]
    fn test_vectors() {
        assert_eq!(hash("shopping-cart", "user-1"), VECTORS[0]);
        assert_eq!(hash("a", "bc"), VECTORS[1]);
        assert_eq!(hash("ab", "c"), VECTORS[2]);
        assert_eq!(hash("cart", "a\0b"), VECTORS[3]);
        assert_eq!(hash("cart", "żółw|'\"-%"), VECTORS[4]);
        assert_eq!(hash(&"p".repeat(1024), &"e".repeat(1024)), VECTORS[5]);
        assert_eq!(shard("shopping-cart", "user-1"), (VECTORS[0] % 128) as u32);
    }

    const VECTORS: [u64; 6] = [
        0x4169_c8ad_4bdd_761c,
        0x5892_a711_d107_e652,
        0x6d5f_7d8c_2045_61ef,
        0x1f62_d34e_5848_fa7c,
        0x77d0_069d_a148_91a1,
        0x29c1_24e2_d52e_bc0a,
    ];

    proptest! {
        #[test]
        fn short_and_long_ids_are_hashed_alike(p in ".{1,200}", e in ".{1,200}") {
            let mut whole = Vec::new();
            for id in [&p, &e] {
                whole.extend((id.len() as u32).to_le_bytes());
                whole.extend(id.as_bytes());
            }
            prop_assert_eq!(hash(&p, &e), xxh3_64(&whole));
        }

        #[test]
        fn every_shard_is_in_range(e in ".{1,50}", shards in 1u32..1000) {
            prop_assert!(shard_of(&EntityKey::new("p", e).unwrap(), shards).number() < shards);
        }
    }
}
