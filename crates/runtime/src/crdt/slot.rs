//! One CRDT entity on its core: the machine, its stream, and what its driver minds.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_entity::crdt::{CrdtEntity, Operation};
use cloudstate_entity::{Caller, Identity, Limits};
use cloudstate_function::{StreamReceiver, StreamSender};
use cloudstate_protocol::crdt::CrdtStreamIn;
use cloudstate_replica::Id;
use cloudstate_store::EntityKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::pump::Listener;
use super::{Changes, Key};
use crate::Core;
use crate::context::Context;
use crate::passivation::Rests;
use crate::registry::{Served, Waiter};
use crate::traced::TurnSpan;

/// Who waits for a unary command, since when, and its place in a trace.
pub(super) struct Asked {
    pub(super) waiter: Waiter,
    pub(super) began: Began,
}

/// The beginning of a command.
pub(super) struct Began {
    pub(super) at: Instant,
    pub(super) turn: Option<Box<TurnSpan>>,
}

impl Began {
    pub(super) fn now(context: &Context) -> Began {
        let at = Instant::now();
        let turn = TurnSpan::begin(context, at.into_std(), at.into_std());
        Began { at, turn }
    }
}

impl Caller for Asked {
    fn is_gone(&self) -> bool {
        self.waiter.is_gone()
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({})", self.waiter.method.path)
    }
}

pub(super) type Machine = CrdtEntity<Asked, Listener>;

/// The times of operations that the function has to answer, those of one kind in the order of their deadlines.
#[derive(Default)]
pub(super) struct Deadlines(VecDeque<(Instant, Operation)>);

/// One entity. Its parts are borrowed for a moment each: nothing that is called meanwhile comes back here.
pub(super) struct Slot {
    /// Its ids, as traces name them.
    pub(super) key: EntityKey,
    pub(super) served: Rc<Served>,
    pub(super) machine: RefCell<Machine>,
    pub(super) stream: RefCell<Option<Box<(StreamSender, StreamReceiver)>>>,
    /// What the function's flow control had no room for, in order.
    pub(super) unsent: RefCell<VecDeque<CrdtStreamIn>>,
    /// Half-close when all that is unsent has been sent.
    pub(super) finishing: Cell<bool>,
    /// A stream has to be opened.
    pub(super) opening: Cell<bool>,
    /// When the function has to have closed its side.
    pub(super) close_by: Cell<Option<Instant>>,
    pub(super) commands: RefCell<Deadlines>,
    pub(super) cancellations: RefCell<Deadlines>,
    /// A task drives the entity.
    pub(super) driven: Cell<bool>,
    /// Tells that task that there is something new to mind.
    pub(super) wake: Notify,
    pub(super) active_since: Cell<Instant>,
    /// Of the command that the activation is for, if it is traced.
    pub(super) activating: RefCell<Context>,
    idle_since: Cell<Instant>,
    queued: Cell<bool>,
}

impl Slot {
    pub(super) fn new(core: &Core, key: EntityKey, served: Rc<Served>) -> Rc<Slot> {
        let identity = Identity {
            service: served.service.name.clone(),
            entity_id: key.entity_id().clone(),
        };
        let (options, now) = (core.options(), Instant::now());
        let limits = Limits {
            queued_commands: options.queue_commands,
            queued_bytes: options.queue_bytes,
        };
        let changes = Changes {
            key: (identity.service.clone(), identity.entity_id.clone()),
            to: core.0.crdts.changes.clone(),
        };
        let id = Id::new(key.persistence_id().clone(), key.entity_id().clone());
        let replica = core.0.shared.replicas.open(id, Arc::new(changes));
        Rc::new(Slot {
            key,
            served,
            machine: RefCell::new(CrdtEntity::new(identity, replica, limits)),
            stream: RefCell::default(),
            unsent: RefCell::default(),
            finishing: Cell::new(false),
            opening: Cell::new(false),
            close_by: Cell::new(None),
            commands: RefCell::default(),
            cancellations: RefCell::default(),
            driven: Cell::new(false),
            wake: Notify::new(),
            active_since: Cell::new(now),
            activating: RefCell::default(),
            idle_since: Cell::new(now),
            queued: Cell::new(false),
        })
    }

    pub(super) fn instance(&self) -> Key {
        (self.served.service.name.clone(), self.key.entity_id().clone())
    }

    pub(super) fn rests_now(&self) {
        self.idle_since.set(Instant::now());
    }

    /// Whether a task has something to do: to open a stream, to listen to the function, or to send what it had no room for.
    pub(super) fn needs_driver(&self) -> bool {
        let machine = self.machine.borrow();
        self.opening.get() || !self.unsent.borrow().is_empty() || !(machine.is_idle() || machine.is_stopped())
    }

    /// When something takes too long, unless it happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let machine = self.machine.borrow();
        let first = |deadlines: &RefCell<Deadlines>| deadlines.borrow_mut().first(&machine);
        let firsts = [first(&self.commands), first(&self.cancellations)];
        let operations = firsts.into_iter().flatten().map(|(at, _)| at);
        operations.chain(self.close_by.get()).min()
    }

    /// What took too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<Overdue> {
        if self.close_by.get().is_some_and(|by| by <= now) {
            self.close_by.set(None);
            return Some(Overdue::Closing);
        }
        let machine = self.machine.borrow();
        let first = |deadlines: &RefCell<Deadlines>| deadlines.borrow_mut().first(&machine);
        let firsts = [first(&self.commands), first(&self.cancellations)];
        let overdue = firsts.into_iter().flatten().find(|(at, _)| *at <= now);
        overdue.map(|(_, operation)| Overdue::Operation(operation))
    }
}

/// Something that took too long.
pub(super) enum Overdue {
    /// The function has not closed its side.
    Closing,
    /// The function has not answered.
    Operation(Operation),
}

impl Deadlines {
    pub(super) fn push(&mut self, at: Instant, operation: Operation) {
        self.0.push_back((at, operation));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first that is still open.
    fn first(&mut self, machine: &Machine) -> Option<(Instant, Operation)> {
        while let Some((at, operation)) = self.0.front() {
            if machine.is_open(*operation) {
                return Some((*at, *operation));
            }
            self.0.pop_front();
        }
        None
    }
}

impl Rests for Slot {
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
