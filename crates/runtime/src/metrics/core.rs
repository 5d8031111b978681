//! What is counted of a core, whatever the service.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use cloudstate_telemetry::{Count, Page};

use super::{Group, Metrics, ServiceMetrics};

/// Why a command was refused because of load, or because the proxy ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    /// Too many calls in progress.
    Calls,
    /// Too many bytes of calls in progress.
    Bytes,
    /// The proxy is shutting down.
    Draining,
    /// The way to the core of the entity is full.
    Handover,
    /// Too much waits for the entity.
    EntityQueue,
    /// Too many entities are active and none is idle.
    ActiveEntities,
    /// Too much waits for the store.
    StoreQueue,
    /// The function takes too long.
    Delay,
}

/// The label of each reason, in the order of [`Shed`].
const SHED_REASONS: [&str; 8] = [
    "max_in_flight",
    "max_queued_bytes",
    "draining",
    "handover_queue",
    "entity_queue",
    "max_active",
    "store_queue",
    "max_delay",
];

/// The cells of one core.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shed: [Count; SHED_REASONS.len()],
    /// Commands that came in on another core than that of their entity.
    pub(crate) handed_over: Count,
    pub(crate) forwards: Count,
    pub(crate) effects_awaited: Count,
    pub(crate) effects_started: Count,
    /// Effects that were not awaited and have ended.
    pub(crate) effects_ended: Count,
    pub(crate) effects_failed: Count,
    pub(crate) reports: Count,
}

impl Counters {
    /// Counts a refusal.
    pub(crate) fn shed(&self, why: Shed) {
        self.shed[why as usize].inc();
    }
}

/// A service, as its metrics name it.
type Service = (Group, Arc<str>);

/// The cells of one core, and those of its services. Belongs to the thread of the core.
#[derive(Debug)]
pub(crate) struct CoreMetrics {
    metrics: Metrics,
    counters: Arc<Counters>,
    services: RefCell<HashMap<Service, Arc<ServiceMetrics>>>,
}

impl CoreMetrics {
    pub(super) fn new(metrics: Metrics, counters: Arc<Counters>) -> Self {
        CoreMetrics {
            metrics,
            counters,
            services: RefCell::default(),
        }
    }

    /// This core's cells of a service; the same ones each time, so that a new declaration goes on counting.
    pub(crate) fn service(&self, group: Group, name: &Arc<str>) -> Arc<ServiceMetrics> {
        let add = || self.metrics.add_service(group, name);
        let mut services = self.services.borrow_mut();
        services.entry((group, name.clone())).or_insert_with(add).clone()
    }
}

impl Deref for CoreMetrics {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.counters
    }
}

/// Writes the metrics of all cores.
pub(super) fn write(page: &mut Page<'_>, cores: &[Arc<Counters>]) -> fmt::Result {
    let sum = |read: fn(&Counters) -> &Count| cores.iter().map(|core| read(core).get()).sum();
    let shed = |index: usize| cores.iter().map(|core| core.shed[index].get()).sum();
    page.counters(
        "cloudstate_runtime_shed_commands",
        "Commands refused because of load or shutdown, by the limit that was reached",
        SHED_REASONS
            .iter()
            .enumerate()
            .map(|(index, reason)| ([("reason", *reason)], shed(index))),
    )?;
    page.counter(
        "cloudstate_runtime_handed_over_commands",
        "Commands that came in on another core than that of their entity",
        sum(|core| &core.handed_over),
    )?;
    page.counter(
        "cloudstate_runtime_forwards",
        "Replies that were forwards",
        sum(|core| &core.forwards),
    )?;
    let (awaited, started) = (
        sum(|core| &core.effects_awaited),
        sum(|core| &core.effects_started),
    );
    page.counters(
        "cloudstate_runtime_side_effects",
        "Side effects begun; synchronous ones are awaited before the reply",
        [
            ([("synchronous", "true")], awaited),
            ([("synchronous", "false")], started),
        ],
    )?;
    page.counter(
        "cloudstate_runtime_failed_side_effects",
        "Side effects whose command failed",
        sum(|core| &core.effects_failed),
    )?;
    page.gauge(
        "cloudstate_runtime_side_effects_in_flight",
        "Side effects in progress that nobody awaits",
        started.saturating_sub(sum(|core| &core.effects_ended)),
    )?;
    page.counter(
        "cloudstate_runtime_error_reports",
        "Errors of the function that were reported to it",
        sum(|core| &core.reports),
    )
}
