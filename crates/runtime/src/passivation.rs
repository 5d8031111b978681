//! Notices entities that nobody calls, without a timer for each.
//!
//! There is one queue for each passivation time. An entity that comes to rest is queued once; when its time is up, it
//! is passivated if it rested all along, else queued again for the rest of its time. So an entity may stay up to twice
//! its time, and a call costs nothing here.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// An entity that may come to rest.
pub(crate) trait Rests {
    /// Whether a task drives it: then it does not rest.
    fn is_driven(&self) -> bool;
    /// When it came to rest.
    fn idle_since(&self) -> Instant;
    /// How long it may rest.
    fn passivation(&self) -> Duration;
    /// Whether a queue knows of it.
    fn queued(&self) -> &Cell<bool>;
}

/// Entities at rest, in the order of when to look at them.
pub(crate) struct Passivation<S: Rests> {
    queues: RefCell<HashMap<Duration, Rc<Queue<S>>>>,
}

struct Queue<S: Rests> {
    entries: RefCell<VecDeque<(Instant, Weak<S>)>>,
    filled: Notify,
}

impl<S: Rests> Passivation<S> {
    pub(crate) fn new() -> Self {
        Passivation {
            queues: RefCell::new(HashMap::new()),
        }
    }

    /// Queues a slot that came to rest. `start` spawns the watcher of a passivation time seen for the first time.
    pub(crate) fn rest(&self, slot: &Rc<S>, start: impl FnOnce(Duration)) {
        if slot.queued().replace(true) {
            return;
        }
        let after = slot.passivation();
        let mut queues = self.queues.borrow_mut();
        let queue = queues.entry(after).or_insert_with(|| {
            start(after);
            Rc::new(Queue {
                entries: RefCell::new(VecDeque::new()),
                filled: Notify::new(),
            })
        });
        queue.push(slot.idle_since() + after, slot);
    }

    /// Waits for the next slot of this passivation time that rested all along. Never ends. Cancel-safe.
    pub(crate) async fn due(&self, after: Duration) -> Rc<S> {
        loop {
            let queue = self.queues.borrow().get(&after).cloned();
            let Some(queue) = queue else {
                std::future::pending().await
            };
            let Some(at) = queue.next_at() else {
                queue.filled.notified().await;
                continue;
            };
            sleep_until(at).await;
            if let Some(slot) = queue.pop_rested(after) {
                return slot;
            }
        }
    }

    /// Takes a slot that rests now, the longest queued first, to make room.
    pub(crate) fn evict(&self) -> Option<Rc<S>> {
        let queues = self.queues.borrow();
        queues.values().find_map(|queue| queue.pop_idle())
    }
}

impl<S: Rests> Queue<S> {
    fn push(&self, at: Instant, slot: &Rc<S>) {
        self.entries.borrow_mut().push_back((at, Rc::downgrade(slot)));
        self.filled.notify_one();
    }

    fn next_at(&self) -> Option<Instant> {
        self.entries.borrow().front().map(|(at, _)| *at)
    }

    fn pop_rested(&self, after: Duration) -> Option<Rc<S>> {
        let (_, slot) = self.entries.borrow_mut().pop_front()?;
        let slot = slot.upgrade()?;
        if slot.is_driven() {
            // It is queued again when it comes to rest.
            slot.queued().set(false);
            return None;
        }
        let at = slot.idle_since() + after;
        if at > Instant::now() {
            self.push(at, &slot);
            return None;
        }
        slot.queued().set(false);
        Some(slot)
    }

    fn pop_idle(&self) -> Option<Rc<S>> {
        // Looks at a bounded number of entries: those in use go to the back.
        let looked_at = self.entries.borrow().len().min(64);
        for _ in 0..looked_at {
            let (at, weak) = self.entries.borrow_mut().pop_front()?;
            let Some(slot) = weak.upgrade() else { continue };
            if slot.is_driven() {
                self.entries.borrow_mut().push_back((at, weak));
                continue;
            }
            slot.queued().set(false);
            return Some(slot);
        }
        None
    }
}
