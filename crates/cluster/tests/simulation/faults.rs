//! Random trouble.

use std::time::Duration;

use rand::RngExt;

use crate::world::{SECOND, World};

/// What may happen.
#[derive(Clone, Copy)]
pub struct Trouble {
    /// At most so many nodes are down at once.
    pub down_max: usize,
    /// Partitions last at most so long.
    pub partition: Duration,
}

impl World {
    /// One random fault or its end, then some time.
    pub fn trouble(&mut self, trouble: Trouble) {
        let at = self.rng.random_range(0..self.count());
        let down = self.count() - self.running().count();
        match self.rng.random_range(0..8) {
            0 if self.up[at] && down < trouble.down_max => self.kill(at),
            1 | 2 if !self.up[at] => self.start(at),
            3 if !trouble.partition.is_zero() => {
                let side: Vec<_> = (0..self.count()).filter(|_| self.rng.random_bool(0.4)).collect();
                self.partition(&side);
                let longest = u64::try_from(trouble.partition.as_millis()).unwrap();
                let time = self.rng.random_range(100..longest);
                self.run(Duration::from_millis(time));
                self.heal();
            }
            4 => {
                self.lose(0.05);
                self.run(SECOND);
                self.heal();
            }
            5 => {
                let offset = self.rng.random_range(-3_600_000..3_600_000);
                self.set_clock(at, offset);
            }
            6 => {
                let longest = self.rng.random_range(5..150);
                self.delay(Duration::from_millis(longest));
            }
            _ => {}
        }
        let time = self.rng.random_range(50..1_500);
        self.run(Duration::from_millis(time));
    }

    /// The end of all trouble: all nodes run, and see each other.
    pub fn calm(&mut self) {
        self.heal();
        self.delay(Duration::from_millis(10));
        for at in 0..self.count() {
            if !self.up[at] {
                self.start(at);
            }
        }
    }
}
