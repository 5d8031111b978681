//! Growing pauses between attempts.

use std::time::Duration;

/// Pauses that grow by a factor from a minimum to a maximum, each lengthened by a random part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// First pause. Default 1 s; a development loop wants less.
    pub min: Duration,
    /// Longest pause, before the random part. Default 10 s.
    pub max: Duration,
    /// Growth from one pause to the next. Default 2.
    pub factor: f64,
    /// Most that is added at random, as a fraction of the pause. Default 0.2.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(10),
            factor: 2.0,
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The pause after `failures` earlier ones in a row; `random` is from 0 (inclusive) to 1.
    pub fn pause(&self, failures: u32, random: f64) -> Duration {
        let grown = self.min.as_secs_f64() * self.factor.powf(f64::from(failures));
        // `min` of an infinite value is the maximum, so no number of failures overflows.
        Duration::from_secs_f64(grown.min(self.max.as_secs_f64()) * (1.0 + random * self.jitter))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_ten() {
        let seconds: Vec<_> = (0..6)
            .map(|n| Backoff::default().pause(n, 0.0).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    proptest! {
        #[test]
        fn no_pause_leaves_its_bounds(failures: u32, random in 0.0..1.0) {
            let pause = Backoff::default().pause(failures, random);
            prop_assert!(pause >= Duration::from_secs(1) && pause < Duration::from_secs(12));
        }
    }
}
