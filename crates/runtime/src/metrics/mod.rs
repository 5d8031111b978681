//! Counters and times of entities and actions, under the names of the original where it has them.
//!
//! Each core has cells of its own for every service that it serves, and a scrape adds them up. What is open at a moment
//! is the difference of two counts, so that nothing is kept up to date for it.

mod core;
mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cloudstate_telemetry::Page;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

pub(crate) use self::core::{CoreMetrics, Shed};
pub(crate) use self::service::{Group, ServiceMetrics};
use crate::admission::Admission;

/// The metrics of the runtime, shared by all cores. Clones share the same numbers.
///
/// `cloudstate_eventsourced_*`, `cloudstate_valueentity_*`, `cloudstate_crdt_*` and `cloudstate_action_*` are about the services, by
/// `entity_name`: the persistence id, as in the original; of an action the service's name. `cloudstate_runtime_*` is
/// about all of them together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    shared: Arc<Shared>,
}

/// The cells of all cores for one service.
type Cells = Vec<Arc<ServiceMetrics>>;

#[derive(Debug, Default)]
struct Shared {
    services: Mutex<BTreeMap<(Group, Arc<str>), Cells>>,
    cores: Mutex<Vec<Arc<core::Counters>>>,
    admission: OnceLock<Arc<Admission>>,
}

impl Metrics {
    /// Adds them to what the admin port shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        registry.register_collector(Box::new(metrics.clone()));
        metrics
    }

    /// Shows what is admitted here.
    pub(crate) fn watch(&self, admission: &Arc<Admission>) {
        // Filled once, when the cores are made.
        let _ = self.shared.admission.set(admission.clone());
    }

    /// Cells for one more core.
    pub(crate) fn core(&self) -> CoreMetrics {
        let counters = Arc::default();
        lock(&self.shared.cores).push(Arc::clone(&counters));
        CoreMetrics::new(self.clone(), counters)
    }

    fn add_service(&self, group: Group, name: &Arc<str>) -> Arc<ServiceMetrics> {
        let cells = Arc::new(ServiceMetrics::new());
        lock(&self.shared.services)
            .entry((group, name.clone()))
            .or_default()
            .push(cells.clone());
        cells
    }
}

/// The cells stay meaningful whatever a panicking holder left, since each is one number.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::from(encoder);
        let services = lock(&self.shared.services).clone();
        for group in Group::ALL {
            let of_group = services.iter().filter(|((of, _), _)| *of == group);
            let of_group: Vec<_> = of_group.map(|((_, name), cells)| (&**name, &cells[..])).collect();
            service::write(&mut page, group, &of_group)?;
        }
        let cores = lock(&self.shared.cores).clone();
        core::write(&mut page, &cores)?;
        let Some(admission) = self.shared.admission.get() else {
            return Ok(());
        };
        page.gauge(
            "cloudstate_runtime_limited_methods",
            "Methods that the function does not keep up with, so that their commands are limited",
            admission.limits.in_force() as u64,
        )?;
        page.gauge(
            "cloudstate_runtime_calls_in_flight",
            "Calls of clients in progress",
            admission.in_flight() as u64,
        )?;
        page.gauge(
            "cloudstate_runtime_request_bytes_in_flight",
            "Bytes of the requests of calls in progress",
            admission.bytes_in_flight() as u64,
        )
    }
}
