//! Carries out what an entity's machine decides: the only place where its stream and the store are touched.

mod offer;
mod rest;

use std::rc::Rc;
use std::time::Duration;

use cloudstate_entity::{Action, Answer, CommitOutcome, Input, StopReason, TurnError};
use cloudstate_function::{StreamReceiver, StreamSender};
use cloudstate_telemetry::trace::TraceId;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, timeout_at};

use crate::Core;
use crate::context::Context;
use crate::core::Held;
use crate::deliver::deliver;
use crate::metrics::Shed;
use crate::registry::{Slot, Waiter};
use crate::stored::{self, Persisted, Stored};
use crate::traced::{self, TurnSpan};

pub(crate) use self::offer::{offer, waiter};
use self::rest::watch;
pub(crate) use self::rest::{drain, drop_idle};

type Actions<K> = Vec<Action<K, Waiter>>;

/// Starts to drive an entity. Boxed, so that a task is made and ended without moving all that driving holds.
fn start<K: Held>(core: &Core, slot: Rc<Slot<K>>, actions: Actions<K>) {
    slot.driven.set(true);
    let driving = Box::pin(drive(core.clone(), slot, actions));
    core.0.tasks.spawn_local(driving);
}

fn received<K: Stored>(message: Result<Option<K::Out>, cloudstate_function::Error>) -> Input<K, Waiter> {
    match message {
        Ok(Some(message)) => Input::Message(message),
        Ok(None) => Input::Closed(None),
        Err(error) if error.is_unreadable() => Input::Unreadable(error.to_string()),
        Err(error) => Input::Closed(Some(error.to_string())),
    }
}

/// One entity at work.
struct Driver<K: Stored> {
    core: Core,
    slot: Rc<Slot<K>>,
    stream: Option<Box<(StreamSender, StreamReceiver)>>,
    /// When the turn, the loading or the closing takes too long.
    deadline: Instant,
    /// When the activation, or the turn, began.
    began: Instant,
    /// When the last thing happened: the clock is asked once for all that follows from it.
    latest: Instant,
    /// When the command in hand was received.
    received: Instant,
    loading: bool,
    /// Whether the function has a command in hand.
    turning: bool,
    /// How long the function took for it, once it has answered.
    processed: Option<Duration>,
    /// The turn of a command that is traced.
    turn: Option<Box<TurnSpan>>,
    /// Of the command that an activation is for, if it is traced.
    activating: Context,
}

/// Drives an entity until it is idle or stopped.
async fn drive<K: Held>(core: Core, slot: Rc<Slot<K>>, mut actions: Actions<K>) {
    let stream = slot.stream.borrow_mut().take();
    let now = Instant::now();
    let deadline = now + core.options().turn_timeout;
    let mut driver = Driver {
        core,
        slot,
        stream,
        deadline,
        began: now,
        latest: now,
        received: now,
        loading: false,
        turning: false,
        processed: None,
        turn: None,
        activating: Context::default(),
    };
    loop {
        while !actions.is_empty() {
            let input = driver.perform(std::mem::take(&mut actions)).await;
            if let Some(input) = input {
                driver.slot.activation.borrow_mut().handle(input, &mut actions);
            }
        }
        if driver.rests() {
            return;
        }
        let input = driver.listen().await;
        driver.slot.activation.borrow_mut().handle(input, &mut actions);
    }
}

impl<K: Held> Driver<K> {
    /// Whether there is nothing more to do; then the slot is ready for the next command.
    fn rests(&mut self) -> bool {
        let (idle, stopped) = {
            let activation = self.slot.activation.borrow();
            (activation.is_idle(), activation.is_stopped())
        };
        let entities = K::of(&self.core.0);
        if stopped {
            entities.registry.remove(&self.slot);
        } else if idle {
            *self.slot.stream.borrow_mut() = self.stream.take();
            self.slot.idle_since.set(self.latest);
            let core = &self.core;
            entities
                .passivation
                .rest(&self.slot, |after| watch::<K>(core, after));
        } else {
            return false;
        }
        self.slot.driven.set(false);
        true
    }

    /// Waits for the function.
    async fn listen(&mut self) -> Input<K, Waiter> {
        let Some((_, receiver)) = self.stream.as_deref_mut() else {
            return Input::Closed(None);
        };
        let message = timeout_at(self.deadline, receiver.message::<K::Out>()).await;
        self.latest = Instant::now();
        match message {
            Ok(message) => {
                let input = received::<K>(message);
                if matches!(input, Input::Message(_)) {
                    let took = self.latest - self.began;
                    self.processed = Some(took);
                    self.slot.served.metrics.processed(took);
                    if let Some(turn) = &mut self.turn {
                        turn.replied(self.latest.into_std());
                    }
                }
                input
            }
            Err(_) => Input::TimedOut,
        }
    }

