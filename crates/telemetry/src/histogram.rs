//! How observed numbers are spread.

use std::time::Duration;

use crate::Count;

/// Upper bounds for times, in microseconds: from below a local call to the time that a command has by default. They hold all bounds of
/// the original's histograms (proxy specification §16), so that queries by `le` go on.
pub const TIMES_US: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000, 30_000_000, 60_000_000,
];

/// A histogram that one thread writes and any thread reads.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One a bound, and one for what is above all of them.
    buckets: Box<[Count]>,
    sum: Count,
}

impl Histogram {
    /// An empty histogram with these upper bounds, inclusive and rising.
    pub fn new(bounds: &'static [u64]) -> Self {
        Histogram {
            bounds,
            buckets: (0..=bounds.len()).map(|_| Count::default()).collect(),
            sum: Count::default(),
        }
    }

    /// A histogram of times, with the bounds of [`TIMES_US`].
    pub fn of_times() -> Self {
        Self::new(TIMES_US)
    }

    /// Takes in a number. Only for the one writer.
    pub fn observe(&self, value: u64) {
        self.buckets[self.bounds.partition_point(|bound| *bound < value)].inc();
        self.sum.add(value);
    }

    /// Takes in a time, in microseconds. Only for the one writer.
    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

/// The sum of the histograms of all threads, which have the same bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Upper bound and count of each bucket, not cumulative; `None` is above all bounds.
    pub(crate) buckets: Vec<(Option<u64>, u64)>,
    pub(crate) sum: u64,
}

impl Totals {
    /// What was summed up elsewhere: upper bound, inclusive, and count of each bucket, not cumulative; and the sum of
    /// what was observed.
    pub fn new(buckets: impl IntoIterator<Item = (u64, u64)>, sum: u64) -> Self {
        let buckets = buckets.into_iter().map(|(bound, count)| (Some(bound), count));
        Totals {
            buckets: buckets.chain([(None, 0)]).collect(),
            sum,
        }
    }

    /// Adds up.
    pub fn of<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Self {
        let mut totals = Totals::default();
        for histogram in histograms {
            if totals.buckets.is_empty() {
                let bounds = histogram.bounds.iter().map(|bound| Some(*bound));
                totals.buckets = bounds.chain([None]).map(|bound| (bound, 0)).collect();
            }
            for ((_, total), count) in totals.buckets.iter_mut().zip(&histogram.buckets) {
                *total += count.get();
            }
            totals.sum += histogram.sum.get();
        }
        totals
    }

    /// How many numbers were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_threads_add_up() {
        let (one, other) = (Histogram::new(&[10, 20]), Histogram::new(&[10, 20]));
        for value in [0, 10, 11] {
            one.observe(value);
        }
        other.observe(20);
        other.observe(21);
        let totals = Totals::of([&one, &other]);
        assert_eq!(totals.buckets, [(Some(10), 2), (Some(20), 2), (None, 1)]);
        assert_eq!((totals.sum, totals.count()), (62, 5));
    }

    #[test]
    fn times_count_in_microseconds() {
        let times = Histogram::of_times();
        times.observe_time(Duration::from_micros(100));
        times.observe_time(Duration::from_micros(101));
        times.observe_time(Duration::MAX);
        let totals = Totals::of([&times]);
        assert_eq!(totals.buckets[..2], [(Some(100), 1), (Some(250), 1)]);
        assert_eq!(totals.buckets.last(), Some(&(None, 1)));
    }
}
