//! Limits and times of replication.

use std::time::Duration;

use cloudstate_crdt::Limits;

/// How replication behaves.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationOptions {
    /// Changes are collected this long before they are sent together.
    pub push_interval: Duration,
    /// All replicas are compared with those of a random other member this often.
    pub digest_interval: Duration,
    /// How long a write has to reach the members that it needs.
    pub write_timeout: Duration,
    /// How long a read has to reach a majority, when an entity is used for the first time.
    pub read_timeout: Duration,
    /// Changes that wait to be sent or acknowledged. Beyond that, LOCAL changes are left to the comparison, and others fail.
    pub max_waiting: usize,
    /// Bytes of replicas in one message of a repair; one that is larger travels alone.
    pub repair_bytes: usize,
    /// What is accepted from other nodes.
    pub limits: Limits,
}

impl Default for ReplicationOptions {
    fn default() -> Self {
        ReplicationOptions {
            push_interval: Duration::from_millis(2),
            digest_interval: Duration::from_secs(2),
            write_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(3),
            max_waiting: 65_536,
            repair_bytes: 256 * 1024,
            limits: Limits::default(),
        }
    }
}
