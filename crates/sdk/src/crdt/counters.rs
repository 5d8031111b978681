//! Numbers that many nodes change at the same time.

use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{GCounterDelta, PnCounterDelta};

use super::replicated::{ApplyError, Replicated, mismatch};
use crate::Failure;

/// A counter would leave its range. A handler may return it with `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the counter would leave its range of 64 bits")]
pub struct OutOfRange;

impl From<OutOfRange> for Failure {
    fn from(error: OutOfRange) -> Self {
        Failure::new(error.to_string())
    }
}

/// A counter that only grows, from 0 to 2⁶³ − 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GCounter {
    value: u64,
    settled: u64,
}

impl GCounter {
    /// What all nodes have counted, as far as it is known here.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Adds to it, and returns the new value.
    ///
    /// # Errors
    /// If that would be more than 2⁶³ − 1.
    pub fn increment(&mut self, by: u64) -> Result<u64, OutOfRange> {
        let value = self
            .value
            .checked_add(by)
            .filter(|value| value.cast_signed() >= 0);
        self.value = value.ok_or(OutOfRange)?;
        Ok(self.value)
    }
}

impl Replicated for GCounter {
    const NAME: &'static str = "GCounter";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        let increment = self.value - self.settled;
        (increment > 0).then_some(Delta::Gcounter(GCounterDelta { increment }))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Gcounter(GCounterDelta {
            increment: self.value,
        }))
    }

    fn settle(&mut self) {
        self.settled = self.value;
    }

    fn roll_back(&mut self) {
        self.value = self.settled;
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Gcounter(GCounterDelta { increment }) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        // The proxy keeps it in its range.
        self.value = self.value.saturating_add(increment);
        self.settle();
        Ok(())
    }
}

/// A counter, from −2⁶³ to 2⁶³ − 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PNCounter {
    value: i64,
    settled: i64,
}

impl PNCounter {
    /// What all nodes have counted, as far as it is known here.
    pub fn value(&self) -> i64 {
        self.value
    }

    /// Adds to it, or subtracts if `by` is negative, and returns the new value.
    ///
    /// # Errors
    /// If that would leave the range; or if all changes of this command together would.
    pub fn add(&mut self, by: i64) -> Result<i64, OutOfRange> {
        let value = self.value.checked_add(by);
        let value = value.filter(|value| value.checked_sub(self.settled).is_some());
        self.value = value.ok_or(OutOfRange)?;
        Ok(self.value)
    }
}

impl Replicated for PNCounter {
    const NAME: &'static str = "PNCounter";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        let change = self.value - self.settled;
        (change != 0).then_some(Delta::Pncounter(PnCounterDelta { change }))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Pncounter(PnCounterDelta { change: self.value }))
    }

    fn settle(&mut self) {
        self.settled = self.value;
    }

    fn roll_back(&mut self) {
        self.value = self.settled;
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Pncounter(PnCounterDelta { change }) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        self.value = self.value.saturating_add(change);
        self.settle();
        Ok(())
    }
}
