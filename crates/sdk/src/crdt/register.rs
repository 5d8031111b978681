//! One value, of which the last write wins.

use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{CrdtClock, LwwRegisterDelta};

use super::replicated::{ApplyError, Encoded, Replicated, mismatch};
use crate::Payload;

/// Which of two writes at the same time wins: the one with the later timestamp, which this chooses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// The wall clock: the last write wins.
    #[default]
    Default,
    /// The negated wall clock: the first write wins.
    Reverse,
    /// A number of your own: a version, a price. A lower one loses.
    Custom(i64),
    /// A number of your own, but later than the write before: a new write always counts.
    CustomAutoIncrement(i64),
}

impl Clock {
    fn on_the_wire(self) -> (CrdtClock, i64) {
        match self {
            Clock::Default => (CrdtClock::Default, 0),
            Clock::Reverse => (CrdtClock::Reverse, 0),
            Clock::Custom(value) => (CrdtClock::Custom, value),
            Clock::CustomAutoIncrement(value) => (CrdtClock::CustomAutoIncrement, value),
        }
    }
}

/// One value; of writes at the same time, one wins everywhere. It starts as the default of `T`.
#[derive(Debug, Clone)]
pub struct LWWRegister<T> {
    value: T,
    encoded: Encoded,
    /// This command's write, and the value before.
    write: Option<(Clock, Option<T>, Encoded)>,
    /// Nobody knows the initial value yet.
    unsaid: bool,
}

impl<T: Payload + Default + Send + 'static> Default for LWWRegister<T> {
    fn default() -> Self {
        Self::fresh()
    }
}

impl<T: Payload + Default + Send + 'static> LWWRegister<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Writes it, by the wall clock. Writing what is there already is no write.
    pub fn set(&mut self, value: impl Into<T>) {
        self.set_with(value, Clock::Default);
    }

    /// Writes it with a clock.
    pub fn set_with(&mut self, value: impl Into<T>, clock: Clock) {
        let value = value.into();
        let encoded = Encoded::of(&value);
        if encoded == self.encoded && clock == Clock::Default {
            return;
        }
        let before = std::mem::replace(&mut self.value, value);
        let encoded_before = std::mem::replace(&mut self.encoded, encoded);
        self.write = match self.write.take() {
            // The value before the command is the one to go back to.
            Some((_, first, encoded)) => Some((clock, first, encoded)),
            None => Some((clock, Some(before), encoded_before)),
        };
    }

    fn delta(&self) -> Delta {
        let clock = self.write.as_ref().map_or(Clock::Default, |(clock, ..)| *clock);
        let (clock, custom_clock_value) = clock.on_the_wire();
        Delta::Lwwregister(LwwRegisterDelta {
            value: Some(self.encoded.0.clone()),
            clock: clock as i32,
            custom_clock_value,
        })
    }
}

impl<T: Payload + Default + Send + 'static> Replicated for LWWRegister<T> {
    const NAME: &'static str = "LWWRegister";

    fn fresh() -> Self {
        let value = T::default();
        LWWRegister {
            encoded: Encoded::of(&value),
            value,
            write: None,
            unsaid: true,
        }
    }

    fn change(&self) -> Option<Delta> {
        (self.unsaid || self.write.is_some()).then(|| self.delta())
    }

    fn whole(&self) -> Option<Delta> {
        Some(self.delta())
    }

    fn settle(&mut self) {
        self.write = None;
        self.unsaid = false;
    }

    fn roll_back(&mut self) {
        if let Some((_, Some(before), encoded)) = self.write.take() {
            self.value = before;
            self.encoded = encoded;
        }
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Lwwregister(register) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        let any = register.value.unwrap_or_default();
        // A register that nobody has written holds an empty `Any`.
        self.value = match any.type_url.is_empty() {
            true => T::default(),
            false => T::from_any(&any)?,
        };
        self.encoded = Encoded(any);
        self.settle();
        Ok(())
    }
}
