//! Carries out what an entity's machine decides.

use std::rc::Rc;

use cloudstate_entity::crdt::{Action, Call, Input, Operation};
use cloudstate_entity::{Answer, StopReason, TurnError};
use cloudstate_protocol::client_action::Action::Failure;
use cloudstate_protocol::crdt::{CrdtStreamIn, crdt_stream_in};
use cloudstate_replica::{Acknowledged, ShortOfConsistency};
use tokio::time::Instant;

use super::drive::feed;
use super::pump::{Element, Listener};
use super::slot::{Asked, Began, Slot};
use crate::Core;
use crate::deliver::{deliver, run_effects};
use crate::registry::Waiter;
use crate::traced;

/// Carries actions out in order.
pub(super) fn all(core: &Core, slot: &Rc<Slot>, actions: Vec<Action<Asked, Listener>>) {
    // Streams whose clients are too slow: the machine hears of them when all actions are done.
    let mut overrun = Vec::new();
    for action in actions {
        match action {
            Action::Open => open(slot),
            Action::Send(message) => send(slot, message),
            Action::Started(operation) => started(core, slot, operation),
            Action::Answer(asked, result, after) => answer(core, slot, asked, result, after),
            Action::Element {
                stream,
                result,
                after,
                last,
            } => {
                first_answer(slot, &stream, &result);
                let number = stream.push(core, Element { result, after, last });
                overrun.extend(number.err());
            }
            Action::Settle {
                stream,
                side_effects,
                after,
            } => {
                let answer = Answer {
                    side_effects,
                    ..Answer::default()
                };
                settle_unheard(core, slot, stream, answer, after);
            }
            Action::Report(text) => core.report(text, None),
            Action::Log(text) => {
                let (service, entity) = (&slot.served.service.name, slot.key.entity_id());
                tracing::error!(%service, %entity, "{text}");
            }
            Action::HalfClose => half_close(core, slot),
            Action::Reset => reset(slot),
            Action::Stop(reason) => stop(slot, reason),
        }
    }
    for number in overrun {
        feed(core, slot, Input::Cancelled(number));
    }
}

fn open(slot: &Slot) {
    slot.served.metrics.activated.inc();
    slot.active_since.set(Instant::now());
    slot.opening.set(true);
    let context = match slot.machine.borrow().next_caller() {
        Some(Call::Unary(asked)) => asked.waiter.context.clone(),
        Some(Call::Streamed(listener)) => listener.context().clone(),
        None => return,
    };
    slot.activating.replace(context);
}

fn send(slot: &Slot, message: CrdtStreamIn) {
    if matches!(message.message, Some(crdt_stream_in::Message::Delta(_))) {
        slot.served.metrics.deltas.inc();
    }
    let mut unsent = slot.unsent.borrow_mut();
    if unsent.is_empty()
        && let Some((sender, _)) = slot.stream.borrow_mut().as_deref_mut()
    {
        match sender.try_send(&message) {
            Ok(false) => {}
            // An error is told by the receiver, with its cause.
            Ok(true) | Err(_) => return,
        }
    }
    unsent.push_back(message);
}

/// Sends what was unsent, as far as there is room.
pub(super) fn flush(slot: &Slot) {
    let mut stream = slot.stream.borrow_mut();
    let Some((sender, _)) = stream.as_deref_mut() else {
        return;
    };
    let mut unsent = slot.unsent.borrow_mut();
    while let Some(message) = unsent.front() {
        match sender.try_send(message) {
            Ok(false) => return,
            Ok(true) => drop(unsent.pop_front()),
            Err(_) => unsent.clear(),
        }
    }
    if slot.finishing.take() {
        sender.finish();
    }
}

fn started(core: &Core, slot: &Slot, operation: Operation) {
    let is_cancellation = operation.is_cancellation();
    let deadlines = match is_cancellation {
        true => &slot.cancellations,
        false => &slot.commands,
    };
    let by = slot.time_for(core, is_cancellation);
    deadlines.borrow_mut().push(by, operation);
}

fn half_close(core: &Core, slot: &Slot) {
    slot.close_by
        .set(Some(Instant::now() + core.options().close_timeout));
    slot.finishing.set(true);
    flush(slot);
}

