//! An action with two workers, each of which takes a millisecond for a call: 2,000 calls a second and no more, in order of
//! arrival.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_sdk::action::Context;
use cloudstate_sdk::{Failure, Reply, UserFunction};
use tokio::time::{Instant, sleep_until};

use crate::wire;
use proto::cloudstate::bench::{WorkItem, limited};

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod proto {
    cloudstate_sdk::include_protos!();
}

/// Path of `Work`.
pub const WORK: &str = "/cloudstate.bench.Limited/Work";

/// Calls that are worked on at a time.
const WORKERS: usize = 2;
/// What a worker takes for a call.
const WORK_TIME: Duration = Duration::from_millis(1);
/// Calls a second that the function can do.
pub const CAPACITY: f64 = WORKERS as f64 * 1e3;

/// The user function.
pub fn function() -> UserFunction {
    let workers = Workers(Mutex::new([Instant::now(); WORKERS]));
    UserFunction::new("limited", env!("CARGO_PKG_VERSION")).with(limited::action(workers))
}

/// A frame that asks for a call's work.
pub fn work() -> Bytes {
    wire::frame(&WorkItem {})
}

/// When each worker is free. Nobody works: a call waits for the time at which it would be done, so that the function
/// takes hardly any CPU and late timers cost it no capacity.
struct Workers(Mutex<[Instant; WORKERS]>);

impl Workers {
    /// When a call that arrives now is done.
    fn take(&self) -> Instant {
        let mut workers = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [first, second] = &mut *workers;
        let free = if *first <= *second { first } else { second };
        *free = (*free).max(Instant::now()) + WORK_TIME;
        *free
    }
}

impl limited::Action for Workers {
    async fn work(&self, _: WorkItem, _: Context) -> Result<Reply<()>, Failure> {
        sleep_until(self.take()).await;
        Ok(Reply::empty())
    }
}
