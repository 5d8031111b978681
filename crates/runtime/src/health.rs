//! What is missing before this process is ready: shared by whoever serves, probes or composes it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Whether one part of the process is ready to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It serves.
    Ready,
    /// It does not, for this reason (one line, for an operator).
    NotReady(Arc<str>),
}

/// The parts of the process at one moment, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthReport {
    components: BTreeMap<Arc<str>, Readiness>,
}

impl HealthReport {
    /// Whether every component is ready. A process in which nothing reports is not ready yet.
    pub fn is_ready(&self) -> bool {
        !self.components.is_empty() && self.components.values().all(|state| *state == Readiness::Ready)
    }

    /// All components, sorted by name.
    pub fn components(&self) -> impl Iterator<Item = (&str, &Readiness)> {
        self.components.iter().map(|(name, state)| (&**name, state))
    }

    /// What is missing: name and reason, sorted by name.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.components().filter_map(|(name, state)| match state {
            Readiness::Ready => None,
            Readiness::NotReady(reason) => Some((name, &**reason)),
        })
    }
}

/// One line `<component>: <reason>` for each thing that is missing; empty when ready.
impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.components.is_empty() {
            return writeln!(f, "process: starting");
        }
        self.missing()
            .try_for_each(|(name, reason)| writeln!(f, "{name}: {reason}"))
    }
}

/// The health of the process. Clones share it; it may be used from any thread.
#[derive(Debug, Clone, Default)]
pub struct Health {
    report: Arc<watch::Sender<HealthReport>>,
}

impl Health {
    /// Health without components, hence not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a component, not ready for the given reason until it says otherwise. A name that is there already is
    /// taken over.
    pub fn component(&self, name: impl Into<Arc<str>>, reason: impl Into<Arc<str>>) -> Component {
        let component = Component {
            name: name.into(),
            health: self.clone(),
        };
        component.not_ready(reason);
        component
    }

    /// The state at this moment.
    pub fn report(&self) -> HealthReport {
        self.report.borrow().clone()
    }

    /// Whether every component is ready at this moment.
    pub fn is_ready(&self) -> bool {
        self.report.borrow().is_ready()
    }

    /// Follows the report. Only real changes wake the receiver.
    pub fn subscribe(&self) -> watch::Receiver<HealthReport> {
        self.report.subscribe()
    }
}

/// Reports the state of one component. Dropping it leaves the last state, so that a part that died stays visible.
#[derive(Debug)]
pub struct Component {
    name: Arc<str>,
    health: Health,
}

impl Component {
    /// The component serves.
    pub fn ready(&self) {
        self.set(Readiness::Ready);
    }

    /// The component does not serve, for this reason.
    pub fn not_ready(&self, reason: impl Into<Arc<str>>) {
        self.set(Readiness::NotReady(reason.into()));
    }

    fn set(&self, state: Readiness) {
        self.health.report.send_if_modified(|report| {
            let changed = report.components.get(&self.name) != Some(&state);
            if changed {
                report.components.insert(self.name.clone(), state);
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_components_is_not_ready() {
        assert!(!Health::new().is_ready());
        assert_eq!(Health::new().report().to_string(), "process: starting\n");
    }

    #[test]
    fn ready_means_every_component_is_ready() {
        let health = Health::new();
        let (store, function) = (
            health.component("store", "opening"),
            health.component("function", "not seen"),
        );
        store.ready();
        assert!(!health.is_ready());
        assert_eq!(health.report().to_string(), "function: not seen\n");
        function.ready();
        assert!(health.is_ready());
        store.not_ready("disk full");
        assert_eq!(
            health.report().missing().collect::<Vec<_>>(),
            [("store", "disk full")]
        );
    }

    #[test]
    fn the_same_state_again_wakes_nobody() {
        let health = Health::new();
        let store = health.component("store", "opening");
        let mut reports = health.subscribe();
        reports.mark_unchanged();
        store.not_ready("opening");
        assert!(!reports.has_changed().unwrap());
        store.ready();
        assert!(reports.has_changed().unwrap());
    }

    #[test]
    fn a_dropped_component_keeps_its_last_state() {
        let health = Health::new();
        health.component("store", "lock held by process 7");
        assert_eq!(health.report().to_string(), "store: lock held by process 7\n");
    }
}
