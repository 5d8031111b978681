//! How many commands of a method the delay of the function leaves room for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloudstate_telemetry::Page;

/// What stands for no limit.
const NONE: usize = usize::MAX;

/// The limit of one method on one core.
#[derive(Debug)]
pub(crate) struct LimitCell {
    service: Arc<str>,
    method: Arc<str>,
    limit: AtomicUsize,
}

impl LimitCell {
    pub(super) fn new(service: &Arc<str>, method: &Arc<str>) -> Self {
        LimitCell {
            service: service.clone(),
            method: method.clone(),
            limit: AtomicUsize::new(NONE),
        }
    }

    pub(crate) fn set(&self, limit: Option<usize>) {
        self.limit.store(limit.unwrap_or(NONE), Ordering::Relaxed);
    }
}

/// Writes the limits that are in force, those of all cores added up.
pub(super) fn write(page: &mut Page<'_>, cells: &[Arc<LimitCell>]) -> fmt::Result {
    let mut limits = BTreeMap::<(&str, &str), u64>::new();
    for cell in cells {
        let limit = cell.limit.load(Ordering::Relaxed);
        if limit != NONE {
            *limits.entry((&*cell.service, &*cell.method)).or_default() += limit as u64;
        }
    }
    page.gauges(
        "cloudstate_runtime_delay_limit",
        "Commands that may be in progress before they wait too long in the function; absent while it keeps up",
        limits
            .iter()
            .map(|((service, method), limit)| ([("service", *service), ("method", *method)], *limit)),
    )
}
