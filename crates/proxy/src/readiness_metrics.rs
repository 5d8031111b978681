//! What `/ready` says, as a metric.

use std::fmt;

use cloudstate_runtime::{Health, Readiness};
use cloudstate_telemetry::Page;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Shows the parts of the process, each ready or not.
#[derive(Debug)]
pub(crate) struct ReadinessMetrics(pub(crate) Health);

impl Collector for ReadinessMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let report = self.0.report();
        let parts = report
            .components()
            .map(|(name, state)| ([("component", name)], u64::from(*state == Readiness::Ready)));
        Page::from(encoder).gauges(
            "cloudstate_ready",
            "Whether a part of the proxy is ready: 1, else 0; commands are served when all are",
            parts,
        )
    }
}
