//! The entities of one core.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_catalog::{Method, Service};
use cloudstate_entity::{Activation, Answer, Caller, TurnError};
use cloudstate_function::{StreamReceiver, StreamSender};
use cloudstate_store::EntityKey;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::context::Context;
use crate::method_limit::{KnownLimits, Place};
use crate::metrics::ServiceMetrics;
use crate::passivation::Rests;
use crate::stored::Stored;

/// Who waits for the answer of a command, perhaps on another core.
pub(crate) struct Waiter {
    pub(crate) answer: oneshot::Sender<Result<Answer, TurnError>>,
    /// What was called, and on whose behalf: side effects continue from here.
    pub(crate) method: Arc<Method>,
    pub(crate) context: Context,
    /// Among the commands of its method that are in progress, once it is on the core of its entity.
    pub(crate) place: Option<Place>,
    /// While the command waits for another one.
    pub(crate) stash: Option<Box<Stash>>,
}

/// The time that a command waits for others. Ends when it is dropped.
pub(crate) struct Stash {
    pub(crate) since: Instant,
    metrics: Arc<ServiceMetrics>,
}

impl Stash {
    /// A command begins to wait.
    pub(crate) fn begin(metrics: &Arc<ServiceMetrics>) -> Self {
        metrics.stashed.inc();
        Stash {
            since: Instant::now(),
            metrics: metrics.clone(),
        }
    }
}

impl Drop for Stash {
    fn drop(&mut self) {
        self.metrics.unstashed.inc();
        self.metrics.stash_time.observe_time(self.since.elapsed());
    }
}

impl Caller for Waiter {
    fn is_gone(&self) -> bool {
        self.answer.is_closed()
    }
}

/// A service as this core serves it.
pub(crate) struct Served {
    pub(crate) service: Arc<Service>,
    pub(crate) passivation: Duration,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) limits: KnownLimits,
}

/// One entity: its machine, and its stream while no task drives it.
pub(crate) struct Slot<K: Stored> {
    pub(crate) key: EntityKey,
    pub(crate) served: Rc<Served>,
    pub(crate) activation: RefCell<Activation<K, Waiter>>,
    /// Boxed, because it goes from here to the task and back with every command.
    pub(crate) stream: RefCell<Option<Box<(StreamSender, StreamReceiver)>>>,
    /// A task drives the machine; it will see what is put in.
    pub(crate) driven: Cell<bool>,
    /// When the activation began.
    pub(crate) active_since: Cell<Instant>,
    /// When the last turn ended.
    pub(crate) idle_since: Cell<Instant>,
    /// The passivation queue knows of this slot.
    pub(crate) queued: Cell<bool>,
}

impl<K: Stored> Rests for Slot<K> {
    fn is_driven(&self) -> bool {
        self.driven.get()
    }

    fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }

    fn passivation(&self) -> Duration {
        self.served.passivation
    }

    fn queued(&self) -> &Cell<bool> {
        &self.queued
    }
}

/// The entities of one kind.
pub(crate) struct Registry<K: Stored> {
    slots: RefCell<HashMap<EntityKey, Rc<Slot<K>>>>,
}

impl<K: Stored> Registry<K> {
    pub(crate) fn new() -> Self {
        Registry {
            slots: RefCell::new(HashMap::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    pub(crate) fn get(&self, key: &EntityKey) -> Option<Rc<Slot<K>>> {
        self.slots.borrow().get(key).cloned()
    }

    pub(crate) fn insert(&self, slot: Rc<Slot<K>>) {
        self.slots.borrow_mut().insert(slot.key.clone(), slot);
    }

    /// Forgets the slot, unless another one took its place.
    pub(crate) fn remove(&self, slot: &Rc<Slot<K>>) {
        let mut slots = self.slots.borrow_mut();
        if slots
            .get(&slot.key)
            .is_some_and(|present| Rc::ptr_eq(present, slot))
        {
            slots.remove(&slot.key);
        }
    }

    /// All slots, for draining and for the loss of the function.
    pub(crate) fn all(&self) -> Vec<Rc<Slot<K>>> {
        self.slots.borrow().values().cloned().collect()
    }
}
