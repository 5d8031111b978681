//! Sends the spans of calls to a collector, beside everything else.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cloudstate_otlp::{Exporter, InvalidOptions};
use cloudstate_telemetry::Page;
use cloudstate_telemetry::trace::{Counts, Tracer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::rooms;

/// What an exporter has at the end, even if calls took all of the time to drain.
const LAST_EXPORT: Duration = Duration::from_secs(1);

/// Why traces cannot be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// The roots of the collector's certificate cannot be read.
    #[error("cannot read {} (from tracing.ca): {source}", path.display())]
    Roots {
        /// The configured file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The endpoint or the headers cannot be used.
    #[error("{0} (from tracing.endpoint, tracing.headers and tracing.ca)")]
    Options(#[from] InvalidOptions),
}

/// Traces on their way. Dropped without [`flush`](Self::flush), those in the queue are lost with the runtime.
pub(crate) struct Traces {
    pub(crate) tracer: Tracer,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    counts: TraceMetrics,
}

impl Traces {
    /// Begins to export, if the configuration names a collector. Must run in the local runtime of the process.
    pub(crate) fn start(config: &Config, registry: &mut Registry) -> Result<Option<Self>, TracingError> {
        let Some(options) = rooms::otlp(config)? else {
            return Ok(None);
        };
        let endpoint = options.endpoint.clone();
        let (tracer, spans) = Tracer::new(rooms::sampler(config), config.tracing.queue);
        let exporter = Exporter::new(options, spans)?;
        let counts = TraceMetrics {
            queue: tracer.counts().clone(),
            exporter: exporter.counts().clone(),
        };
        registry.register_collector(Box::new(counts.clone()));
        let shutdown = CancellationToken::new();
        let task = tokio::task::spawn_local(exporter.run(shutdown.clone()));
        tracing::info!(endpoint, "tracing calls");
        Ok(Some(Traces {
            tracer,
            shutdown,
            task,
            counts,
        }))
    }

    /// Exports what is queued, until `by`. Call it when nobody traces any more.
    pub(crate) async fn flush(self, by: Instant) {
        self.shutdown.cancel();
        let by = by.max(Instant::now() + LAST_EXPORT);
        // The task ends by itself; an error would be its panic, which is logged.
        let _ = timeout_at(by, self.task).await;
        let left = self.counts.waiting();
        if left > 0 {
            tracing::warn!(
                spans = left,
                "the collector did not take the last spans in time; they are lost"
            );
        }
    }
}

/// What became of spans, as metrics.
#[derive(Debug, Clone)]
struct TraceMetrics {
    queue: Arc<Counts>,
    exporter: Arc<cloudstate_otlp::Counts>,
}

impl TraceMetrics {
    /// Spans in the queue or in the exporter's hand.
    fn waiting(&self) -> u64 {
        let done = self.exporter.exported.load(Relaxed) + self.exporter.lost.load(Relaxed);
        self.queue.queued.load(Relaxed).saturating_sub(done)
    }
}

impl Collector for TraceMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::from(encoder);
        let outcomes = [
            ("exported", &self.exporter.exported),
            ("dropped", &self.queue.dropped),
            ("lost", &self.exporter.lost),
        ];
        page.counters(
            "cloudstate_tracing_spans",
            "Spans by what became of them: exported; dropped, because the queue was full; lost, because the collector did not take them",
            outcomes.map(|(outcome, count)| ([("outcome", outcome)], count.load(Relaxed))),
        )?;
        page.gauge(
            "cloudstate_tracing_queued_spans",
            "Spans that wait for being exported",
            self.waiting(),
        )?;
        page.counter(
            "cloudstate_tracing_failed_exports",
            "Attempts to export that failed",
            self.exporter.failures.load(Relaxed),
        )
    }
}
