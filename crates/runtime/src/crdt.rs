//! Drives CRDT entities: many commands in hand, streams that stay open, and a replica that others change too.
//!
//! ```text
//!   command ─▶ offer ──┐                                   ┌──▶ stream to the function
//!   others' change ────┼─▶ CrdtEntity ──actions──▶ perform ┼──▶ Waiter, as soon as the change counts as made
//!   driver: messages ──┘                                   └──▶ Listener ─▶ pump ─▶ the client's stream
//!           of the function, time
//! ```
//!
//! Whatever happens to an entity is handled where it happens, on the entity's core, without a queue between. The driver is the
//! task that reads what the function says, writes what its flow control did not take at once, and minds the time. An entity
//! that waits for nothing has none.

mod drive;
mod offer;
mod perform;
mod pump;
mod receive;
mod slot;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use cloudstate_replica::Watcher;
use tokio::sync::mpsc;

use crate::passivation::Passivation;
pub(crate) use drive::{drain, drop_idle, follow_changes};
pub(crate) use offer::{Wanted, offer};
pub(crate) use receive::{crdt_stream, sink};
use slot::Slot;

/// Which instance: the name of the service and the entity id. Services that share a persistence id share replicas, but
/// each has instances of its own.
type Key = (Arc<str>, Arc<str>);

/// The CRDT entities of one core.
pub(crate) struct Entities {
    slots: RefCell<HashMap<Key, Rc<Slot>>>,
    passivation: Passivation<Slot>,
    changes: mpsc::UnboundedSender<Key>,
}

impl Entities {
    /// None yet. The receiver is for [`follow_changes`].
    pub(crate) fn new() -> (Entities, mpsc::UnboundedReceiver<Key>) {
        // At most one message for each instance waits: a watcher is told once until its instance looks.
        let (changes, changed) = mpsc::unbounded_channel();
        let entities = Entities {
            slots: RefCell::default(),
            passivation: Passivation::new(),
            changes,
        };
        (entities, changed)
    }

    /// Active entities.
    pub(crate) fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    fn get(&self, key: &Key) -> Option<Rc<Slot>> {
        self.slots.borrow().get(key).cloned()
    }

    fn insert(&self, slot: Rc<Slot>) {
        self.slots.borrow_mut().insert(slot.instance(), slot);
    }

    /// Forgets the slot, unless another one took its place.
    fn remove(&self, slot: &Rc<Slot>) {
        let key = slot.instance();
        let mut slots = self.slots.borrow_mut();
        if slots.get(&key).is_some_and(|present| Rc::ptr_eq(present, slot)) {
            slots.remove(&key);
        }
    }

    fn all(&self) -> Vec<Rc<Slot>> {
        self.slots.borrow().values().cloned().collect()
    }
}

/// Tells the core of an instance that its replica was changed, from whatever thread that was.
struct Changes {
    key: Key,
    to: mpsc::UnboundedSender<Key>,
}

impl Watcher for Changes {
    fn changed(&self) {
        // An error means that the core has ended, and the instance with it.
        let _ = self.to.send(self.key.clone());
    }
}
