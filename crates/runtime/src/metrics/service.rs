//! What is counted of one service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_telemetry::{Count, Histogram, Page, TIMES_US, Totals, Unit};

/// Services that have the same metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Group {
    EventSourced,
    Value,
    Crdt,
    Action,
}

use Group::{Action, Crdt, EventSourced, Value};

impl Group {
    pub(super) const ALL: [Group; 4] = [EventSourced, Value, Crdt, Action];

    fn prefix(self) -> &'static str {
        match self {
            EventSourced => "cloudstate_eventsourced",
            Value => "cloudstate_valueentity",
            Crdt => "cloudstate_crdt",
            Action => "cloudstate_action",
        }
    }
}

const EVENTS: &[Group] = &[EventSourced];
const VALUES: &[Group] = &[Value];
const STORED: &[Group] = &[EventSourced, Value];
const CRDTS: &[Group] = &[Crdt];
const ENTITIES: &[Group] = &[EventSourced, Value, Crdt];
const CALLS: &[Group] = &[EventSourced, Value, Action];
const SERVICES: &[Group] = &[EventSourced, Value, Crdt, Action];

/// Upper bounds for the life of an activation, in microseconds: from a second to a day.
const LIVES_US: &[u64] = &[
    1_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
];

/// A kind of cell, as it is shown.
struct Shown<T> {
    name: &'static str,
    help: &'static str,
    groups: &'static [Group],
    read: fn(&ServiceMetrics) -> &T,
}

