//! One core: the entities of one thread, and the way to those of the others.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloudstate_catalog::{Catalog, EntityKind, Method, Service};
use cloudstate_entity::{Command, EventSourced, ValueEntity};
use cloudstate_function::Link;
use cloudstate_replica::Replicas;
use cloudstate_store::{EntityKey, Store};
use cloudstate_telemetry::trace::TraceId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::context::Context;
use crate::crdt::{self, Wanted};
use crate::drive;
use crate::method_limit::{KnownLimits, MethodLimit};
use crate::metrics::{CoreMetrics, Group, Shed};
use crate::passivation::Passivation;
use crate::registry::{Registry, Served, Slot, Waiter};
use crate::stored::Stored;
use crate::{CallError, Metrics, Options};

/// Reports to the function that wait for being sent; further ones are only logged.
const REPORT_QUEUE: usize = 64;

/// What all cores of a proxy have in common.
pub struct Shared {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) metrics: Metrics,
    pub(crate) admission: Arc<Admission>,
    peers: Vec<mpsc::Sender<Message>>,
    /// Streamed commands of CRDT entities, counted to tell them apart.
    streams: AtomicU64,
}

/// What reaches a core from other threads. Give it to [`Core::start`] on the core's own thread.
pub struct Inbox(mpsc::Receiver<Message>);

enum Message {
    Command(Box<HandOver>),
    Catalog(Arc<Catalog>),
    FunctionLost,
    Drain { by: Instant, done: oneshot::Sender<()> },
}

/// A command for an entity of another core.
struct HandOver {
    key: EntityKey,
    service: Arc<Service>,
    command: Offered,
}

/// A command for the kind of entity that it is for.
pub(crate) enum Offered {
    /// Of an entity whose state is in the store.
    Stored(Command<Waiter>),
    /// Of a CRDT entity.
    Crdt(Command<Wanted>),
}

impl Shared {
    /// Shared state for so many cores, and the inbox of each.
    pub fn new(
        options: Options,
        store: Store,
        replicas: Arc<Replicas>,
        metrics: Metrics,
        cores: usize,
    ) -> (Arc<Self>, Vec<Inbox>) {
        let queue = options.handover_queue;
        let (peers, inboxes) = (0..cores.max(1))
            .map(|_| {
                let (sender, receiver) = mpsc::channel(queue);
                (sender, Inbox(receiver))
            })
            .unzip();
        let admission = Arc::new(Admission::new(&options));
        metrics.watch(&admission);
        (
            Arc::new(Shared {
                options,
                store,
                replicas,
                metrics,
                admission,
                peers,
                streams: AtomicU64::new(0),
            }),
            inboxes,
        )
    }

    /// Gives every core a new declaration of the function.
    pub async fn install(&self, catalog: &Arc<Catalog>) {
        self.tell_all(|| Message::Catalog(catalog.clone())).await;
    }

    /// Tells every core that the function is gone, so that idle entities are dropped.
    pub async fn function_lost(&self) {
        self.tell_all(|| Message::FunctionLost).await;
    }

