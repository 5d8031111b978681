//! Entities that no task drives: passivated when their time has come, at shutdown, and when the function has gone.

use std::rc::Rc;
use std::time::Duration;

use cloudstate_entity::{Action, Input};

use super::start;
use crate::Core;
use crate::core::Held;
use crate::registry::{Slot, Waiter};

/// Starts the task that passivates entities of one passivation time.
pub(super) fn watch<K: Held>(core: &Core, after: Duration) {
    let core = core.clone();
    tokio::task::spawn_local(async move {
        loop {
            let slot = K::of(&core.0).passivation.due(after).await;
            passivate(&core, &slot);
        }
    });
}

/// Passivates an entity that is at rest.
pub(super) fn passivate<K: Held>(core: &Core, slot: &Rc<Slot<K>>) {
    nudge(core, slot, Input::Passivate);
}

/// Feeds an input to an entity that no task drives.
fn nudge<K: Held>(core: &Core, slot: &Rc<Slot<K>>, input: Input<K, Waiter>) {
    if slot.driven.get() {
        return;
    }
    let mut actions = Vec::new();
    slot.activation.borrow_mut().handle(input, &mut actions);
    if !actions.is_empty() {
        start(core, slot.clone(), actions);
    }
}

/// Passivates every entity, those at work when they are done.
pub(crate) fn drain<K: Held>(core: &Core) {
    for slot in K::of(&core.0).registry.all() {
        if slot.driven.get() {
            let mut actions = Vec::new();
            slot.activation.borrow_mut().handle(Input::Drain, &mut actions);
        } else {
            nudge(core, &slot, Input::Drain);
        }
    }
}

/// Drops entities at rest whose stream is gone with the function. Those at work notice by themselves.
pub(crate) fn drop_idle<K: Held>(core: &Core) {
    for slot in K::of(&core.0).registry.all() {
        if slot.driven.get() {
            continue;
        }
        let mut actions = Vec::new();
        let lost = Input::Closed(Some("the user function is gone".to_owned()));
        slot.activation.borrow_mut().handle(lost, &mut actions);
        // The loss is logged once, where it is noticed, and not for each of a hundred thousand entities.
        actions.retain(|action| !matches!(action, Action::Log(_)));
        start(core, slot, actions);
    }
}