macro_rules! cells {
    (
        counts {$( $(#[doc = $count_help:literal])+ $count:ident: $count_name:literal of $count_groups:ident; )*}
        times {$( $(#[doc = $time_help:literal])+ $time:ident: $time_name:literal of $time_groups:ident in $bounds:expr; )*}
    ) => {
        /// The cells of one service on one core.
        #[derive(Debug)]
        pub(crate) struct ServiceMetrics {
            $( $(#[doc = $count_help])+ pub(crate) $count: Count, )*
            $( $(#[doc = $time_help])+ pub(crate) $time: Histogram, )*
        }

        impl ServiceMetrics {
            pub(crate) fn new() -> Self {
                ServiceMetrics {
                    $( $count: Count::default(), )*
                    $( $time: Histogram::new($bounds), )*
                }
            }
        }

        const COUNTS: &[Shown<Count>] = &[$( Shown {
            name: $count_name,
            help: concat!($($count_help),+),
            groups: $count_groups,
            read: |cells| &cells.$count,
        }, )*];

        const TIMES: &[Shown<Histogram>] = &[$( Shown {
            name: $time_name,
            help: concat!($($time_help),+),
            groups: $time_groups,
            read: |cells| &cells.$time,
        }, )*];
    };
}

cells! {
    counts {
        /// Commands received
        received: "received_commands" of SERVICES;
        /// Commands answered, by whatever answer
        completed: "completed_commands" of SERVICES;
        /// Commands that the function failed, or that failed with their activation
        failed_commands: "failed_commands" of SERVICES;
        /// Activations, each restart included
        activated: "activated_entities" of ENTITIES;
        /// Activations that ended, for any reason
        passivated: "passivated_entities" of ENTITIES;
        /// Activations that ended by a failure of the function, the stream or the store
        failed: "failed_entities" of ENTITIES;
        /// Commands that had to wait for another one
        stashed: "stashed_commands" of STORED;
        /// Commands that waited and do no more
        unstashed: "unstashed_commands" of STORED;
        /// Events stored
        persisted_events: "persisted_events" of EVENTS;
        /// Bytes of events stored
        persisted_event_bytes: "persisted_event_bytes" of EVENTS;
        /// Events replayed
        loaded_events: "loaded_events" of EVENTS;
        /// Bytes of events replayed
        loaded_event_bytes: "loaded_event_bytes" of EVENTS;
        /// Snapshots stored
        persisted_snapshots: "persisted_snapshots" of EVENTS;
        /// Bytes of snapshots stored
        persisted_snapshot_bytes: "persisted_snapshot_bytes" of EVENTS;
        /// Snapshots loaded
        loaded_snapshots: "loaded_snapshots" of EVENTS;
        /// Bytes of snapshots loaded
        loaded_snapshot_bytes: "loaded_snapshot_bytes" of EVENTS;
        /// Values stored
        persisted_values: "persisted_values" of VALUES;
        /// Bytes of values stored
        persisted_value_bytes: "persisted_value_bytes" of VALUES;
        /// Values deleted
        deleted_values: "deleted_values" of VALUES;
        /// Values loaded
        loaded_values: "loaded_values" of VALUES;
        /// Bytes of values loaded
        loaded_value_bytes: "loaded_value_bytes" of VALUES;
        /// Commands that changed or deleted their entity
        changes: "changes" of CRDTS;
        /// Changes that did not reach as many members as they asked for in time
        short_changes: "short_changes" of CRDTS;
        /// Deltas sent to the function, for what others changed
        deltas: "deltas" of CRDTS;
        /// Streams of streamed commands begun
        streams_begun: "begun_streams" of CRDTS;
        /// Streams of streamed commands ended
        streams_ended: "ended_streams" of CRDTS;
    }
    times {
        /// Seconds from receiving a command until it was answered, without its effects and forward
        total_time: "command_total_time_seconds" of ENTITIES in TIMES_US;
        /// Seconds that a command waited for others
        stash_time: "command_stash_time_seconds" of STORED in TIMES_US;
        /// Seconds from sending a command to the function until its answer
        processing: "command_processing_time_seconds" of CALLS in TIMES_US;
        /// Seconds from sending a command to the function until its change was durable
        turn: "turn_time_seconds" of STORED in TIMES_US;
        /// Seconds until a change was durable
        persist: "persist_time_seconds" of STORED in TIMES_US;
        /// Seconds from activation until the state was there
        recovery: "recovery_time_seconds" of ENTITIES in TIMES_US;
        /// Seconds that an activation lived
        active: "entity_active_time_seconds" of ENTITIES in LIVES_US;
    }
}

impl ServiceMetrics {
    pub(crate) fn recovered(&self, after: Duration) {
        self.recovery.observe_time(after);
    }

    pub(crate) fn processed(&self, after: Duration) {
        self.processing.observe_time(after);
    }

    pub(crate) fn persisted(&self, after: Duration) {
        self.persist.observe_time(after);
    }

    pub(crate) fn events_persisted(&self, count: usize, bytes: usize) {
        self.persisted_events.add(count as u64);
        self.persisted_event_bytes.add(bytes as u64);
    }

    pub(crate) fn events_loaded(&self, count: usize, bytes: usize) {
        self.loaded_events.add(count as u64);
        self.loaded_event_bytes.add(bytes as u64);
    }

    pub(crate) fn snapshot_persisted(&self, bytes: usize) {
        self.persisted_snapshots.inc();
        self.persisted_snapshot_bytes.add(bytes as u64);
    }

    pub(crate) fn snapshot_loaded(&self, bytes: usize) {
        self.loaded_snapshots.inc();
        self.loaded_snapshot_bytes.add(bytes as u64);
    }

    pub(crate) fn value_persisted(&self, bytes: usize) {
        self.persisted_values.inc();
        self.persisted_value_bytes.add(bytes as u64);
    }

    pub(crate) fn value_loaded(&self, bytes: usize) {
        self.loaded_values.inc();
        self.loaded_value_bytes.add(bytes as u64);
    }
}

/// A service: its name, and its cells on all cores.
pub(super) type Service<'a> = (&'a str, &'a [Arc<ServiceMetrics>]);

/// Writes the metrics of a group.
pub(super) fn write(page: &mut Page<'_>, group: Group, services: &[Service<'_>]) -> fmt::Result {
    for shown in COUNTS.iter().filter(|shown| shown.groups.contains(&group)) {
        let counts = services
            .iter()
            .map(|(name, cells)| (label(name), sum(cells, shown.read)));
        page.counters(&shown.name(group), shown.help(), counts)?;
    }
    for shown in TIMES.iter().filter(|shown| shown.groups.contains(&group)) {
        let totals =
            |cells: &[Arc<ServiceMetrics>]| Totals::of(cells.iter().map(|cells| (shown.read)(cells)));
        let times = services.iter().map(|(name, cells)| (label(name), totals(cells)));
        page.histograms(&shown.name(group), shown.help(), Unit::Microseconds, times)?;
    }
    for gauge in GAUGES.iter().filter(|gauge| gauge.groups.contains(&group)) {
        // What ended is read first, so that what begins meanwhile never makes the difference negative.
        let differences = services.iter().map(|(name, cells)| {
            let ended = sum(cells, gauge.ended);
            (label(name), sum(cells, gauge.begun).saturating_sub(ended))
        });
        let name = format!("{}_{}", group.prefix(), gauge.name);
        page.gauges(&name, gauge.help, differences)?;
    }
    Ok(())
}

fn label(name: &str) -> [(&str, &str); 1] {
    [("entity_name", name)]
}

fn sum(cells: &[Arc<ServiceMetrics>], read: fn(&ServiceMetrics) -> &Count) -> u64 {
    cells.iter().map(|cells| read(cells).get()).sum()
}

impl<T> Shown<T> {
    fn name(&self, group: Group) -> String {
        format!("{}_{}", group.prefix(), self.name)
    }

    fn help(&self) -> &'static str {
        self.help.trim_start()
    }
}

/// What began and has not ended.
struct Gauge {
    name: &'static str,
    help: &'static str,
    groups: &'static [Group],
    begun: fn(&ServiceMetrics) -> &Count,
    ended: fn(&ServiceMetrics) -> &Count,
}

const GAUGES: &[Gauge] = &[
    Gauge {
        name: "active_entities",
        help: "Entities active now",
        groups: ENTITIES,
        begun: |cells| &cells.activated,
        ended: |cells| &cells.passivated,
    },
    Gauge {
        name: "queued_commands",
        help: "Commands that wait for another one now",
        groups: STORED,
        begun: |cells| &cells.stashed,
        ended: |cells| &cells.unstashed,
    },
    Gauge {
        name: "active_streams",
        help: "Streams of streamed commands now",
        groups: CRDTS,
        begun: |cells| &cells.streams_begun,
        ended: |cells| &cells.streams_ended,
    },
];
