//! Latencies of one run.

use std::time::Duration;

/// Every latency, in nanoseconds up to 4.2 s.
#[derive(Debug, Default)]
pub struct Latencies {
    nanos: Vec<u32>,
}

impl Latencies {
    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        self.nanos
            .push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nanos.is_empty()
    }

    /// Adds all of another run.
    pub fn extend(&mut self, other: Latencies) {
        self.nanos.extend(other.nanos);
    }

    /// The latency that `percent` of all do not exceed; zero when there are none.
    pub fn percentile(&mut self, percent: f64) -> Duration {
        if self.nanos.is_empty() {
            return Duration::ZERO;
        }
        let rank = (percent / 100.0 * self.nanos.len() as f64).ceil() as usize;
        let index = rank.saturating_sub(1).min(self.nanos.len() - 1);
        let (_, value, _) = self.nanos.select_nth_unstable(index);
        Duration::from_nanos(u64::from(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_at_their_rank() {
        let mut latencies = Latencies::default();
        for micros in (1..=100).rev() {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.percentile(50.0), Duration::from_micros(50));
        assert_eq!(latencies.percentile(99.0), Duration::from_micros(99));
        assert_eq!(latencies.percentile(100.0), Duration::from_micros(100));
        assert_eq!(Latencies::default().percentile(50.0), Duration::ZERO);
    }
}
