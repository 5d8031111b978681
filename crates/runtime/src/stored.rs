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
    fn write(key: &EntityKey, commit: Self::Commit) -> Write;

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
                    metrics.snapshot_loaded(size(&snapshot.payload));
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

    fn write(key: &EntityKey, commit: Append) -> Write {
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
        metrics.snapshot_persisted(snapshot.encoded_len());
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
            metrics.value_loaded(size(&stored.payload));
            (stored.version, any(stored.payload))
        }))
    }

    fn write(key: &EntityKey, commit: ValueWrite) -> Write {
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
    let bytes = page.events.iter().map(|(_, payload)| size(payload)).sum();
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

/// What a change leaves behind once it is durable, as it is counted then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persisted {
    Events { count: usize, bytes: usize },
    Value { bytes: usize },
    Deleted,
    Nothing,
}

impl Persisted {
    /// Of a change that is about to be written.
    pub(crate) fn of(change: &Change) -> Self {
        match change {
            Change::Events(events) => Persisted::Events {
                count: events.len(),
                bytes: events.iter().map(size).sum(),
            },
            Change::Put(value) => Persisted::Value { bytes: size(value) },
            Change::Delete => Persisted::Deleted,
            Change::None => Persisted::Nothing,
        }
    }

    /// Counts it, unless it is not durable.
    pub(crate) fn count(self, outcome: &CommitOutcome, metrics: &ServiceMetrics) {
        if !matches!(outcome, CommitOutcome::Applied { .. }) {
            return;
        }
        match self {
            Persisted::Events { count, bytes } => metrics.events_persisted(count, bytes),
            Persisted::Value { bytes } => metrics.value_persisted(bytes),
            Persisted::Deleted => metrics.deleted_values.inc(),
            Persisted::Nothing => {}
        }
    }
}

/// Bytes of the payload as the `Any` that the function sends, which is what the original counts.
fn size(payload: &Payload) -> usize {
    let field = |length: usize| match length {
        0 => 0,
        length => 1 + prost::length_delimiter_len(length) + length,
    };
    field(payload.type_url.len()) + field(payload.value.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn applied() -> CommitOutcome {
        CommitOutcome::Applied { offset: 1 }
    }

    #[test]
    fn a_payload_is_as_large_as_its_any() {
        for (type_url, bytes) in [
            ("", 0),
            ("t", 1),
            ("type.googleapis.com/a.B", 127),
            ("t", 128),
            ("", 70_000),
        ] {
            let any = Any {
                type_url: type_url.to_owned(),
                value: vec![7; bytes].into(),
            };
            assert_eq!(
                size(&payload(any.clone())),
                any.encoded_len(),
                "{type_url} {bytes}"
            );
        }
    }

    #[test]
    fn only_what_is_durable_is_counted() {
        let payload = || Payload {
            type_url: "t".to_owned(),
            value: vec![1, 2, 3].into(),
        };
        let changes = [
            Change::Events(vec![payload(), payload()]),
            Change::Put(payload()),
            Change::Delete,
            Change::None,
        ];
        let count = |outcome: &CommitOutcome| {
            let metrics = ServiceMetrics::new();
            for change in &changes {
                Persisted::of(change).count(outcome, &metrics);
            }
            [
                &metrics.persisted_events,
                &metrics.persisted_event_bytes,
                &metrics.persisted_values,
                &metrics.persisted_value_bytes,
                &metrics.deleted_values,
            ]
            .map(cloudstate_telemetry::Count::get)
        };
        assert_eq!(count(&applied()), [2, 16, 1, 8, 1]);
        let refused = CommitOutcome::NotApplied {
            reason: "full".to_owned(),
            overloaded: true,
        };
        for outcome in [
            CommitOutcome::Fenced,
            CommitOutcome::Conflict,
            CommitOutcome::Unknown,
            refused,
        ] {
            assert_eq!(count(&outcome), [0; 5], "{outcome:?}");
        }
    }
}
