//! What is counted about the files of certificates and keys.
//!
//! | name | type | labels |
//! |---|---|---|
//! | `cloudstate_tls_certificate_expiry_timestamp_seconds` | gauge; only with TLS | – |
//! | `cloudstate_security_reloads_total` | counter | `of`: `tls` or `jwt`; `outcome`: `ok` or `failed` |

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use cloudstate_telemetry::Page;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

/// How often the files of one purpose were taken anew, and how often that failed.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Reloads {
    /// Changed files were taken.
    pub(crate) fn succeeded(&self) {
        self.succeeded.fetch_add(1, Relaxed);
    }

    /// Changed files were no good.
    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// How often each happened, success first.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.succeeded.load(Relaxed), self.failed.load(Relaxed))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct SecurityMetrics {
    pub(crate) tls: Arc<Reloads>,
    pub(crate) tokens: Arc<Reloads>,
    /// Seconds since 1970; 0 without TLS.
    expiry: AtomicU64,
}

impl SecurityMetrics {
    /// The certificate in use ends then, since 1970.
    pub(crate) fn certificate_expires(&self, not_after: Duration) {
        self.expiry.store(not_after.as_secs(), Relaxed);
    }

    /// Adds them to what the admin port shows.
    pub(crate) fn register(metrics: Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Shown(metrics)));
    }
}

#[derive(Debug)]
struct Shown(Arc<SecurityMetrics>);

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut page = Page::from(encoder);
        let expiry = self.0.expiry.load(Relaxed);
        if expiry > 0 {
            page.gauge(
                "cloudstate_tls_certificate_expiry_timestamp_seconds",
                "When the certificate that clients see expires",
                expiry,
            )?;
        }
        let (tls, tokens) = (self.0.tls.counts(), self.0.tokens.counts());
        let samples = [
            ([("of", "tls"), ("outcome", "ok")], tls.0),
            ([("of", "tls"), ("outcome", "failed")], tls.1),
            ([("of", "jwt"), ("outcome", "ok")], tokens.0),
            ([("of", "jwt"), ("outcome", "failed")], tokens.1),
        ];
        page.counters(
            "cloudstate_security_reloads",
            "Files of certificates and keys that changed and were taken, or were no good",
            samples,
        )
    }
}
