//! How a store is driven.

use std::time::Duration;

/// The limits of a [`crate::Store`]. Each has a default that suits a sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many shards a new store gets. An existing store with another count is refused.
    pub shards: u32,
    /// How many commits may wait for the committer. Beyond: [`crate::Error::Overloaded`].
    pub queue_commits: usize,
    /// How many bytes of payload may wait for the committer. Beyond: [`crate::Error::Overloaded`].
    pub queue_bytes: usize,
    /// The most commits in one transaction.
    pub batch_commits: usize,
    /// The most bytes of payload in one transaction; a single larger commit goes alone.
    pub batch_bytes: usize,
    /// How many entities the committer remembers the last sequence of; others cost it a look-up.
    pub tails: usize,
    /// How many snapshots may wait to be written. Beyond, new ones are dropped and counted.
    pub queue_snapshots: usize,
    /// How many bytes of snapshots may wait. Beyond, new ones are dropped and counted.
    pub queue_snapshot_bytes: usize,
    /// How long the committer tries to learn the fate of a commit before it answers that it is unknown.
    pub resolve_within: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            shards: 128,
            queue_commits: 65_536,
            queue_bytes: 64 << 20,
            batch_commits: 1024,
            batch_bytes: 4 << 20,
            tails: 131_072,
            queue_snapshots: 4096,
            queue_snapshot_bytes: 32 << 20,
            resolve_within: Duration::from_secs(5),
        }
    }
}
