//! What is in progress of each method on the node, and whether more may begin.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloudstate_catalog::Method;
use tokio::time::Instant;

use crate::delay_limit::{Aim, DelayLimit};
use crate::{CallError, Options};

/// The limits of all methods, shared by the cores: the function is one queue for all of them.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<Vec<Arc<MethodLimit>>>);

impl Limits {
    /// The limit of a method, made at its first command. A method that is declared again keeps it.
    fn of(&self, method: &Method, options: &Options) -> Arc<MethodLimit> {
        let mut limits = lock(&self.0);
        if let Some(known) = limits.iter().find(|known| known.is_of(method)) {
            return known.clone();
        }
        let new = Arc::new(MethodLimit::new(method, options));
        limits.push(new.clone());
        new
    }

    /// How many methods are limited.
    pub(crate) fn in_force(&self) -> usize {
        let limits = lock(&self.0);
        let is_limited = |known: &&Arc<MethodLimit>| lock(&known.limit).limit().is_some();
        limits.iter().filter(is_limited).count()
    }
}

/// The limits of the methods of one service, as one core remembers them.
#[derive(Default)]
pub(crate) struct KnownLimits(RefCell<Vec<(Arc<Method>, Arc<MethodLimit>)>>);

impl KnownLimits {
    /// The limit of a method, looked up by address among a handful.
    pub(crate) fn of(&self, method: &Arc<Method>, all: &Limits, options: &Options) -> Arc<MethodLimit> {
        let mut known = self.0.borrow_mut();
        if let Some((_, limit)) = known.iter().find(|(of, _)| Arc::ptr_eq(of, method)) {
            return limit.clone();
        }
        let limit = all.of(method, options);
        known.push((method.clone(), limit.clone()));
        limit
    }
}

/// The limit of one method. Cores take turns for as long as it takes to count an answer.
#[derive(Debug)]
pub(crate) struct MethodLimit {
    service: Arc<str>,
    method: Arc<str>,
    in_flight: AtomicUsize,
    limit: Mutex<DelayLimit>,
}

/// The place of a command among those in progress; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<MethodLimit>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl MethodLimit {
    fn new(method: &Method, options: &Options) -> Self {
        let aim = Aim {
            delay: options.max_delay,
            unloaded: options.min_in_flight,
        };
        MethodLimit {
            service: method.service.name.clone(),
            method: method.name.clone(),
            in_flight: AtomicUsize::new(0),
            limit: Mutex::new(DelayLimit::new(aim, Instant::now())),
        }
    }

    fn is_of(&self, method: &Method) -> bool {
        self.method == method.name && self.service == method.service.name
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether one more would wait too long.
    pub(crate) fn is_full(&self) -> bool {
        !lock(&self.limit).admits(self.in_flight())
    }

    /// A command begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Place {
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.limit).began(in_flight, Instant::now);
        Place(self.clone())
    }

    /// The function answered a command after `took`.
    pub(crate) fn answered(&self, took: Duration, now: Instant) {
        lock(&self.limit).answered(took, self.in_flight(), now);
    }

    /// What a refused caller is told.
    pub(crate) fn refusal(&self, options: &Options) -> CallError {
        CallError::Overloaded {
            message: self.refusal_text(options),
            retry_after: options.retry_after,
        }
    }

    /// As [`refusal`](Self::refusal), its text.
    pub(crate) fn refusal_text(&self, options: &Options) -> String {
        format!(
            "the user function is overloaded: with {} commands in progress, /{}/{} would wait for longer than {:?}",
            self.in_flight(),
            self.service,
            self.method,
            options.max_delay
        )
    }
}

/// The sums are meaningful whatever a panicking holder left.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
