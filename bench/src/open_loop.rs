//! An open loop of calls: so many a second, whatever is answered. What a service gets from many independent clients.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::latencies::Latencies;
use crate::wire::Connection;

/// gRPC status of a call that was refused and not executed.
const UNAVAILABLE: u32 = 14;
/// Calls are sent in bunches this far apart: the resolution of tokio's clock.
const TICK: Duration = Duration::from_millis(1);

/// What to send.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The calls are spread over these.
    pub connections: &'a [Rc<Connection>],
    /// Path of a unary method.
    pub path: &'a str,
    /// An encoded gRPC frame.
    pub request: Bytes,
    /// Calls a second.
    pub rate: f64,
    /// For so long.
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of the calls that succeeded, each from the time at which it was due to be sent.
    pub admitted: Latencies,
    /// Of the calls that were refused with `UNAVAILABLE`.
    pub refused: Latencies,
    /// Calls with another outcome.
    pub failed: usize,
    /// From the start to the last answer that was not a quick success, if there was one.
    pub disturbed: Option<Duration>,
}

/// Runs a plan on this thread (a tokio local runtime) until every call has its answer. `slow` is when a success counts as
/// a disturbance.
///
/// # Errors
/// A connection is lost.
pub async fn run(plan: &Plan<'_>, slow: Duration) -> Result<Outcome> {
    let outcome = Rc::new(RefCell::new(Outcome::default()));
    let disturbed = Rc::new(Cell::new(None));
    let mut calls = JoinSet::new();
    let start = Instant::now();
    let total = (plan.rate * plan.duration.as_secs_f64()) as usize;
    let mut sent = 0;
    while sent < total {
        let due = ((start.elapsed().as_secs_f64() * plan.rate) as usize).min(total);
        for n in sent..due {
            let connection = plan.connections[n % plan.connections.len()].clone();
            let (path, request) = (plan.path.to_owned(), plan.request.clone());
            let (outcome, disturbed) = (outcome.clone(), disturbed.clone());
            let due = start + Duration::from_secs_f64(n as f64 / plan.rate);
            calls.spawn_local(async move {
                let status = connection.status(&path, request).await?;
                let took = due.elapsed();
                if outcome.borrow_mut().count(status, took) > slow {
                    disturbed.set(Some(start.elapsed()));
                }
                anyhow::Ok(())
            });
        }
        sent = due;
        while let Some(ended) = calls.try_join_next() {
            ended??;
        }
        sleep(TICK).await;
    }
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    let mut outcome = outcome.take();
    outcome.disturbed = disturbed.get();
    Ok(outcome)
}

impl Outcome {
    /// Counts an answer. Returns what it took, without end if it was no success.
    fn count(&mut self, status: u32, took: Duration) -> Duration {
        match status {
            0 => {
                self.admitted.record(took);
                return took;
            }
            UNAVAILABLE => self.refused.record(took),
            _ => self.failed += 1,
        }
        Duration::MAX
    }
}
