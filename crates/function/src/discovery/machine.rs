//! The decisions of discovery, without IO, clock or chance.

use std::time::Duration;

use cloudstate_protocol::EntitySpec;

use super::{Backoff, Discovery, Verdict};

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// The function answered `discover`.
    Answered(EntitySpec),
    /// `discover` failed.
    Failed(String),
    /// The declaration was judged.
    Judged(EntitySpec, Verdict),
    /// The pause is over.
    Elapsed,
    /// All connections are gone, so long after the last answer.
    Lost(Duration),
}

/// What to do next, after everything in [`Step::tell`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    Discover,
    Judge(EntitySpec),
    /// Then [`Event::Elapsed`].
    Pause(Duration),
    /// [`Event::Elapsed`], or [`Event::Lost`] if that comes first.
    PauseOrLoss(Duration),
    /// Then [`Event::Lost`].
    WatchForLoss,
}

/// The consequences of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// The new state of knowledge, if it changes.
    pub(super) state: Option<Discovery>,
    /// Texts for `reportError`.
    pub(super) reports: Vec<String>,
    pub(super) next: Next,
}

impl Step {
    fn only(next: Next) -> Step {
        Step {
            state: None,
            reports: Vec::new(),
            next,
        }
    }

    fn with(state: Discovery, next: Next) -> Step {
        Step {
            state: Some(state),
            ..Step::only(next)
        }
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    backoff: Backoff,
    /// Attempts in a row that led to no lasting connection.
    failures: u32,
    accepted: Option<EntitySpec>,
    declaration: u64,
    /// The refusal that the running function knows of.
    reported: Option<String>,
}

impl Machine {
    pub(super) fn new(backoff: Backoff) -> Machine {
        Machine {
            backoff,
            failures: 0,
            accepted: None,
            declaration: 0,
            reported: None,
        }
    }

    /// Takes an event; `random` (0 to 1) lengthens a pause. The first thing to do, before any event, is
    /// [`Next::Discover`].
    pub(super) fn handle(&mut self, event: Event, random: f64) -> Step {
        match event {
            Event::Answered(spec) if self.accepted.as_ref() == Some(&spec) => self.found(Vec::new()),
            Event::Answered(spec) => Step::only(Next::Judge(spec)),
            Event::Judged(spec, Verdict::Accepted { warnings }) => {
                self.accepted = Some(spec);
                self.declaration += 1;
                self.found(warnings)
            }
            Event::Judged(_, Verdict::Refused { reason }) => self.refused(reason, random),
            Event::Failed(reason) => {
                let pause = Next::Pause(self.pause(random));
                Step::with(Discovery::Searching { reason: Some(reason) }, pause)
            }
            Event::Elapsed => Step::only(Next::Discover),
            Event::Lost(lived) => self.lost(lived, random),
        }
    }

    fn found(&mut self, warnings: Vec<String>) -> Step {
        self.reported = None;
        let state = Discovery::Found {
            declaration: self.declaration,
        };
        Step {
            reports: warnings,
            ..Step::with(state, Next::WatchForLoss)
        }
    }

    fn refused(&mut self, reason: String, random: f64) -> Step {
        // A later declaration equal to the one that was served before must be judged again.
        self.accepted = None;
        let known = self.reported.replace(reason.clone()).as_ref() == Some(&reason);
        let reports = if known { Vec::new() } else { vec![reason.clone()] };
        let pause = Next::PauseOrLoss(self.pause(random));
        Step {
            reports,
            ..Step::with(Discovery::Refused { reason }, pause)
        }
    }

    /// A function that was up for a while is asked at once: most often it restarts. One that ends right after its
    /// answer gets pauses, else the two would spin.
    fn lost(&mut self, lived: Duration, random: f64) -> Step {
        self.reported = None;
        let reason = Some("the connection to the function was lost".to_owned());
        let next = if lived >= self.backoff.min {
            self.failures = 0;
            Next::Discover
        } else {
            Next::Pause(self.pause(random))
        };
        Step::with(Discovery::Searching { reason }, next)
    }

    fn pause(&mut self, random: f64) -> Duration {
        let pause = self.backoff.pause(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests;
