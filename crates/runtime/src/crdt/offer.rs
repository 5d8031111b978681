//! From a command to its entity.

use std::rc::Rc;

use cloudstate_entity::crdt::{Call, Input};
use cloudstate_entity::{Command, TurnError};
use cloudstate_store::EntityKey;
use tokio::time::Instant;

use super::drive::{feed, look_for_news, passivate, settle};
use super::pump::{Sink, listen};
use super::slot::{Asked, Began, Slot};
use crate::Core;
use crate::deliver::deliver;
use crate::metrics::Shed;
use crate::registry::{Served, Waiter};

/// Who wants a command, perhaps on another core.
pub(crate) type Wanted = Call<Waiter, Sink>;

/// Gives a command to its entity, which is activated if need be.
pub(crate) fn offer(core: &Core, key: EntityKey, served: &Rc<Served>, mut command: Command<Wanted>) {
    served.metrics.received.inc();
    if let Some(error) = take_place(core, served, &mut command.caller) {
        return refuse(core, served, command.caller, Shed::Delay, error);
    }
    let slot = match slot(core, key, served) {
        Ok(slot) => slot,
        Err(error) => return refuse(core, served, command.caller, Shed::ActiveEntities, error),
    };
    if !slot.driven.get() {
        look_for_news(core, &slot);
    }
    if let Some(error) = is_full(core, &slot) {
        return refuse(core, served, command.caller, Shed::EntityQueue, error);
    }
    let Command {
        caller,
        name,
        payload,
        metadata,
    } = command;
    let caller = match caller {
        Call::Unary(waiter) => Call::Unary(Asked {
            began: Began::now(&waiter.context),
            waiter,
        }),
        Call::Streamed(sink) => Call::Streamed(listen(core, &slot, sink)),
    };
    let command = Command {
        caller,
        name,
        payload,
        metadata,
    };
    feed(core, &slot, Input::Command(command));
    settle(core, &slot);
}

/// Takes a place among the commands of its method, unless it would wait too long in the function. Streams take none: how long
/// they stay says nothing about the function.
fn take_place(core: &Core, served: &Served, caller: &mut Wanted) -> Option<TurnError> {
    let Call::Unary(waiter) = caller else {
        return None;
    };
    let limit = core.limit(served, &waiter.method)?;
    if core.is_delayed(&limit, &waiter.context) {
        return Some(TurnError::NotCommitted {
            reason: limit.refusal_text(core.options()),
            overloaded: true,
        });
    }
    waiter.place = Some(limit.begin());
    None
}

fn slot(core: &Core, key: EntityKey, served: &Rc<Served>) -> Result<Rc<Slot>, TurnError> {
    let entities = &core.0.crdts;
    let instance = (served.service.name.clone(), key.entity_id().clone());
    if let Some(slot) = entities.get(&instance) {
        return Ok(slot);
    }
    make_room(core)?;
    let slot = Slot::new(core, key, served.clone());
    entities.insert(slot.clone());
    if core.0.draining.get() {
        feed(core, &slot, Input::Drain);
    }
    Ok(slot)
}

/// Passivates an idle entity early when the core has its share of active ones.
fn make_room(core: &Core) -> Result<(), TurnError> {
    let share = (core.options().max_active / core.cores()).max(1);
    if core.active() < share {
        return Ok(());
    }
    match core.0.crdts.passivation.evict() {
        Some(idle) => {
            passivate(core, &idle);
            Ok(())
        }
        None => Err(TurnError::NotCommitted {
            reason: format!("{share} entities are active on this core and none of them is idle, the limit"),
            overloaded: true,
        }),
    }
}

/// Whether the function takes its messages so slowly that no more may wait.
fn is_full(core: &Core, slot: &Slot) -> Option<TurnError> {
    let (limit, unsent) = (core.options().queue_commands, slot.unsent.borrow().len());
    (unsent >= limit).then(|| {
        TurnError::QueueFull(format!(
            "{limit} messages already wait for the function to take them for entity [{}], the limit of its queue",
            slot.key.entity_id()
        ))
    })
}

fn refuse(core: &Core, served: &Served, caller: Wanted, why: Shed, error: TurnError) {
    core.0.metrics.shed(why);
    served.metrics.failed_commands.inc();
    served.metrics.completed.inc();
    match caller {
        Call::Unary(waiter) => deliver(core, waiter, Err(error)),
        Call::Streamed(sink) => sink.refuse(core.turn_error(error)),
    }
}

impl Slot {
    /// The time for which the function may take to answer.
    pub(super) fn time_for(&self, core: &Core, is_cancellation: bool) -> Instant {
        let options = core.options();
        let time = match is_cancellation {
            true => options.close_timeout,
            false => options.turn_timeout,
        };
        Instant::now() + time
    }
}