    /// Carries actions out in order. At most one of them has a result; a failed send replaces it.
    async fn perform(&mut self, mut actions: Actions<K>) -> Option<Input<K, Waiter>> {
        // A page is read from the store while the one before it is sent.
        let reading = match actions.pop_if(|action| matches!(action, Action::Load(_))) {
            Some(Action::Load(what)) => Some(self.begin_load(what)),
            _ => None,
        };
        let mut result = None;
        let mut broken = None;
        for action in actions {
            match action {
                Action::Send(_) if broken.is_some() => {}
                Action::Send(message) => broken = self.send(&message).await.err(),
                Action::Open => result = Some(Box::pin(self.open()).await),
                Action::Commit(commit) => result = Some(self.commit(commit).await),
                other => self.perform_now(other),
            }
        }
        if let Some(reading) = reading
            && broken.is_none()
        {
            result = Some(reading.await);
        }
        if self.loading && result.is_none() {
            self.recovered();
        }
        broken.map(|broken| *broken).or(result)
    }

    fn perform_now(&mut self, action: Action<K, Waiter>) {
        let Slot { key, served, .. } = &*self.slot;
        match action {
            Action::TurnStarted => self.turn_started(),
            Action::SaveSnapshot(snapshot) => {
                K::save_snapshot(&self.core.0.shared.store, key, snapshot, &served.metrics);
            }
            Action::Answer(waiter, result) => self.answer(waiter, result),
            Action::Report(text) => self.core.report(text, self.trace_id()),
            Action::Log(text) => {
                let (service, entity) = (&served.service.name, key.entity_id());
                tracing::error!(%service, %entity, trace_id = self.trace_id().map(tracing::field::display), "{text}");
            }
            Action::HalfClose => {
                if let Some((sender, _)) = self.stream.as_deref_mut() {
                    sender.finish();
                }
                self.arm(self.core.options().close_timeout);
            }
            // Dropping both halves resets the stream.
            Action::Reset => self.stream = None,
            Action::Stop(reason) => self.stopped(reason),
            Action::Send(_) | Action::Open | Action::Load(_) | Action::Commit(_) => {}
        }
    }

    fn arm(&mut self, time: Duration) {
        self.latest = Instant::now();
        self.began = self.latest;
        self.deadline = self.began + time;
    }

    fn turn_started(&mut self) {
        self.arm(self.core.options().turn_timeout);
        self.turning = true;
        self.processed = None;
        let mut activation = self.slot.activation.borrow_mut();
        let Some(waiter) = activation.caller_mut() else {
            return;
        };
        if let Some(stash) = waiter.stash.take() {
            self.received = stash.since;
        }
        self.turn = TurnSpan::begin(&waiter.context, self.received.into_std(), self.began.into_std());
    }

    fn recovered(&mut self) {
        self.loading = false;
        let began = self.slot.active_since.get();
        self.slot.served.metrics.recovered(self.latest - began);
        self.activated(None);
    }

    /// Ends the span of an activation, if there is one.
    fn activated(&mut self, error: Option<&'static str>) {
        let Slot { key, served, .. } = &*self.slot;
        let times = (self.slot.active_since.get().into_std(), self.latest.into_std());
        let context = std::mem::take(&mut self.activating);
        traced::activated(&context, &served.service, key, error, times);
    }

    /// The trace of the command in hand.
    fn trace_id(&self) -> Option<TraceId> {
        self.turn.as_ref()?.context().trace_id()
    }

    fn stopped(&mut self, reason: StopReason) {
        self.stream = None;
        if std::mem::take(&mut self.loading) {
            self.activated(Some("the entity could not be activated"));
        }
        let metrics = &self.slot.served.metrics;
        metrics
            .active
            .observe_time(self.slot.active_since.get().elapsed());
        metrics.passivated.inc();
        if reason == StopReason::Failed {
            metrics.failed.inc();
        }
    }

    fn answer(&mut self, waiter: Waiter, result: Result<Answer, TurnError>) {
        use cloudstate_protocol::client_action::Action::Failure;
        let metrics = &self.slot.served.metrics;
        let failed = !matches!(&result, Ok(answer) if !matches!(answer.action, Some(Failure(_))));
        if failed {
            metrics.failed_commands.inc();
        }
        metrics.completed.inc();
        let received = waiter.stash.as_ref().map_or(self.received, |stash| stash.since);
        metrics.total_time.observe_time(self.latest - received);
        if std::mem::take(&mut self.turning) {
            metrics.turn.observe_time(self.latest - self.began);
            self.limit_learns(&waiter);
        }
        if let Some(turn) = self.turn.take() {
            let times = (self.began.into_std(), self.latest.into_std());
            turn.end(&waiter.method, &self.slot.key, &result, times);
        }
        deliver(&self.core, waiter, result);
    }

