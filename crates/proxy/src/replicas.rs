//! The replicas of CRDT entities, and what is counted of them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cloudstate_crdt::{Limits, NodeId};
use cloudstate_replica::{Alone, Replicas, Stats};
use cloudstate_telemetry::Page;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::config::Config;

/// The replicas of a proxy that is the only member. They end with it, so any identity will do.
pub(crate) fn alone(config: &Config) -> Arc<Replicas> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let generation = u64::try_from(started.as_millis()).unwrap_or_default();
    let limits = Limits {
        depth: config.crdt.max_depth,
        ..Limits::default()
    };
    Replicas::new(NodeId::new(0, generation), limits, Arc::new(Alone))
}

/// Counts the replicas when somebody asks for metrics.
#[derive(Debug)]
pub(crate) struct ReplicaMetrics(pub(crate) Arc<Replicas>);

impl Collector for ReplicaMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Stats { entities, deleted } = self.0.stats();
        let mut page = Page::from(encoder);
        page.gauge(
            "cloudstate_replica_entities",
            "CRDT entities in memory, active or not",
            entities as u64,
        )?;
        page.gauge(
            "cloudstate_replica_deleted_ids",
            "Ids of deleted CRDT entities, which are kept for ever",
            deleted as u64,
        )?;
        page.gauge(
            "cloudstate_replica_deleted_bytes",
            "Bytes of memory that the ids of deleted CRDT entities take at most",
            (deleted * Stats::DELETED_ID_BYTES) as u64,
        )
    }
}