    pub(crate) fn cores(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn next_stream(&self) -> u64 {
        self.streams.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls of clients in progress.
    pub fn in_flight(&self) -> usize {
        self.admission.in_flight()
    }

    /// Lets every core finish what it has and passivate its entities, until `by`. Calls that arrive meanwhile are
    /// refused. The cores' threads must run.
    pub async fn drain(&self, by: Instant) {
        let mut waiting = Vec::new();
        for peer in &self.peers {
            let (done, drained) = oneshot::channel();
            if peer.send(Message::Drain { by, done }).await.is_ok() {
                waiting.push(drained);
            }
        }
        for drained in waiting {
            // An error means that the core is gone already.
            let _ = drained.await;
        }
    }

    async fn tell_all(&self, message: impl Fn() -> Message) {
        for peer in &self.peers {
            // A closed inbox belongs to a core that has ended: nobody to tell.
            let _ = peer.send(message()).await;
        }
    }
}

/// One core. Cheap to clone; belongs to the thread that started it.
#[derive(Clone)]
pub struct Core(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) link: Link,
    pub(crate) catalog: RefCell<Option<Arc<Catalog>>>,
    served: RefCell<Vec<Rc<Served>>>,
    pub(crate) metrics: CoreMetrics,
    pub(crate) event_sourced: Entities<EventSourced>,
    pub(crate) values: Entities<ValueEntity>,
    pub(crate) crdts: crdt::Entities,
    pub(crate) tasks: TaskTracker,
    /// Asynchronous side effects in progress.
    pub(crate) effects: Cell<usize>,
    reports: mpsc::Sender<String>,
    pub(crate) draining: Cell<bool>,
}

/// The entities of one kind, and when to passivate them.
pub(crate) struct Entities<K: Stored> {
    pub(crate) registry: Registry<K>,
    pub(crate) passivation: Passivation<Slot<K>>,
}

/// A kind of entity, to find its entities on a core.
pub(crate) trait Held: Stored {
    fn of(inner: &Inner) -> &Entities<Self>;
    fn new() -> Self;
}

impl Held for EventSourced {
    fn of(inner: &Inner) -> &Entities<Self> {
        &inner.event_sourced
    }
    fn new() -> Self {
        EventSourced::default()
    }
}

impl Held for ValueEntity {
    fn of(inner: &Inner) -> &Entities<Self> {
        &inner.values
    }
    fn new() -> Self {
        ValueEntity::default()
    }
}

impl<K: Stored> Entities<K> {
    fn new() -> Self {
        Entities {
            registry: Registry::new(),
            passivation: Passivation::new(),
        }
    }
}

impl Core {
    /// Starts a core on the current thread, within a local runtime. Its tasks end when the inbox's senders are gone
    /// and the last clone is dropped, or with the runtime.
    pub fn start(index: usize, shared: Arc<Shared>, inbox: Inbox, link: Link) -> Core {
        let (reports, queued_reports) = mpsc::channel(REPORT_QUEUE);
        tokio::task::spawn_local(report_to_function(link.clone(), queued_reports));
        let metrics = shared.metrics.core();
        let (crdts, changed) = crdt::Entities::new();
        let core = Core(Rc::new(Inner {
            index,
            shared,
            metrics,
            link,
            catalog: RefCell::new(None),
            served: RefCell::default(),
            event_sourced: Entities::new(),
            values: Entities::new(),
            crdts,
            tasks: TaskTracker::new(),
            effects: Cell::new(0),
            reports,
            draining: Cell::new(false),
        }));
        tokio::task::spawn_local(crdt::follow_changes(Rc::downgrade(&core.0), changed));
        tokio::task::spawn_local(core.clone().receive(inbox));
        core
    }

    /// Active entities on this core.
    pub fn active(&self) -> usize {
        self.0.event_sourced.registry.len() + self.0.values.registry.len() + self.0.crdts.len()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.shared.options
    }

    async fn receive(self, Inbox(mut inbox): Inbox) {
        const BATCH: usize = 64;
        let mut messages = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut messages, BATCH).await > 0 {
            for message in messages.drain(..) {
                self.take(message);
            }
        }
    }

    fn take(&self, message: Message) {
        match message {
            Message::Command(hand_over) => {
                let HandOver {
                    key,
                    service,
                    command,
                } = *hand_over;
                self.offer(key, &service, command);
            }
            Message::Catalog(catalog) => {
                self.0.served.borrow_mut().clear();
                *self.0.catalog.borrow_mut() = Some(catalog);
            }
            Message::FunctionLost => {
                drive::drop_idle::<EventSourced>(self);
                drive::drop_idle::<ValueEntity>(self);
                crdt::drop_idle(self);
            }
            Message::Drain { by, done } => {
                let core = self.clone();
                tokio::task::spawn_local(async move {
                    core.drain(by).await;
                    // The caller may have given up waiting.
                    let _ = done.send(());
                });
            }
        }
    }

    /// Refuses new calls, waits for those in progress, then passivates all entities.
    async fn drain(&self, by: Instant) {
        self.0.draining.set(true);
        // Their streams are calls in progress, which end only if somebody ends them.
        crdt::drain(self);
        let finish = async {
            self.0.shared.admission.none_in_flight().await;
            drive::drain::<EventSourced>(self);
            drive::drain::<ValueEntity>(self);
            crdt::drain(self);
            self.0.tasks.close();
            self.0.tasks.wait().await;
        };
        if tokio::time::timeout_at(by, finish).await.is_err() {
            tracing::warn!(
                in_flight = self.0.shared.in_flight(),
                "drain time is over with calls in progress"
            );
        }
    }

