//! After the commit: side effects in list order, then the answer for whoever waits.

use std::sync::Arc;

use cloudstate_catalog::Method;
use cloudstate_entity::{Answer, TurnError};
use cloudstate_protocol::SideEffect;
use futures_util::StreamExt;

use crate::context::{Context, How};
use crate::registry::Waiter;
use crate::traced::Following;
use crate::{CallError, Core, Replies};

/// Runs the effects of an answer, then sends it to its waiter. Effects run whether anybody waits or not: the command
/// has been executed.
pub(crate) fn deliver(core: &Core, waiter: Waiter, result: Result<Answer, TurnError>) {
    let Waiter {
        answer: channel,
        method,
        context,
        ..
    } = waiter;
    match result {
        Ok(mut answer) if !answer.side_effects.is_empty() => {
            let effects = std::mem::take(&mut answer.side_effects);
            answer.took_effect = true;
            let task = core.clone();
            core.0.tasks.spawn_local(async move {
                run_effects(&task, effects, &method, &context).await;
                // The caller may have gone; its command took effect all the same.
                let _ = channel.send(Ok(answer));
            });
        }
        // As above.
        result => drop(channel.send(result)),
    }
}

/// Runs effects in list order: a synchronous one is awaited, another only started. No effect fails its command.
pub(crate) async fn run_effects(
    core: &Core,
    effects: Vec<SideEffect>,
    method: &Arc<Method>,
    context: &Context,
) {
    for effect in effects {
        let context = context.followed(How::Effect, method);
        // Too many at once, and the command waits for its effect: slower, but nothing is lost or piles up.
        let wait = effect.synchronous || core.0.effects.get() >= core.options().max_effects;
        let metrics = &core.0.metrics;
        let begun = match effect.synchronous {
            true => &metrics.effects_awaited,
            false => &metrics.effects_started,
        };
        begun.inc();
        let synchronous = effect.synchronous;
        let run = run_effect(core.clone(), effect, context);
        if wait {
            run.await;
            if !synchronous {
                metrics.effects_ended.inc();
            }
        } else {
            let counted = Counted::new(core);
            core.0.tasks.spawn_local(async move {
                run.await;
                drop(counted);
            });
        }
    }
}

/// One asynchronous effect in progress.
struct Counted(Core);

impl Counted {
    fn new(core: &Core) -> Self {
        core.0.effects.set(core.0.effects.get() + 1);
        Counted(core.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.effects.set(self.0.0.effects.get() - 1);
        self.0.0.metrics.effects_ended.inc();
    }
}

async fn run_effect(core: Core, effect: SideEffect, context: Context) {
    let SideEffect {
        service_name,
        command_name,
        payload,
        metadata,
        ..
    } = effect;
    let target = (service_name, command_name);
    let mut following = Following::begin(&context, &target.0, &target.1);
    let trace_id = context.trace_id().map(tracing::field::display);
    let outcome = core
        .follow(&target.0, &target.1, payload, metadata, context)
        .await;
    following.outcome(&outcome);
    let outcome = match outcome {
        Ok(replies) => exhaust(replies).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        core.0.metrics.effects_failed.inc();
        tracing::warn!(service = %target.0, command = %target.1, trace_id, %error, "a side effect failed");
    }
}

/// Takes a result to its end and drops it.
async fn exhaust(replies: Replies) -> Result<(), CallError> {
    if let Replies::Stream(mut replies) = replies {
        while let Some(reply) = replies.next().await {
            reply?;
        }
    }
    Ok(())
}
