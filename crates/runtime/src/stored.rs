//! What the machines load and commit, in the words of the store.

use cloudstate_entity::{
    Append, CommitOutcome, EventSourced, Kind, Recover, Recovered, ValueEntity, Write as ValueWrite,
};
use cloudstate_protocol::{Any, names};
use cloudstate_store::{
    self as store, Change, EntityKey, Error, EventPage, Expected, Outcome, Payload, Recovery, Snapshot,
    Store, Write,
};
use prost::Message;

use crate::metrics::ServiceMetrics;

/// A kind of entity whose state is in the store.
pub(crate) trait Stored: Kind<In: Message, Out: Message + Default> + 'static {
    /// Path of the stream to the function.
    const PATH: &'static str;

    /// Reads a part of the state; pages are of about `page_bytes`.
    async fn load(
        store: &Store,
        key: &EntityKey,
        what: Self::Load,
        page_bytes: usize,
        metrics: &ServiceMetrics,
    ) -> Result<Self::Loaded, store::Error>;

    /// The write of a commit.
    fn write(key: &EntityKey, commit: Self::Commit, metrics: &ServiceMetrics) -> Write;

    /// Stores a snapshot without waiting.
    fn save_snapshot(store: &Store, key: &EntityKey, snapshot: Self::Snapshot, metrics: &ServiceMetrics);
}

impl Stored for EventSourced {
    const PATH: &'static str = names::EVENT_SOURCED_PATH;

    async fn load(
        store: &Store,
        key: &EntityKey,
        what: Recover,
        page_bytes: usize,
        metrics: &ServiceMetrics,
    ) -> Result<Recovered, store::Error> {
        match what {
            Recover::Beginning => {
                let Recovery { snapshot, page } = store.recovery(key, page_bytes).await?;
                if let Some(snapshot) = &snapshot {
                    metrics.snapshot_loaded(snapshot.payload.value.len());
                }
                let more = page.more;
                Ok(Recovered::Beginning {
                    snapshot: snapshot.map(|s| (s.sequence, any(s.payload))),
                    events: loaded(page, metrics),
                    more,
                })
            }
            Recover::EventsAfter(after) => {
                let page = store.events(key, after, page_bytes).await?;
                let more = page.more;
                Ok(Recovered::Events {
                    events: loaded(page, metrics),
                    more,
                })
            }
        }
    }

    fn write(key: &EntityKey, commit: Append, metrics: &ServiceMetrics) -> Write {
        metrics.events_persisted(
            commit.events.len(),
            commit.events.iter().map(|e| e.value.len()).sum(),
        );
        Write {
            entity: key.clone(),
            expected: Expected::Sequence(commit.expected),
            change: Change::Events(commit.events.into_iter().map(payload).collect()),
            idempotency: None,
        }
    }

    fn save_snapshot(
        store: &Store,
        key: &EntityKey,
        (sequence, snapshot): (u64, Any),
        metrics: &ServiceMetrics,
    ) {
        metrics.snapshot_persisted(snapshot.value.len());
        store.save_snapshot(
            key,
            Snapshot {
                sequence,
                payload: payload(snapshot),
            },
        );
    }
}

impl Stored for ValueEntity {
    const PATH: &'static str = names::VALUE_ENTITY_PATH;

    async fn load(
        store: &Store,
        key: &EntityKey,
        (): (),
        _page_bytes: usize,
        metrics: &ServiceMetrics,
    ) -> Result<Option<(u64, Any)>, store::Error> {
        Ok(store.value(key).await?.map(|stored| {
            metrics.value_loaded(stored.payload.value.len());
            (stored.version, any(stored.payload))
        }))
    }

    fn write(key: &EntityKey, commit: ValueWrite, metrics: &ServiceMetrics) -> Write {
        match &commit.value {
            Some(value) => metrics.value_persisted(value.value.len()),
            None => metrics.deleted_values.inc(),
        }
        Write {
            entity: key.clone(),
            expected: Expected::Version(commit.expected),
            change: commit
                .value
                .map_or(Change::Delete, |value| Change::Put(payload(value))),
            idempotency: None,
        }
    }

    fn save_snapshot(_: &Store, _: &EntityKey, snapshot: std::convert::Infallible, _: &ServiceMetrics) {
        match snapshot {}
    }
}

fn loaded(page: EventPage, metrics: &ServiceMetrics) -> Vec<(u64, Any)> {
    let bytes = page.events.iter().map(|(_, payload)| payload.value.len()).sum();
    metrics.events_loaded(page.events.len(), bytes);
    let events = page.events.into_iter();
    events
        .map(|(sequence, payload)| (sequence, any(payload)))
        .collect()
}

fn any(payload: Payload) -> Any {
    Any {
        type_url: payload.type_url,
        value: payload.value,
    }
}

fn payload(any: Any) -> Payload {
    Payload {
        type_url: any.type_url,
        value: any.value,
    }
}

/// The store's outcome in the words of the machines.
pub(crate) fn outcome(outcome: Outcome) -> CommitOutcome {
    match outcome {
        Outcome::Applied { offset } => CommitOutcome::Applied { offset },
        Outcome::Fenced => CommitOutcome::Fenced,
        Outcome::Conflict => CommitOutcome::Conflict,
        Outcome::Unknown => CommitOutcome::Unknown,
        Outcome::NotApplied(error) => CommitOutcome::NotApplied {
            reason: error.to_string(),
            overloaded: matches!(error, Error::Overloaded { .. }),
        },
    }
}
