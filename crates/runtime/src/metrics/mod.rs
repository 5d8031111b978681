//! Counters and times of the entities, under the names of the original where it has them.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// `entity_name` is the persistence id, as in the original.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    entity_name: String,
}

type Times = Family<Labels, Histogram, fn() -> Histogram>;

fn times() -> Histogram {
    const BUCKETS: [f64; 17] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
        10.0,
    ];
    Histogram::new(BUCKETS)
}

macro_rules! families {
    ($($(#[doc = $help:literal])+ $name:ident: $family:ty = $new:expr;)*) => {
        #[derive(Debug, Clone)]
        struct Families {
            $($name: $family,)*
        }

        impl Families {
            fn register(registry: &mut Registry) -> Self {
                let families = Families { $($name: $new,)* };
                $(registry.register(stringify!($name), concat!($($help),+).trim_start(), families.$name.clone());)*
                families
            }
        }
    };
}

families! {
    /// Activations, each restart included
    activated_entities: Family<Labels, Counter> = Family::default();
    /// Activations that ended, for any reason
    passivated_entities: Family<Labels, Counter> = Family::default();
    /// Activations that ended by a failure of the function, the stream or the store
    failed_entities: Family<Labels, Counter> = Family::default();
    /// Commands received
    received_commands: Family<Labels, Counter> = Family::default();
    /// Commands that had to wait for another one
    stashed_commands: Family<Labels, Counter> = Family::default();
    /// Commands answered
    completed_commands: Family<Labels, Counter> = Family::default();
    /// Commands that the function failed, or that failed with their activation
    failed_commands: Family<Labels, Counter> = Family::default();
    /// Events stored
    persisted_events: Family<Labels, Counter> = Family::default();
    /// Bytes of events stored
    persisted_event_bytes: Family<Labels, Counter> = Family::default();
    /// Events replayed
    loaded_events: Family<Labels, Counter> = Family::default();
    /// Bytes of events replayed
    loaded_event_bytes: Family<Labels, Counter> = Family::default();
    /// Snapshots stored
    persisted_snapshots: Family<Labels, Counter> = Family::default();
    /// Bytes of snapshots stored
    persisted_snapshot_bytes: Family<Labels, Counter> = Family::default();
    /// Snapshots loaded
    loaded_snapshots: Family<Labels, Counter> = Family::default();
    /// Bytes of snapshots loaded
    loaded_snapshot_bytes: Family<Labels, Counter> = Family::default();
    /// Seconds from activation until the state was replayed
    recovery_time_seconds: Times = Family::new_with_constructor(times);
    /// Seconds from sending a command to the function until its answer
    command_processing_time_seconds: Times = Family::new_with_constructor(times);
    /// Seconds until a change was durable
    persist_time_seconds: Times = Family::new_with_constructor(times);
}

/// The metrics of all services, in two groups: `cloudstate_eventsourced_*` and `cloudstate_valueentity_*`.
#[derive(Debug, Clone)]
pub struct Metrics {
    event_sourced: Families,
    values: Families,
}

impl Metrics {
    /// Registers all families.
    pub fn register(registry: &mut Registry) -> Self {
        let event_sourced = Families::register(registry.sub_registry_with_prefix("cloudstate_eventsourced"));
        let values = Families::register(registry.sub_registry_with_prefix("cloudstate_valueentity"));
        Metrics {
            event_sourced,
            values,
        }
    }

    /// The metrics of one service, resolved once.
    pub(crate) fn service(&self, event_sourced: bool, persistence_id: &str) -> Arc<ServiceMetrics> {
        let families = if event_sourced {
            &self.event_sourced
        } else {
            &self.values
        };
        Arc::new(ServiceMetrics::of(
            families,
            &Labels {
                entity_name: persistence_id.to_owned(),
            },
        ))
    }
}

/// The metrics of one service.
#[derive(Debug)]
pub(crate) struct ServiceMetrics {
    pub(crate) activated: Counter,
    pub(crate) passivated: Counter,
    pub(crate) failed: Counter,
    pub(crate) received: Counter,
    pub(crate) stashed: Counter,
    pub(crate) completed: Counter,
    pub(crate) failed_commands: Counter,
    persisted_events: Counter,
    persisted_event_bytes: Counter,
    loaded_events: Counter,
    loaded_event_bytes: Counter,
    persisted_snapshots: Counter,
    persisted_snapshot_bytes: Counter,
    loaded_snapshots: Counter,
    loaded_snapshot_bytes: Counter,
    recovery: Histogram,
    processing: Histogram,
    persist: Histogram,
}

impl ServiceMetrics {
    fn of(families: &Families, labels: &Labels) -> Self {
        let counter = |family: &Family<Labels, Counter>| family.get_or_create(labels).clone();
        let histogram = |family: &Times| family.get_or_create(labels).clone();
        ServiceMetrics {
            activated: counter(&families.activated_entities),
            passivated: counter(&families.passivated_entities),
            failed: counter(&families.failed_entities),
            received: counter(&families.received_commands),
            stashed: counter(&families.stashed_commands),
            completed: counter(&families.completed_commands),
            failed_commands: counter(&families.failed_commands),
            persisted_events: counter(&families.persisted_events),
            persisted_event_bytes: counter(&families.persisted_event_bytes),
            loaded_events: counter(&families.loaded_events),
            loaded_event_bytes: counter(&families.loaded_event_bytes),
            persisted_snapshots: counter(&families.persisted_snapshots),
            persisted_snapshot_bytes: counter(&families.persisted_snapshot_bytes),
            loaded_snapshots: counter(&families.loaded_snapshots),
            loaded_snapshot_bytes: counter(&families.loaded_snapshot_bytes),
            recovery: histogram(&families.recovery_time_seconds),
            processing: histogram(&families.command_processing_time_seconds),
            persist: histogram(&families.persist_time_seconds),
        }
    }

    pub(crate) fn events_persisted(&self, count: usize, bytes: usize) {
        self.persisted_events.inc_by(count as u64);
        self.persisted_event_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn events_loaded(&self, count: usize, bytes: usize) {
        self.loaded_events.inc_by(count as u64);
        self.loaded_event_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn snapshot_persisted(&self, bytes: usize) {
        self.persisted_snapshots.inc();
        self.persisted_snapshot_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn snapshot_loaded(&self, bytes: usize) {
        self.loaded_snapshots.inc();
        self.loaded_snapshot_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn recovered(&self, after: Duration) {
        self.recovery.observe(after.as_secs_f64());
    }

    pub(crate) fn processed(&self, after: Duration) {
        self.processing.observe(after.as_secs_f64());
    }

    pub(crate) fn persisted(&self, after: Duration) {
        self.persist.observe(after.as_secs_f64());
    }
}