/// Dropping both halves resets the stream.
fn reset(slot: &Slot) {
    slot.stream.replace(None);
    slot.unsent.borrow_mut().clear();
    slot.finishing.set(false);
    slot.close_by.set(None);
    slot.commands.borrow_mut().clear();
    slot.cancellations.borrow_mut().clear();
}

fn stop(slot: &Slot, reason: StopReason) {
    reset(slot);
    let metrics = &slot.served.metrics;
    let active = slot.active_since.get().elapsed();
    metrics.active.observe_time(active);
    metrics.passivated.inc();
    if reason == StopReason::Failed {
        metrics.failed.inc();
    }
}

fn answer(
    core: &Core,
    slot: &Rc<Slot>,
    asked: Asked,
    result: Result<Answer, TurnError>,
    after: Acknowledged,
) {
    let Asked { mut waiter, began } = asked;
    leave_place(core, slot, &mut waiter, &began, &result);
    let Acknowledged::Later(later) = after else {
        answered(slot, &waiter.method, &began, &result);
        return deliver(core, waiter, result);
    };
    let (core, slot) = (core.clone(), slot.clone());
    core.clone().0.tasks.spawn_local(async move {
        let result = slot.acknowledged(later.await).and(result);
        answered(&slot, &waiter.method, &began, &result);
        deliver(&core, waiter, result);
    });
}

/// The function has answered, whatever is awaited for the client.
fn leave_place(
    core: &Core,
    slot: &Slot,
    waiter: &mut Waiter,
    began: &Began,
    result: &Result<Answer, TurnError>,
) {
    if waiter.place.take().is_some()
        && result.is_ok()
        && let Some(limit) = core.limit(&slot.served, &waiter.method)
    {
        let now = Instant::now();
        limit.answered(now - began.at, now);
    }
}

/// Runs the effects of something that nobody listens to any more.
pub(super) fn settle_unheard(
    core: &Core,
    slot: &Rc<Slot>,
    stream: Listener,
    answer: Answer,
    after: Acknowledged,
) {
    let (core, slot) = (core.clone(), slot.clone());
    core.clone().0.tasks.spawn_local(async move {
        if let Acknowledged::Later(later) = after
            && slot.acknowledged(later.await).is_err()
        {
            return;
        }
        run_effects(&core, answer.side_effects, stream.method(), stream.context()).await;
    });
}

/// The first answer of a streamed command is its reply.
fn first_answer(slot: &Slot, stream: &Listener, result: &Result<Answer, TurnError>) {
    if let Some(began) = stream.take_began() {
        answered(slot, stream.method(), &began, result);
    }
}

fn answered(
    slot: &Slot,
    method: &std::sync::Arc<cloudstate_catalog::Method>,
    began: &Began,
    result: &Result<Answer, TurnError>,
) {
    let (metrics, now) = (&slot.served.metrics, Instant::now());
    if !matches!(result, Ok(answer) if !matches!(answer.action, Some(Failure(_)))) {
        metrics.failed_commands.inc();
    }
    metrics.completed.inc();
    metrics.total_time.observe_time(now - began.at);
    if matches!(result, Ok(answer) if answer.took_effect) {
        metrics.changes.inc();
    }
    if let Some(turn) = &began.turn {
        let times = (began.at.into_std(), now.into_std());
        turn.end(method, &slot.key, result, times);
    }
}

impl Slot {
    /// What a client hears of a change that is not on as many members as was asked for. It stays, and spreads.
    pub(super) fn acknowledged(&self, outcome: Result<(), ShortOfConsistency>) -> Result<(), TurnError> {
        outcome.map_err(|_| {
            self.served.metrics.short_changes.inc();
            TurnError::EntityFailed(ShortOfConsistency::TEXT)
        })
    }

    /// The stream is there, or is not to be had.
    pub(super) fn activated(&self, error: Option<&'static str>) {
        let (began, now) = (self.active_since.get(), Instant::now());
        self.served.metrics.recovered(now - began);
        let context = self.activating.take();
        let times = (began.into_std(), now.into_std());
        traced::activated(&context, &self.served.service, &self.key, error, times);
    }
}
