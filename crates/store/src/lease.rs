//! Node leases: who should write. Who does write is decided by the fence, so that a wrong lease costs time, not data.
//!
//! A holder renews with a rising beat. A contender that has seen a beat unchanged for the lease time, on its own
//! monotonic clock, declares the holder dead, conditional on that beat, and only then takes its shards. A holder that
//! finds itself dead must stop. Nothing here reads a clock.

use std::sync::Arc;

use crate::{BoxFuture, Error};

/// Whether the holder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It does.
    Live,
    /// It was declared dead or has left; only a higher generation of the same name lives again.
    Dead,
}

/// The lease of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The node's name.
    pub node: Arc<str>,
    /// Which start of the node's process.
    pub generation: u64,
    /// Rises with each renewal.
    pub beat: u64,
    /// Whether it counts.
    pub state: LeaseState,
}

/// The leases of a store. Each call is one atomic, durable write or one read; its future does its work even if dropped, or
/// none at all.
pub trait Leases: Send + Sync + 'static {
    /// Starts a generation with beat 0. `false` if the node's stored generation is not lower.
    fn claim(&self, node: &str, generation: u64) -> BoxFuture<'static, Result<bool, Error>>;

    /// Sets the beat. `false`: this generation is dead, replaced, or was never claimed, or the beat does not rise.
    fn renew(&self, node: &str, generation: u64, beat: u64) -> BoxFuture<'static, Result<bool, Error>>;

    /// Declares a generation dead if its beat is still this one. `true` if it is dead now by this call.
    fn declare_dead(&self, node: &str, generation: u64, beat: u64)
    -> BoxFuture<'static, Result<bool, Error>>;

    /// All leases, by node name.
    fn list(&self) -> BoxFuture<'static, Result<Vec<Lease>, Error>>;
}
