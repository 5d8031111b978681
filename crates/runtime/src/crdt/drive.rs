//! The driver of an entity, and the ways in which others move it.

use std::future::{pending, poll_fn};
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudstate_entity::crdt::Input;
use cloudstate_protocol::crdt::CrdtStreamOut;
use cloudstate_protocol::names;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::pump::Listener;
use super::slot::{Asked, Overdue, Slot};
use super::{Key, perform};
use crate::Core;
use crate::core::Inner;

pub(super) type In = Input<Asked, Listener>;

/// Hands an input in and carries out what follows. [`settle`] comes after the last one.
pub(super) fn feed(core: &Core, slot: &Rc<Slot>, input: In) {
    let mut actions = Vec::new();
    slot.machine.borrow_mut().handle(input, now_ms(), &mut actions);
    perform::all(core, slot, actions);
}

/// Sees to it that the entity is driven, or rests, or is gone, as it needs.
pub(super) fn settle(core: &Core, slot: &Rc<Slot>) {
    if slot.driven.get() {
        slot.wake.notify_one();
    } else if slot.needs_driver() {
        slot.driven.set(true);
        // Boxed, so that a task is made and ended without moving all that driving holds.
        core.0
            .tasks
            .spawn_local(Box::pin(drive(core.clone(), slot.clone())));
    } else {
        rest(core, slot);
    }
}

fn rest(core: &Core, slot: &Rc<Slot>) {
    let entities = &core.0.crdts;
    if slot.machine.borrow().is_stopped() {
        entities.remove(slot);
    } else {
        slot.rests_now();
        entities.passivation.rest(slot, |after| watch(core, after));
    }
}

/// The wall clock, for the timestamps of registers.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Drives an entity until it needs no driver.
async fn drive(core: Core, slot: Rc<Slot>) {
    while slot.needs_driver() {
        if slot.opening.take() {
            let input = Box::pin(open(&core, &slot)).await;
            feed(&core, &slot, input);
            continue;
        }
        let deadline = slot.deadline();
        let over = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            input = message(&slot) => feed(&core, &slot, input),
            () = room(&slot) => perform::flush(&slot),
            () = slot.wake.notified() => {}
            () = over => time_is_over(&core, &slot),
        }
    }
    slot.driven.set(false);
    rest(&core, &slot);
}

/// Opens the stream and makes the replica ready, both at once.
async fn open(core: &Core, slot: &Rc<Slot>) -> In {
    let by = Instant::now() + core.options().turn_timeout;
    let first_use = slot.machine.borrow().replica().first_use();
    let ready = async {
        if let Some(ready) = first_use {
            ready.await;
        }
    };
    let opened = async { tokio::join!(core.0.link.open(names::CRDT_PATH), ready).0 };
    let outcome = timeout_at(by, opened).await;
    slot.activated(match &outcome {
        Ok(Ok(_)) => None,
        _ => Some("the entity could not be activated"),
    });
    match outcome {
        Ok(Ok(stream)) => {
            slot.stream.replace(Some(Box::new(stream)));
            Input::Opened
        }
        Ok(Err(error)) => Input::OpenFailed(error.to_string()),
        Err(_) => Input::TimedOut,
    }
}

/// The next message of the function. Never, while there is no stream. Cancel-safe.
async fn message(slot: &Slot) -> In {
    let message = poll_fn(|cx| match slot.stream.borrow_mut().as_deref_mut() {
        Some((_, receiver)) => receiver.poll_message::<CrdtStreamOut>(cx),
        None => Poll::Pending,
    });
    received(message.await)
}

fn received(message: Result<Option<CrdtStreamOut>, cloudstate_function::Error>) -> In {
    match message {
        Ok(Some(message)) => Input::Message(message),
        Ok(None) => Input::Closed(None),
        Err(error) if error.is_unreadable() => Input::Unreadable(error.to_string()),
        Err(error) => Input::Closed(Some(error.to_string())),
    }
}

/// Waits until the function takes what is unsent. Never, while nothing is. An error is told by the receiver. Cancel-safe.
async fn room(slot: &Slot) {
    poll_fn(|cx| match slot.stream.borrow_mut().as_deref_mut() {
        Some((sender, _)) if !slot.unsent.borrow().is_empty() => sender.poll_ready(cx).map(drop),
        _ => Poll::Pending,
    })
    .await;
}

fn time_is_over(core: &Core, slot: &Rc<Slot>) {
    match slot.overdue(Instant::now()) {
        Some(Overdue::Closing) => feed(core, slot, Input::TimedOut),
        Some(Overdue::Operation(operation)) => feed(core, slot, Input::Unanswered(operation)),
        None => {}
    }
}

/// An idle entity's stream is not read. Before it is used again, whatever came meanwhile is taken: so a stream that the
/// function closed long ago costs no command.
pub(super) fn look_for_news(core: &Core, slot: &Rc<Slot>) {
    if slot.stream.borrow().is_none() {
        return;
    }
    if let Some(news) = message(slot).now_or_never() {
        feed(core, slot, news);
    }
}

/// Tells instances that their replicas were changed. Ends with the core.
pub(crate) async fn follow_changes(inner: Weak<Inner>, mut changed: mpsc::UnboundedReceiver<Key>) {
    while let Some(key) = changed.recv().await {
        let Some(core) = inner.upgrade().map(Core) else {
            return;
        };
        if let Some(slot) = core.0.crdts.get(&key) {
            feed(&core, &slot, Input::Changed);
            settle(&core, &slot);
        }
    }
}

/// Starts the task that passivates entities of one passivation time.
fn watch(core: &Core, after: Duration) {
    let core = core.clone();
    tokio::task::spawn_local(async move {
        loop {
            let slot = core.0.crdts.passivation.due(after).await;
            passivate(&core, &slot);
        }
    });
}

/// Passivates an entity that is at rest.
pub(super) fn passivate(core: &Core, slot: &Rc<Slot>) {
    feed(core, slot, Input::Passivate);
    settle(core, slot);
}

/// Ends the streams of all entities and passivates them, those at work when they are done.
pub(crate) fn drain(core: &Core) {
    for slot in core.0.crdts.all() {
        feed(core, &slot, Input::Drain);
        settle(core, &slot);
    }
}

/// Drops entities at rest whose stream is gone with the function. Those at work notice by themselves.
pub(crate) fn drop_idle(core: &Core) {
    for slot in core.0.crdts.all() {
        if slot.driven.get() {
            continue;
        }
        let mut actions = Vec::new();
        let lost = Input::Closed(Some("the user function is gone".to_owned()));
        slot.machine.borrow_mut().handle(lost, now_ms(), &mut actions);
        // The loss is logged once, where it is noticed, and not for each entity.
        actions.retain(|action| !matches!(action, cloudstate_entity::crdt::Action::Log(_)));
        perform::all(core, &slot, actions);
        settle(core, &slot);
    }
}
