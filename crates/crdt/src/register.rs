//! Writes of a register and their clocks.

use std::cmp::Reverse;

use crate::any::Any;
use crate::dots::Dots;
use crate::error::Error;
use crate::node::Dot;

/// How the timestamp of a register's write is found. The numbers are those of the wire's `CrdtClock`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// Wall clock in milliseconds, but later than the write before: the last write wins.
    #[default]
    Default = 0,
    /// The negated wall clock, but earlier than the write before: the first write wins.
    Reverse = 1,
    /// Exactly the value that came with the write. A lower one than that of the write before loses against it.
    Custom = 2,
    /// The value that came with the write, or one more than that of the write before if that is greater.
    CustomAutoIncrement = 3,
}

impl Clock {
    /// The clock of this number on the wire; an unknown one is the default.
    pub const fn from_number(number: i32) -> Clock {
        match number {
            1 => Clock::Reverse,
            2 => Clock::Custom,
            3 => Clock::CustomAutoIncrement,
            _ => Clock::Default,
        }
    }

    /// The timestamp of a write, where `previous` is that of the visible write.
    pub(crate) fn timestamp(self, custom: i64, now_ms: i64, previous: Option<i64>) -> Result<i64, Error> {
        let next = |by: i64| {
            let step = |previous: i64| previous.checked_add(by).ok_or(Error::ClockLimit(previous));
            previous.map(step).transpose()
        };
        Ok(match self {
            Clock::Custom => custom,
            Clock::Default => next(1)?.map_or(now_ms, |least| least.max(now_ms)),
            Clock::Reverse => {
                let now = now_ms.saturating_neg();
                next(-1)?.map_or(now, |most| most.min(now))
            }
            Clock::CustomAutoIncrement if previous.is_none_or(|previous| custom > previous) => custom,
            Clock::CustomAutoIncrement => next(1)?.unwrap_or(custom),
        })
    }
}

/// What a write says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Write {
    pub(crate) timestamp: i64,
    pub(crate) value: Any,
}

/// The write that is visible: the later timestamp, then the lower node, then that node's later write wins.
pub(crate) fn winner(writes: &Dots<Write>) -> Option<&(Dot, Write)> {
    writes
        .iter()
        .max_by_key(|(dot, write)| (write.timestamp, Reverse(dot.node), dot.sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_by_clock() {
        let at = |clock: Clock, custom, now, previous| clock.timestamp(custom, now, previous);
        assert_eq!(at(Clock::Default, 7, 100, None), Ok(100));
        assert_eq!(at(Clock::Default, 7, 100, Some(50)), Ok(100));
        assert_eq!(at(Clock::Default, 7, 100, Some(100)), Ok(101));
        assert_eq!(at(Clock::Reverse, 7, 100, None), Ok(-100));
        assert_eq!(at(Clock::Reverse, 7, 100, Some(50)), Ok(-100));
        assert_eq!(at(Clock::Reverse, 7, 100, Some(-100)), Ok(-101));
        assert_eq!(at(Clock::Custom, 7, 100, Some(50)), Ok(7));
        assert_eq!(at(Clock::CustomAutoIncrement, 7, 100, None), Ok(7));
        assert_eq!(at(Clock::CustomAutoIncrement, 7, 100, Some(6)), Ok(7));
        assert_eq!(at(Clock::CustomAutoIncrement, 7, 100, Some(7)), Ok(8));
    }

    #[test]
    fn a_clock_at_its_end_is_an_error() {
        for clock in [Clock::Default, Clock::CustomAutoIncrement] {
            assert_eq!(
                clock.timestamp(1, 1, Some(i64::MAX)),
                Err(Error::ClockLimit(i64::MAX))
            );
        }
        assert_eq!(
            Clock::Reverse.timestamp(1, 1, Some(i64::MIN)),
            Err(Error::ClockLimit(i64::MIN))
        );
        assert_eq!(Clock::Custom.timestamp(i64::MAX, 1, Some(i64::MAX)), Ok(i64::MAX));
        assert_eq!(Clock::Reverse.timestamp(0, i64::MIN, None), Ok(i64::MAX));
    }

    #[test]
    fn unknown_clocks_are_the_default() {
        assert_eq!([-1, 0, 4, 99].map(Clock::from_number), [Clock::Default; 4]);
        assert_eq!(Clock::from_number(3), Clock::CustomAutoIncrement);
    }
}
