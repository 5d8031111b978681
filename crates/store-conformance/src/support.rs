//! Short words for the cases.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{
    Backend, Change, EntityKey, Expected, Options, Outcome, Payload, Store, Write, block_on,
};

/// Makes an empty backend.
pub type Fresh<'a> = &'a dyn Fn() -> Arc<dyn Backend>;

/// Opens a store with few shards.
pub fn open(backend: &Arc<dyn Backend>) -> Store {
    open_with(backend, options())
}

pub(crate) fn options() -> Options {
    Options {
        shards: 8,
        ..Options::default()
    }
}

pub(crate) fn open_with(backend: &Arc<dyn Backend>, options: Options) -> Store {
    block_on(Store::open(Arc::clone(backend), options)).expect("the store opens")
}

/// An entity of one persistence id.
pub fn key(entity_id: &str) -> EntityKey {
    EntityKey::new("cart", entity_id).expect("a valid id")
}

/// A payload with this text.
pub fn event(text: impl Into<String>) -> Payload {
    Payload {
        type_url: "type.googleapis.com/test.Event".to_owned(),
        value: Bytes::from(text.into()),
    }
}

/// A commit of events after a sequence.
pub fn write_events(entity: &EntityKey, after: u64, events: Vec<Payload>) -> Write {
    let (expected, change) = (Expected::Sequence(after), Change::Events(events));
    Write {
        entity: entity.clone(),
        expected,
        change,
        idempotency: None,
    }
}

/// A put of a value.
pub fn put(entity: &EntityKey, version: Option<u64>, value: Payload) -> Write {
    let (expected, change) = (Expected::Version(version), Change::Put(value));
    Write {
        entity: entity.clone(),
        expected,
        change,
        idempotency: None,
    }
}

pub(crate) fn delete(entity: &EntityKey, version: Option<u64>) -> Write {
    let expected = Expected::Version(version);
    Write {
        entity: entity.clone(),
        expected,
        change: Change::Delete,
        idempotency: None,
    }
}

/// Commits and insists that it applies; answers the offset.
pub fn applied(store: &Store, write: Write) -> u64 {
    match block_on(store.commit(write)) {
        Outcome::Applied { offset } => offset,
        other => panic!("not applied: {other:?}"),
    }
}

pub(crate) fn outcome(store: &Store, write: Write) -> Outcome {
    block_on(store.commit(write))
}

/// Insists on an outcome.
macro_rules! assert_outcome {
    ($outcome:expr, $pattern:pat) => {{
        let outcome = $outcome;
        assert!(
            matches!(outcome, $pattern),
            "expected {}, was {outcome:?}",
            stringify!($pattern)
        );
    }};
}
pub(crate) use assert_outcome;

pub(crate) fn all_events(store: &Store, entity: &EntityKey) -> Vec<(u64, Payload)> {
    events_after(store, entity, 0)
}

pub(crate) fn events_after(store: &Store, entity: &EntityKey, after: u64) -> Vec<(u64, Payload)> {
    let mut events: Vec<(u64, Payload)> = Vec::new();
    loop {
        let from = events.last().map_or(after, |(sequence, _)| *sequence);
        let page = block_on(store.events(entity, from, 1 << 20)).expect("events are read");
        events.extend(page.events);
        if !page.more {
            return events;
        }
    }
}
