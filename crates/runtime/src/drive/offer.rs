//! Commands on their way in: to an entity that is there, to one that is made for them, or refused.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cloudstate_entity::{Action, Activation, Answer, Command, Identity, Input, Limits, TurnError};
use cloudstate_store::EntityKey;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::rest::passivate;
use super::{Actions, received, start};
use crate::Core;
use crate::context::Context;
use crate::core::Held;
use crate::deliver::deliver;
use crate::metrics::Shed;
use crate::registry::{Served, Slot, Stash, Waiter};
use crate::stored::Stored;

/// Gives a command to its entity, which is activated if need be.
pub(crate) fn offer<K: Held>(core: &Core, key: EntityKey, served: &Rc<Served>, mut command: Command<Waiter>) {
    served.metrics.received.inc();
    if let Some(limit) = core.limit(served, &command.caller.method) {
        if core.is_delayed(&limit, &command.caller.context) {
            let text = limit.refusal_text(core.options());
            return refuse(core, served, command, Shed::Delay, text);
        }
        command.caller.place = Some(limit.begin());
    }
    let entities = K::of(&core.0);
    let slot = match entities.registry.get(&key) {
        Some(slot) => slot,
        None => match make_room::<K>(core) {
            Ok(()) => {
                let slot = new_slot::<K>(core, key, served.clone());
                entities.registry.insert(slot.clone());
                slot
            }
            Err(error) => return refuse(core, served, command, Shed::ActiveEntities, error),
        },
    };
    if slot.driven.get() {
        command.caller.stash = Some(Box::new(Stash::begin(&served.metrics)));
        let mut actions = Vec::new();
        slot.activation
            .borrow_mut()
            .handle(Input::Command(command), &mut actions);
        // A driven entity only queues the command, or refuses it at once.
        for action in actions {
            if let Action::Answer(waiter, result) = action {
                shed(core, served, Shed::EntityQueue);
                deliver(core, waiter, result);
            }
        }
        return;
    }
    let mut actions = Vec::new();
    look_for_news(&slot, &mut actions);
    slot.activation
        .borrow_mut()
        .handle(Input::Command(command), &mut actions);
    start(core, slot, actions);
}

fn shed(core: &Core, served: &Served, why: Shed) {
    core.0.metrics.shed(why);
    served.metrics.failed_commands.inc();
    served.metrics.completed.inc();
}

fn refuse(core: &Core, served: &Served, command: Command<Waiter>, why: Shed, text: String) {
    shed(core, served, why);
    let refusal = TurnError::NotCommitted {
        reason: text,
        overloaded: true,
    };
    deliver(core, command.caller, Err(refusal));
}

/// Passivates an idle entity early when the core has its share of active ones.
fn make_room<K: Held>(core: &Core) -> Result<(), String> {
    let share = (core.options().max_active / core.cores()).max(1);
    if core.active() < share {
        return Ok(());
    }
    let entities = K::of(&core.0);
    match entities.passivation.evict() {
        Some(idle) => {
            passivate(core, &idle);
            Ok(())
        }
        None => Err(format!(
            "{share} entities are active on this core and none of them is idle, the limit"
        )),
    }
}

fn new_slot<K: Held>(core: &Core, key: EntityKey, served: Rc<Served>) -> Rc<Slot<K>> {
    let identity = Identity {
        service: served.service.name.clone(),
        entity_id: key.entity_id().clone(),
    };
    let (options, now) = (core.options(), Instant::now());
    let limits = Limits {
        queued_commands: options.queue_commands,
        queued_bytes: options.queue_bytes,
    };
    Rc::new(Slot {
        key,
        served,
        activation: RefCell::new(Activation::new(identity, K::new(), limits)),
        stream: RefCell::new(None),
        driven: Cell::new(false),
        active_since: Cell::new(now),
        idle_since: Cell::new(now),
        queued: Cell::new(false),
    })
}

/// An idle entity's stream is not read. Before it is used again, whatever came meanwhile is taken: so a stream that
/// the function closed long ago costs no command.
pub(super) fn look_for_news<K: Stored>(slot: &Rc<Slot<K>>, actions: &mut Actions<K>) {
    let mut stream = slot.stream.borrow_mut();
    let Some((_, receiver)) = stream.as_deref_mut() else {
        return;
    };
    let Some(news) = receiver.message::<K::Out>().now_or_never() else {
        return;
    };
    let mut activation = slot.activation.borrow_mut();
    activation.handle(received::<K>(news), actions);
}

/// A caller and where its answer arrives.
pub(crate) fn waiter(
    method: std::sync::Arc<cloudstate_catalog::Method>,
    context: Context,
) -> (Waiter, oneshot::Receiver<Result<Answer, TurnError>>) {
    let (answer, answered) = oneshot::channel();
    (
        Waiter {
            answer,
            method,
            context,
            place: None,
            stash: None,
        },
        answered,
    )
}
