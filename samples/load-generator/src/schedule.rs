//! When requests are due in an open loop.

use std::time::Duration;

use crate::random::Random;

/// How many requests are due at each tick. Ticks are counted from the start of the load, so that a late tick shifts
/// nothing.
#[derive(Debug)]
pub(crate) struct Schedule {
    rate: f64,
    ramp_up: f64,
    tick: f64,
    ticks: u32,
    random: Random,
}

impl Schedule {
    /// A rate in requests a second, reached after the ramp-up.
    pub(crate) fn new(rate: f64, ramp_up: Duration, tick: Duration, random: Random) -> Self {
        Schedule {
            rate,
            ramp_up: ramp_up.as_secs_f64(),
            tick: tick.as_secs_f64(),
            ticks: 0,
            random,
        }
    }

    /// The next tick: its time since the start, and the number of requests due then. The number is rounded up or down
    /// at random so that the average is the rate.
    pub(crate) fn next(&mut self) -> (Duration, u64) {
        let at = self.tick * f64::from(self.ticks);
        self.ticks += 1;
        let share = if at >= self.ramp_up {
            1.0
        } else {
            at / self.ramp_up
        };
        let due = self.rate * share * self.tick;
        let rounded = due + self.random.unit();
        // Truncation rounds down; a number of requests is far below 2⁵³.
        (Duration::from_secs_f64(at), rounded as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(schedule: &mut Schedule, until: Duration) -> u64 {
        std::iter::from_fn(|| Some(schedule.next()))
            .take_while(|(at, _)| *at < until)
            .map(|(_, due)| due)
            .sum()
    }

    proptest! {
        #[test]
        fn the_average_is_the_rate(rate in 10.0..50_000.0_f64, tick_ms in 1..50_u64, seed: u64) {
            let tick = Duration::from_millis(tick_ms);
            let mut schedule = Schedule::new(rate, Duration::ZERO, tick, Random::new(seed));
            let ticks = 60_000 / tick_ms;
            let sent = total(&mut schedule, tick * u32::try_from(ticks).unwrap()) as f64;
            let expected = rate * tick.as_secs_f64() * ticks as f64;
            // Six standard deviations of rounding, which is at most 0.5 a tick.
            prop_assert!((sent - expected).abs() <= 3.0 * (ticks as f64).sqrt() + 1.0, "{sent} instead of {expected}");
        }
    }

    #[test]
    fn a_ramp_sends_half() {
        let (second, tick) = (Duration::from_secs(1), Duration::from_millis(10));
        let sent = total(
            &mut Schedule::new(10_000.0, 10 * second, tick, Random::new(1)),
            10 * second,
        );
        assert!((49_500..50_500).contains(&sent), "{sent} instead of 50000");
    }
}
