//! What is in progress of each method on a core, and whether more may begin.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloudstate_catalog::Method;
use tokio::time::Instant;

use crate::delay_limit::{Aim, DelayLimit};
use crate::metrics::LimitCell;
use crate::{CallError, Options};

/// The limits of the methods of one service on one core.
#[derive(Default)]
pub(crate) struct MethodLimits(RefCell<Vec<Rc<MethodLimit>>>);

impl MethodLimits {
    /// The limit of a method, looked up by address among a handful; made by `new` at its first command.
    pub(crate) fn of(&self, method: &Arc<Method>, new: impl FnOnce() -> MethodLimit) -> Rc<MethodLimit> {
        let mut limits = self.0.borrow_mut();
        if let Some(known) = limits.iter().find(|known| Arc::ptr_eq(&known.method, method)) {
            return known.clone();
        }
        let new = Rc::new(new());
        limits.push(new.clone());
        new
    }
}

/// The limit of one method on one core.
pub(crate) struct MethodLimit {
    method: Arc<Method>,
    /// Atomic only so that a command may carry its place through other threads; nobody else touches it meanwhile.
    in_flight: Arc<AtomicUsize>,
    limit: RefCell<DelayLimit>,
    shown: Arc<LimitCell>,
}

/// The place of a command among those in progress; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl MethodLimit {
    pub(crate) fn new(method: &Arc<Method>, options: &Options, cores: usize, shown: Arc<LimitCell>) -> Self {
        let aim = Aim {
            delay: options.max_delay,
            unloaded: options.min_in_flight,
            share: (options.min_in_flight / cores).max(2),
        };
        MethodLimit {
            method: method.clone(),
            in_flight: Arc::default(),
            limit: RefCell::new(DelayLimit::new(aim, Instant::now())),
            shown,
        }
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether one more would wait too long.
    pub(crate) fn is_full(&self) -> bool {
        !self.limit.borrow().admits(self.in_flight())
    }

    /// A command begins.
    pub(crate) fn begin(&self) -> Place {
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let mut limit = self.limit.borrow_mut();
        if limit.began(in_flight, Instant::now) {
            self.shown.set(limit.limit());
        }
        Place(self.in_flight.clone())
    }

    /// The function answered a command after `took`.
    pub(crate) fn answered(&self, took: Duration, now: Instant) {
        let mut limit = self.limit.borrow_mut();
        if limit.answered(took, self.in_flight(), now) {
            self.shown.set(limit.limit());
        }
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
            "the user function is overloaded: with {} commands in progress on this core, {} would wait for longer than {:?}",
            self.in_flight(),
            self.method.path,
            options.max_delay
        )
    }
}
