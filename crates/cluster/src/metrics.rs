//! What replication counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The cluster's metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(crate) members: Gauge,
    pub(crate) present: Gauge,
    pub(crate) current: Gauge,
    pub(crate) deltas: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) sent_bytes: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) digests: Counter,
    pub(crate) repairs: Counter,
    pub(crate) repaired_states: Counter,
    pub(crate) dropped: Counter,
    pub(crate) links: Gauge,
}

impl Metrics {
    /// Metrics, added to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let cluster = registry.sub_registry_with_prefix("cloudstate_cluster");
        let gauges = [
            (
                "members",
                "Members of the cluster, reachable or not",
                &metrics.members,
            ),
            (
                "members_present",
                "Members that answer, this one included",
                &metrics.present,
            ),
            (
                "current",
                "1 if this node counts for majorities: it has all that was acknowledged before",
                &metrics.current,
            ),
            (
                "writes_waiting",
                "Changes that wait for a majority or all",
                &metrics.waiting,
            ),
            ("links", "Links to other nodes that stand", &metrics.links),
        ];
        for (name, help, gauge) in gauges {
            cluster.register(name, help, gauge.clone());
        }
        let counters = [
            ("deltas_taken", "Changes taken from other nodes", &metrics.deltas),
            (
                "digests",
                "Comparisons with other nodes that began there or were completed here",
                &metrics.digests,
            ),
            (
                "repairs",
                "Messages of comparisons that found a difference",
                &metrics.repairs,
            ),
            (
                "states_repaired",
                "Replicas that other nodes sent here and that said something new",
                &metrics.repaired_states,
            ),
            (
                "dropped",
                "Times that changes did not fit a queue and were left to comparison",
                &metrics.dropped,
            ),
        ];
        for (name, help, counter) in counters {
            cluster.register(name, help, counter.clone());
        }
        let bytes = [
            (
                "sent",
                "Sent to other nodes, before encryption",
                &metrics.sent_bytes,
            ),
            (
                "received",
                "Received from other nodes, after decryption",
                &metrics.received_bytes,
            ),
        ];
        for (name, help, counter) in bytes {
            cluster.register_with_unit(name, help, Unit::Bytes, counter.clone());
        }
        metrics
    }

    pub(crate) fn repaired(&self, states: usize) {
        self.repaired_states.inc_by(states as u64);
    }
}