    /// Tells the method's limit how long the function took.
    fn limit_learns(&mut self, waiter: &Waiter) {
        if let Some(took) = self.processed.take()
            && let Some(limit) = self.core.limit(&self.slot.served, &waiter.method)
        {
            limit.answered(took, self.latest);
        }
    }

    async fn open(&mut self) -> Input<K, Waiter> {
        self.slot.served.metrics.activated.inc();
        self.arm(self.core.options().turn_timeout);
        self.slot.active_since.set(self.latest);
        self.loading = true;
        if let Some(waiter) = self.slot.activation.borrow().next_caller()
            && waiter.context.sampled().is_some()
        {
            self.activating = waiter.context.clone();
        }
        match timeout_at(self.deadline, self.core.0.link.open(K::PATH)).await {
            Ok(Ok(stream)) => {
                self.stream = Some(Box::new(stream));
                Input::Opened
            }
            Ok(Err(error)) => Input::OpenFailed(error.to_string()),
            Err(_) => Input::TimedOut,
        }
    }

    /// Starts to read a part of the state; the store works on it from now on.
    fn begin_load(&mut self, what: K::Load) -> LocalBoxFuture<'static, Input<K, Waiter>> {
        // A long replay may take longer than a turn: each page has the time of one.
        self.deadline = Instant::now() + self.core.options().turn_timeout;
        let mut reading: LocalBoxFuture<'static, _> =
            Box::pin(read(self.core.clone(), self.slot.clone(), what));
        match reading.as_mut().now_or_never() {
            Some(read) => Box::pin(std::future::ready(read)),
            None => reading,
        }
    }

    /// Sends without waiting if the function's flow control leaves room, as it mostly does.
    async fn send(&mut self, message: &K::In) -> Result<(), Box<Input<K, Waiter>>> {
        let Some((sender, _)) = self.stream.as_deref_mut() else {
            return Err(Box::new(Input::Closed(None)));
        };
        match sender.try_send(message) {
            Ok(true) => Ok(()),
            // Boxed, as below: it is rare, and would take room in the task of every command.
            Ok(false) => Box::pin(self.send_when_ready(message)).await,
            Err(error) => Err(Box::new(Box::pin(self.last_words(&error)).await)),
        }
    }

    async fn send_when_ready(&mut self, message: &K::In) -> Result<(), Box<Input<K, Waiter>>> {
        let Some((sender, _)) = self.stream.as_deref_mut() else {
            return Err(Box::new(Input::Closed(None)));
        };
        match timeout_at(self.deadline.max(Instant::now()), sender.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Box::new(self.last_words(&error).await)),
            Err(_) => Err(Box::new(Input::TimedOut)),
        }
    }

    /// The function may have said why before it closed the stream.
    async fn last_words(&mut self, error: &cloudstate_function::Error) -> Input<K, Waiter> {
        let closed = || Input::Closed(Some(error.to_string()));
        let Some((_, receiver)) = self.stream.as_deref_mut() else {
            return closed();
        };
        match timeout_at(self.deadline, receiver.message::<K::Out>()).await {
            Ok(message) => received::<K>(message),
            Err(_) => closed(),
        }
    }

    async fn commit(&mut self, commit: K::Commit) -> Input<K, Waiter> {
        let Slot { key, served, .. } = &*self.slot;
        let write = K::write(key, commit);
        let persisted = Persisted::of(&write.change);
        let outcome = stored::outcome(self.core.0.shared.store.commit(write).await);
        let began = std::mem::replace(&mut self.latest, Instant::now());
        served.metrics.persisted(self.latest - began);
        persisted.count(&outcome, &served.metrics);
        if let Some(turn) = &self.turn {
            turn.committed(&outcome, began.into_std(), self.latest.into_std());
        }
        if matches!(&outcome, CommitOutcome::NotApplied { overloaded: true, .. }) {
            self.core.0.metrics.shed(Shed::StoreQueue);
        }
        Input::Committed(outcome)
    }
}

async fn read<K: Held>(core: Core, slot: Rc<Slot<K>>, what: K::Load) -> Input<K, Waiter> {
    let Slot { key, served, .. } = &*slot;
    let page = core.options().replay_page_bytes;
    match K::load(&core.0.shared.store, key, what, page, &served.metrics).await {
        Ok(part) => Input::Loaded(part),
        Err(error) => Input::LoadFailed(format!(
            "the state of entity [{}] cannot be read: {error}",
            key.entity_id()
        )),
    }
}
