//! How many commands of a method may be in progress before they wait too long: a pure machine, told the time.
//!
//! ```text
//!   began(in flight) ──▶ ┌────────────┐   shortest answer, answers a second,
//!   answered(took)   ──▶ │   window   │── most in flight ──▶ limit = answers a second × allowed time
//!                        └────────────┘                      none, while answers come as fast as without load
//! ```
//!
//! The function is a box with a queue inside. Two observations tell the queue from slow work. If even the shortest
//! answer of a window took half as long again as without load, all of them waited (CoDel, RFC 8289: a queue is bad when
//! it never empties). Then the function answers as fast as it can, and by Little's law a command that begins with so many
//! in progress waits for in progress ÷ answers a second. So the limit is known after two windows, before those that wait
//! have been answered. One late window alone may be a pause, of which its answers a second tell nothing: the second in a
//! row limits.
//!
//! Absent: clocks, counting what is in progress, refusing.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time that a window takes. Short, because an overload fills the queue meanwhile.
const WINDOW: Duration = Duration::from_millis(10);
/// Answers that a window needs at least.
const ANSWERS: u32 = 4;

/// What a limit aims at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    /// What a command may wait in the function beyond the time that it takes without load; or that time once more, if
    /// that is longer.
    pub(crate) delay: Duration,
    /// So many in progress count as no load: what answers take then is what they take.
    pub(crate) unloaded: usize,
}

/// The limit of one method.
#[derive(Debug)]
pub(crate) struct DelayLimit {
    aim: Aim,
    window: Window,
    /// What an answer takes without load.
    base: Option<Duration>,
    /// Since all answers wait.
    late: Option<Throughput>,
    limit: usize,
}

/// Answers and the time that they took, the latest counting most. Two sums and not the mean of the windows' rates:
/// answers that come in bursts would make that too high.
#[derive(Debug, Default, Clone, Copy)]
struct Throughput {
    answers: f64,
    seconds: f64,
}

impl Throughput {
    /// What a window adds halves in weight with every seventh.
    const KEPT: f64 = 0.9;

    fn with(self, answers: u32, length: Duration) -> Throughput {
        Throughput {
            answers: self.answers * Self::KEPT + f64::from(answers),
            seconds: self.seconds * Self::KEPT + length.as_secs_f64(),
        }
    }

    /// Answers a second.
    fn rate(self) -> f64 {
        self.answers / self.seconds
    }
}

#[derive(Debug)]
struct Window {
    began: Instant,
    answers: u32,
    shortest: Duration,
    most_in_flight: usize,
}

impl Window {
    fn new(began: Instant, in_flight: usize) -> Self {
        Window {
            began,
            answers: 0,
            shortest: Duration::MAX,
            most_in_flight: in_flight,
        }
    }
}

impl DelayLimit {
    pub(crate) fn new(aim: Aim, now: Instant) -> Self {
        DelayLimit {
            aim,
            window: Window::new(now, 0),
            base: None,
            late: None,
            limit: usize::MAX,
        }
    }

    /// Whether one more may begin.
    pub(crate) fn admits(&self, in_flight: usize) -> bool {
        in_flight < self.limit
    }

    /// Commands that may be in progress, if they are limited.
    pub(crate) fn limit(&self) -> Option<usize> {
        (self.limit != usize::MAX).then_some(self.limit)
    }

    /// A command begins; `in_flight` counts it. The clock is asked only if it is the first. Returns whether the limit
    /// changed.
    pub(crate) fn began(&mut self, in_flight: usize, now: impl FnOnce() -> Instant) -> bool {
        if in_flight == 1 {
            return self.rested(now());
        }
        self.window.most_in_flight = self.window.most_in_flight.max(in_flight);
        false
    }

    /// Nothing was in progress: nothing waits, and a time without work says nothing about how fast the function is.
    fn rested(&mut self, now: Instant) -> bool {
        let window = std::mem::replace(&mut self.window, Window::new(now, 1));
        if window.answers > 0 {
            self.learn(&window, window.most_in_flight <= self.aim.unloaded);
        }
        self.late = None;
        std::mem::replace(&mut self.limit, usize::MAX) != usize::MAX
    }

    /// The function answered a command after `took`. Returns whether the limit changed.
    pub(crate) fn answered(&mut self, took: Duration, in_flight: usize, now: Instant) -> bool {
        let window = &mut self.window;
        window.answers += 1;
        window.shortest = window.shortest.min(took);
        if window.answers < ANSWERS {
            return false;
        }
        let length = now.saturating_duration_since(window.began);
        if length < WINDOW {
            return false;
        }
        let window = std::mem::replace(window, Window::new(now, in_flight));
        let before = self.limit;
        self.judge(&window, length);
        self.limit != before
    }

    fn judge(&mut self, window: &Window, length: Duration) {
        let known = self.late.unwrap_or_default().with(window.answers, length);
        let base = self.learn(window, window.most_in_flight <= self.aim.unloaded);
        // Well below what is allowed, so that a queue at its limit is not taken for none.
        if window.shortest <= base * 3 / 2 {
            self.late = None;
            self.limit = usize::MAX;
            return;
        }
        let Some(_) = self.late.replace(known) else {
            return;
        };
        self.limit = (self.room(known.rate(), base) as usize).max(self.aim.unloaded);
    }

    /// Returns what an answer takes without load, after this window.
    fn learn(&mut self, window: &Window, unloaded: bool) -> Duration {
        let base = match self.base {
            Some(base) if !unloaded => base.min(window.shortest),
            _ => window.shortest,
        };
        self.base = Some(base);
        base
    }

    /// Commands in progress that are answered within the allowed time.
    fn room(&self, rate: f64, base: Duration) -> f64 {
        rate * (base + base.max(self.aim.delay)).as_secs_f64()
    }
}

#[cfg(test)]
mod tests;
