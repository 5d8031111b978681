//! What a store has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How many of the observed numbers fell below each power of two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// `buckets[i]` counts observations below `2^i` that are not below `2^(i-1)`.
    pub buckets: Vec<u64>,
    /// The sum of all observations.
    pub sum: u64,
    /// Their number.
    pub count: u64,
}

impl Histogram {
    /// An upper bound of the value below which this share of observations lies (0.5: the median).
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (power, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return 1 << power.min(63);
            }
        }
        0
    }
}

/// A snapshot of a store's counters since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Commits applied.
    pub applied: u64,
    /// Commits refused by the fence.
    pub fenced: u64,
    /// Commits refused by what they expected.
    pub conflicts: u64,
    /// Commits that failed, known not applied.
    pub failed: u64,
    /// Commits answered as unknown.
    pub unknown: u64,
    /// Commits shed because the queue was full.
    pub shed: u64,
    /// Events of commits that were applied.
    pub events: u64,
    /// Bytes of payload of commits that were applied.
    pub bytes: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Snapshots that failed, or were dropped because too many waited.
    pub snapshots_lost: u64,
    /// Commits waiting now.
    pub queued: u64,
    /// Bytes waiting now.
    pub queued_bytes: u64,
    /// Commits in a batch.
    pub batch_commits: Histogram,
    /// Time of the backend for a batch until it is durable, microseconds.
    pub commit_us: Histogram,
    /// Of it, the time of the disk to make the batch durable, microseconds; empty for a backend that cannot tell.
    pub sync_us: Histogram,
    /// Why the last batch failed; `None` if it did not.
    pub failing: Option<String>,
}

const BUCKETS: usize = 32;

#[derive(Default)]
pub(crate) struct Observed {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    count: AtomicU64,
}

impl Observed {
    pub(crate) fn observe(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    pub(crate) fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> Histogram {
        Histogram {
            buckets: self.buckets.iter().map(|b| b.load(Relaxed)).collect(),
            sum: self.sum.load(Relaxed),
            count: self.count.load(Relaxed),
        }
    }
}

/// The counters behind [`Stats`]; written by the committer, and by callers where commits are shed.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) applied: AtomicU64,
    pub(crate) fenced: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) shed: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) snapshots: AtomicU64,
    pub(crate) snapshots_lost: AtomicU64,
    pub(crate) batch_commits: Observed,
    pub(crate) commit_us: Observed,
    pub(crate) sync_us: Observed,
    pub(crate) failing: std::sync::Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        Stats {
            applied: self.applied.load(Relaxed),
            fenced: self.fenced.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            failed: self.failed.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            shed: self.shed.load(Relaxed),
            events: self.events.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            snapshots: self.snapshots.load(Relaxed),
            snapshots_lost: self.snapshots_lost.load(Relaxed),
            queued: 0,
            queued_bytes: 0,
            batch_commits: self.batch_commits.read(),
            commit_us: self.commit_us.read(),
            sync_us: self.sync_us.read(),
            failing: crate::queue::lock(&self.failing).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_bounded_from_above() {
        let observed = Observed::default();
        for value in [1, 3, 100, 1000] {
            observed.observe(value);
        }
        let read = observed.read();
        assert_eq!((read.count, read.sum), (4, 1104));
        assert_eq!(read.quantile(0.5), 4);
        assert_eq!(read.quantile(1.0), 1024);
    }
}
