//! What became of the requests.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::Failure;
use crate::messages::Kind;

/// Latencies in nanoseconds with three significant digits.
pub(crate) type Latencies = Histogram<u64>;

/// Whatever takes longer counts as this.
const LONGEST: Duration = Duration::from_secs(3600);

/// An empty histogram.
pub(crate) fn latencies() -> Latencies {
    #[expect(
        clippy::expect_used,
        reason = "the constructor allows one to five digits, and any bound above 2"
    )]
    Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3).expect("digits and bounds are in range")
}

/// Counts and latencies of a part of the load.
#[derive(Debug, Clone)]
pub(crate) struct Stats {
    pub(crate) reads: Latencies,
    pub(crate) writes: Latencies,
    /// Failures by status name.
    pub(crate) failures: BTreeMap<String, Failed>,
    /// Requests that were due, but not sent for too many under way.
    pub(crate) not_sent: u64,
}

/// Failures of one status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failed {
    pub(crate) count: u64,
    /// The message of the first.
    pub(crate) example: String,
}

impl Stats {
    pub(crate) fn new() -> Self {
        Stats {
            reads: latencies(),
            writes: latencies(),
            failures: BTreeMap::new(),
            not_sent: 0,
        }
    }

    /// Records one request. Only successes have a latency: a quick refusal must not look like a quick answer.
    pub(crate) fn record(&mut self, kind: Kind, latency: Duration, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => {
                let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                let histogram = if kind == Kind::Read {
                    &mut self.reads
                } else {
                    &mut self.writes
                };
                histogram.saturating_record(nanos);
            }
            Err(failure) => {
                let failed = self.failures.entry(failure.status).or_default();
                if failed.count == 0 {
                    failed.example = failure.message;
                }
                failed.count += 1;
            }
        }
    }

    /// Adds another part.
    pub(crate) fn add(&mut self, other: &Stats) {
        // Histograms with the same bounds can always be added.
        let _ = self.reads.add(&other.reads);
        let _ = self.writes.add(&other.writes);
        for (status, failed) in &other.failures {
            let mine = self.failures.entry(status.clone()).or_insert_with(|| Failed {
                count: 0,
                ..failed.clone()
            });
            mine.count += failed.count;
        }
        self.not_sent += other.not_sent;
    }

    pub(crate) fn successes(&self) -> u64 {
        self.reads.len() + self.writes.len()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().map(|failed| failed.count).sum()
    }

    /// All latencies.
    pub(crate) fn all(&self) -> Latencies {
        let mut all = self.reads.clone();
        let _ = all.add(&self.writes);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let mut total = Stats::new();
        for latency in [1, 3] {
            let mut part = Stats::new();
            part.record(Kind::Read, Duration::from_secs(latency), Ok(()));
            let failure = Failure {
                status: "UNKNOWN".into(),
                message: format!("after {latency} s"),
            };
            part.record(Kind::Write, Duration::from_secs(latency), Err(failure));
            part.not_sent = 2;
            total.add(&part);
        }
        assert_eq!((total.successes(), total.failed(), total.not_sent), (2, 2, 4));
        assert_eq!(total.failures["UNKNOWN"].example, "after 1 s");
        let max = Duration::from_nanos(total.all().max()).as_secs_f64();
        assert!((3.0..3.01).contains(&max), "the longest took {max} s");
    }
}
