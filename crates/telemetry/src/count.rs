//! One number.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to the number. Only for its one writer: a plain load and store lose nothing then, and cost no locked
    /// instruction.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Adds one, as [`add`](Self::add).
    pub fn inc(&self) {
        self.add(1);
    }

    /// The number at this moment.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
