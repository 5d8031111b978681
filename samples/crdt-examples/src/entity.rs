//! What the commands do. Each asks the state for the type that it works on.

use cloudstate_sdk::crdt::{Context, Next, Streamed, Untyped, Vote};
use cloudstate_sdk::{Any, Failure, Payload, Raw, Reply};

use crate::proto::com::example::crdts::{
    CounterValue, Get, MutateSet, OnlineStatus, SetSize, SetValue, SomeValue, UpdateCounter, User,
    crdt_example::CrdtEntity,
};

/// Handles the commands of every entity.
pub(crate) struct CrdtExampleEntity;

impl CrdtEntity for CrdtExampleEntity {
    type State = Untyped;

    fn increment_g_counter(
        &self,
        command: UpdateCounter,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<CounterValue>, Failure> {
        let by = u64::try_from(command.value).map_err(|_| "Cannot decrement gcounter")?;
        counted(state.gcounter()?.increment(by)?.cast_signed())
    }

    fn get_g_counter(
        &self,
        _: Get,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<CounterValue>, Failure> {
        counted(state.gcounter()?.value().cast_signed())
    }

    fn update_pn_counter(
        &self,
        command: UpdateCounter,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<CounterValue>, Failure> {
        counted(state.pncounter()?.add(command.value)?)
    }

    fn get_pn_counter(
        &self,
        _: Get,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<CounterValue>, Failure> {
        counted(state.pncounter()?.value())
    }

    fn mutate_g_set(
        &self,
        command: MutateSet,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<SetSize>, Failure> {
        if command.clear || !command.remove.is_empty() {
            return Err("Cannot remove from a gset".into());
        }
        let set = state.gset()?;
        for item in command.add {
            set.add(raw(&item));
        }
        sized(set.len())
    }

    fn get_g_set(&self, _: Get, state: &mut Untyped, _: &mut Context) -> Result<Reply<SetValue>, Failure> {
        items(state.gset()?.iter())
    }

    fn mutate_or_set(
        &self,
        command: MutateSet,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Reply<SetSize>, Failure> {
        let set = state.orset()?;
        if command.clear {
            set.clear();
        }
        for item in command.remove {
            set.remove(&raw(&item));
        }
        for item in command.add {
            set.add(raw(&item));
        }
        sized(set.len())
    }

    fn get_or_set(&self, _: Get, state: &mut Untyped, _: &mut Context) -> Result<Reply<SetValue>, Failure> {
        items(state.orset()?.iter())
    }

    /// Each node votes whether the user is connected to it. The first connection votes yes, the end of the last one no.
    fn connect(
        &self,
        _: User,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Streamed<Untyped, ()>, Failure> {
        state.vote()?.vote(true);
        Ok(Streamed::new().on_cancel(|state: &mut Untyped, ctx| {
            if let (0, Ok(vote)) = (ctx.other_streams(), state.vote()) {
                vote.vote(false);
            }
        }))
    }

    fn monitor(
        &self,
        _: User,
        state: &mut Untyped,
        _: &mut Context,
    ) -> Result<Streamed<Untyped, OnlineStatus>, Failure> {
        let mut online = state.vote()?.is_at_least_one();
        let stream = Streamed::new().first(OnlineStatus { online });
        Ok(stream.on_change(move |state: &Untyped| {
            let now = state.as_vote().is_some_and(Vote::is_at_least_one);
            match std::mem::replace(&mut online, now) == now {
                true => Next::Silent,
                false => Next::send(OnlineStatus { online: now }),
            }
        }))
    }
}

/// A message as an element: compared by its bytes.
fn raw(item: &SomeValue) -> Raw {
    Raw(Any::pack(item))
}

fn counted(value: i64) -> Result<Reply<CounterValue>, Failure> {
    Ok(CounterValue { value }.into())
}

fn sized(size: usize) -> Result<Reply<SetSize>, Failure> {
    let size = i32::try_from(size).unwrap_or(i32::MAX);
    Ok(SetSize { size }.into())
}

fn items<'a>(elements: impl Iterator<Item = &'a Raw>) -> Result<Reply<SetValue>, Failure> {
    let items = elements
        .map(|Raw(any)| SomeValue::from_any(any))
        .collect::<Result<_, _>>();
    let items = items.map_err(|error| Failure::new(error.to_string()))?;
    Ok(SetValue { items }.into())
}

#[cfg(test)]
mod tests;