    /// Sends a command to its entity, on whatever core it lives.
    pub(crate) fn dispatch(
        &self,
        key: EntityKey,
        service: &Arc<Service>,
        command: Offered,
    ) -> Result<(), CallError> {
        let owner = self.owner(&key);
        if owner == self.0.index {
            self.offer(key, service, command);
            return Ok(());
        }
        let hand_over = Box::new(HandOver {
            key,
            service: service.clone(),
            command,
        });
        self.0.metrics.handed_over.inc();
        self.0.shared.peers[owner]
            .try_send(Message::Command(hand_over))
            .map_err(|_| {
                self.0.metrics.shed(Shed::Handover);
                CallError::Overloaded {
                    message: format!("the proxy is overloaded: the queue of core {owner} is full"),
                    retry_after: self.options().retry_after,
                }
            })
    }

    /// The core that an entity lives on: by its own hash, independent of its shard.
    fn owner(&self, key: &EntityKey) -> usize {
        let cores = self.0.shared.peers.len();
        if cores == 1 {
            return 0;
        }
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        (hash % cores as u64) as usize
    }

    fn offer(&self, key: EntityKey, service: &Arc<Service>, command: Offered) {
        let served = self.served(service);
        match (service.kind, command) {
            (EntityKind::EventSourced, Offered::Stored(command)) => {
                drive::offer::<EventSourced>(self, key, &served, command);
            }
            (EntityKind::Value, Offered::Stored(command)) => {
                drive::offer::<ValueEntity>(self, key, &served, command);
            }
            (EntityKind::Crdt, Offered::Crdt(command)) => crdt::offer(self, key, &served, command),
            // The router sends actions elsewhere, and makes the commands that a kind takes.
            (kind, _) => {
                tracing::error!(service = %service.name, ?kind, "command for a service of another kind");
            }
        }
    }

    /// Looked up by address, among a handful: cheaper than by name.
    pub(crate) fn served(&self, service: &Arc<Service>) -> Rc<Served> {
        let mut served = self.0.served.borrow_mut();
        if let Some(known) = served.iter().find(|known| Arc::ptr_eq(&known.service, service)) {
            return known.clone();
        }
        let (group, name) = match service.kind {
            EntityKind::Value => (Group::Value, &service.persistence_id),
            EntityKind::Action => (Group::Action, &service.name),
            EntityKind::EventSourced => (Group::EventSourced, &service.persistence_id),
            EntityKind::Crdt => (Group::Crdt, &service.persistence_id),
        };
        let new = Rc::new(Served {
            service: service.clone(),
            passivation: service.passivation.unwrap_or(self.options().passivation_timeout),
            metrics: self.0.metrics.service(group, name),
            limits: KnownLimits::default(),
        });
        served.push(new.clone());
        new
    }

    /// The limit of a method; `None` if there is none by configuration.
    pub(crate) fn limit(&self, served: &Served, method: &Arc<Method>) -> Option<Arc<MethodLimit>> {
        let options = self.options();
        if options.max_delay.is_zero() {
            return None;
        }
        let all = &self.0.shared.admission.limits;
        Some(served.limits.of(method, all, options))
    }

    /// Whether a command would wait too long in the function. What follows from a command that was let in is let in too.
    pub(crate) fn is_delayed(&self, limit: &MethodLimit, context: &Context) -> bool {
        limit.is_full() && context.length() == 0 && self.0.shared.in_flight() > self.options().min_in_flight
    }

    /// Tells the function, and the log, what it did wrong. Dropped from the way to the function when too many wait.
    pub(crate) fn report(&self, message: String, trace: Option<TraceId>) {
        tracing::warn!(trace_id = trace.map(tracing::field::display), "{message}");
        self.0.metrics.reports.inc();
        // A full queue means that the function does not listen; the log has the message.
        let _ = self.0.reports.try_send(message);
    }
}

async fn report_to_function(link: Link, mut reports: mpsc::Receiver<String>) {
    while let Some(message) = reports.recv().await {
        if let Err(error) = link.report_error(&message).await {
            tracing::debug!(%error, "the function did not take an error report");
        }
    }
}
