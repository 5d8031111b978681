//! Runs the machine of discovery over a link.

use std::hash::{BuildHasher, Hasher, RandomState};

use cloudstate_protocol::EntitySpec;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::machine::{Event, Machine, Next, Step};
use super::{Discovery, DiscoveryOptions, Verdict};
use crate::{Error, Link};

/// Keeps the proxy informed of what the function serves.
#[derive(Debug)]
pub struct Supervisor {
    link: Link,
    options: DiscoveryOptions,
    state: watch::Sender<Discovery>,
    /// When the function last answered.
    answered: Instant,
    /// The link's losses at that time.
    losses: u64,
}

impl Supervisor {
    /// A supervisor that publishes to `state`. The link's connections tell when the function ends; other users of
    /// the link do no harm.
    pub fn new(link: Link, options: DiscoveryOptions, state: watch::Sender<Discovery>) -> Supervisor {
        Supervisor {
            link,
            options,
            state,
            answered: Instant::now(),
            losses: 0,
        }
    }

    /// Runs until it is dropped or the link is closed. Every new declaration goes through `judge` once; `Accepted`
    /// means that the caller has taken it over before it returned.
    pub async fn run(mut self, mut judge: impl FnMut(&EntitySpec) -> Verdict) {
        let mut machine = Machine::new(self.options.backoff);
        let mut next = Next::Discover;
        while let Some(event) = self.perform(next, &mut judge).await {
            let step = machine.handle(event, random());
            next = self.tell(step).await;
        }
    }

    /// `None` when the link is closed.
    async fn perform(&mut self, next: Next, judge: &mut impl FnMut(&EntitySpec) -> Verdict) -> Option<Event> {
        Some(match next {
            Next::Discover => return self.discover().await,
            Next::Judge(spec) => {
                let verdict = judge(&spec);
                let counters = self.link.counters();
                match &verdict {
                    Verdict::Accepted { .. } => counters.accepted.inc(),
                    Verdict::Refused { .. } => counters.refused.inc(),
                }
                Event::Judged(spec, verdict)
            }
            Next::Pause(pause) => {
                sleep(pause).await;
                Event::Elapsed
            }
            Next::PauseOrLoss(pause) => {
                let lost = timeout(pause, self.link.lost_since(self.losses)).await.is_ok();
                if lost { self.lost() } else { Event::Elapsed }
            }
            Next::WatchForLoss => {
                self.link.lost_since(self.losses).await;
                self.lost()
            }
        })
    }

    fn lost(&self) -> Event {
        self.link.counters().lost.inc();
        Event::Lost(self.answered.elapsed())
    }

    async fn discover(&mut self) -> Option<Event> {
        // No deadline on the wire: the function sees nothing but the call, as from the original.
        let answer = timeout(
            self.options.request_timeout,
            self.link.discover(&self.options.info),
        )
        .await;
        self.answered = Instant::now();
        self.losses = self.link.losses();
        let counters = self.link.counters();
        match &answer {
            Ok(Ok(_)) => counters.discover_answered.inc(),
            _ => counters.discover_failed.inc(),
        }
        match answer.unwrap_or(Err(Error::DeadlineExceeded)) {
            Ok(spec) => Some(Event::Answered(spec)),
            Err(Error::Closed { .. }) => None,
            Err(error) => Some(Event::Failed(error.to_string())),
        }
    }

    async fn tell(&self, step: Step) -> Next {
        if let Some(state) = step.state {
            log(
                self.link.target(),
                &self.state.send_replace(state.clone()),
                &state,
            );
        }
        for report in &step.reports {
            let sent = timeout(self.options.request_timeout, self.link.report_error(report)).await;
            if let Err(error) = sent.unwrap_or(Err(Error::DeadlineExceeded)) {
                warn!(target = self.link.target(), report, %error, "could not report an error to the function");
            }
        }
        step.next
    }
}

/// Logs what is new: a function that stays away for hours is no news.
fn log(target: &str, before: &Discovery, now: &Discovery) {
    if before == now {
        return;
    }
    match now {
        Discovery::Searching { reason: None } => {}
        Discovery::Searching { reason: Some(reason) } => {
            warn!(target, reason, "the function is not available")
        }
        Discovery::Refused { reason } => warn!(target, reason, "the function's declaration is refused"),
        Discovery::Found { declaration } => info!(target, declaration, "the function is up"),
    }
}

/// From 0 to 1. Fresh hasher keys are random enough to spread retries.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}
