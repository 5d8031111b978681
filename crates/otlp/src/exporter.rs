//! The task that exports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cloudstate_telemetry::trace::{Finished, Spans};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::client::{Client, may_retry};
use crate::messages::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, InstrumentationScope, Resource, ResourceSpans,
    ScopeSpans, Span, text,
};
use crate::{InvalidOptions, Options};

/// What became of the spans that were taken from the queue.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub exported: AtomicU64,
    /// Given up, or refused by the collector.
    pub lost: AtomicU64,
    /// Exports that failed, each attempt.
    pub failures: AtomicU64,
}

/// Exports spans. Nothing is sent before [`run`](Self::run).
#[derive(Debug)]
pub struct Exporter {
    client: Client,
    spans: Spans,
    counts: Arc<Counts>,
    /// Whether the last attempt failed: what goes on failing is no news.
    failing: bool,
}

impl Exporter {
    /// An exporter of these spans. Needs a tokio runtime.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used.
    pub fn new(options: Options, spans: Spans) -> Result<Self, InvalidOptions> {
        Ok(Exporter {
            client: Client::new(options)?,
            spans,
            counts: Arc::default(),
            failing: false,
        })
    }

    /// What became of spans.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Exports until `shutdown`, and then what is queued, as long as the collector takes it. Dropping the future loses the
    /// batch in hand. Needs a tokio runtime.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut batch = Vec::with_capacity(self.client.options().batch);
        loop {
            let gathered = tokio::select! {
                gathered = gather(&mut self.spans, &mut batch, self.client.options()) => gathered,
                () = shutdown.cancelled() => false,
            };
            if !gathered {
                break;
            }
            self.export(std::mem::take(&mut batch), &shutdown).await;
        }
        let limit = self.client.options().batch;
        let room = limit - batch.len();
        self.spans.take_now(&mut batch, room);
        while !batch.is_empty() {
            if !self.export(std::mem::take(&mut batch), &shutdown).await {
                return;
            }
            self.spans.take_now(&mut batch, limit);
        }
    }

    /// Sends a batch, until the collector has it or it is given up. After `shutdown` it is not tried again.
    async fn export(&mut self, batch: Vec<Finished>, shutdown: &CancellationToken) -> bool {
        let count = batch.len() as u64;
        let request = self.request(batch);
        let mut wait = self.client.options().first_retry;
        for attempt in 1.. {
            let status = match self.client.export(request.clone()).await {
                Ok(refused) => {
                    self.taken(count, refused);
                    return true;
                }
                Err(status) => status,
            };
            self.fails(&status);
            let is_last = attempt >= self.client.options().attempts || shutdown.is_cancelled();
            if is_last || !may_retry(&status) {
                break;
            }
            // At shutdown it is tried once more, at once.
            let _ = timeout(wait, shutdown.cancelled()).await;
            wait *= 2;
        }
        self.counts.lost.fetch_add(count, Relaxed);
        false
    }

    /// The collector has taken the spans, but those that it refused.
    fn taken(&mut self, count: u64, refused: Option<ExportTracePartialSuccess>) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(
                endpoint = self.client.options().endpoint,
                "spans are exported again"
            );
        }
        let ExportTracePartialSuccess {
            rejected_spans,
            error_message,
        } = refused.unwrap_or_default();
        if rejected_spans > 0 || !error_message.is_empty() {
            tracing::warn!(
                rejected_spans,
                reason = error_message,
                "the collector did not take all spans"
            );
        }
        let refused = u64::try_from(rejected_spans).unwrap_or(0).min(count);
        self.counts.lost.fetch_add(refused, Relaxed);
        self.counts.exported.fetch_add(count - refused, Relaxed);
    }

    fn fails(&mut self, status: &Status) {
        self.counts.failures.fetch_add(1, Relaxed);
        let (endpoint, code) = (&self.client.options().endpoint, status.code());
        let reason = status.message();
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(endpoint, ?code, reason, "spans still cannot be exported");
        } else {
            let hint =
                "is an OTLP receiver for gRPC there (mostly port 4317)? Until it answers, spans are lost";
            tracing::warn!(endpoint, ?code, reason, hint, "spans cannot be exported");
        }
    }

    fn request(&self, batch: Vec<Finished>) -> ExportTraceServiceRequest {
        let resource = self.client.options().resource.iter();
        let spans = ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "cloudstate".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            spans: batch.into_iter().map(Span::from).collect(),
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: resource.map(|(name, value)| text(name, value)).collect(),
                }),
                scope_spans: vec![spans],
            }],
        }
    }
}

/// Waits for a batch: full, or with a first span that has waited long enough. `false`: there will be no more spans. What
/// was taken stays in `batch` when this is cancelled.
async fn gather(spans: &mut Spans, batch: &mut Vec<Finished>, options: &Options) -> bool {
    if spans.take(batch, options.batch).await == 0 {
        return false;
    }
    let by = Instant::now() + options.interval;
    while batch.len() < options.batch {
        let room = options.batch - batch.len();
        match timeout_at(by, spans.take(batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    true
}
