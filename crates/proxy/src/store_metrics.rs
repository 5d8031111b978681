//! What the store counts, as metrics, and its health, as readiness.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cloudstate_runtime::Component;
use cloudstate_store::{Histogram, Stats, Store};
use cloudstate_telemetry::{Page, Totals, Unit};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// How often the store's health is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads the store's counters when somebody asks for metrics: commits pay nothing for it. Shows nothing until the store
/// is open.
pub(crate) struct StoreMetrics(pub(crate) Arc<OnceLock<Store>>);

impl std::fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreMetrics")
    }
}

impl Collector for StoreMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(stats) = self.0.get().map(Store::stats) else {
            return Ok(());
        };
        let mut page = Page::from(encoder);
        for (name, help, value) in counters(&stats) {
            page.counter(name, help, value)?;
        }
        page.gauge(
            "cloudstate_store_queued_commits",
            "Commits that wait for the store",
            stats.queued,
        )?;
        page.gauge(
            "cloudstate_store_queued_bytes",
            "Bytes of the commits that wait for the store",
            stats.queued_bytes,
        )?;
        page.histogram(
            "cloudstate_store_batch_commits",
            "Commits in one batch",
            Unit::Number,
            &totals(&stats.batch_commits),
        )?;
        page.histogram(
            "cloudstate_store_commit_seconds",
            "Seconds until a batch was durable",
            Unit::Microseconds,
            &totals(&stats.commit_us),
        )?;
        // A store without a disk would only show empty buckets.
        if stats.sync_us.count == 0 {
            return Ok(());
        }
        page.histogram(
            "cloudstate_store_fsync_seconds",
            "Seconds that the disk took to write and sync the log of a batch; part of cloudstate_store_commit_seconds",
            Unit::Microseconds,
            &totals(&stats.sync_us),
        )
    }
}

/// The store's buckets are of powers of two: each counts what is below its power.
fn totals(values: &Histogram) -> Totals {
    let buckets = values.buckets.iter().enumerate();
    Totals::new(
        buckets.map(|(power, count)| ((1 << power) - 1, *count)),
        values.sum,
    )
}

fn counters(stats: &Stats) -> [(&'static str, &'static str, u64); 10] {
    [
        ("cloudstate_store_commits", "Commits made durable", stats.applied),
        (
            "cloudstate_store_fenced_commits",
            "Commits refused because another process owns the store",
            stats.fenced,
        ),
        (
            "cloudstate_store_conflicts",
            "Commits refused because the entity was in another state",
            stats.conflicts,
        ),
        (
            "cloudstate_store_failed_commits",
            "Commits that failed, known not applied",
            stats.failed,
        ),
        (
            "cloudstate_store_unknown_commits",
            "Commits whose outcome stayed unknown",
            stats.unknown,
        ),
        (
            "cloudstate_store_shed_commits",
            "Commits refused because too many waited",
            stats.shed,
        ),
        ("cloudstate_store_events", "Events stored", stats.events),
        (
            "cloudstate_store_bytes",
            "Bytes of payload stored by commits",
            stats.bytes,
        ),
        ("cloudstate_store_snapshots", "Snapshots stored", stats.snapshots),
        (
            "cloudstate_store_lost_snapshots",
            "Snapshots that were not stored",
            stats.snapshots_lost,
        ),
    ]
}

/// Follows the store's health. Never ends.
pub(crate) async fn follow_health(store: Store, component: Component) {
    loop {
        match store.stats().failing {
            None => component.ready(),
            Some(reason) => component.not_ready(reason),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    /// The page after one commit.
    async fn page_after_a_commit(backend: Arc<dyn cloudstate_store::Backend>) -> String {
        let store = Store::open(backend, cloudstate_store::Options::default())
            .await
            .unwrap();
        let entity = cloudstate_store::EntityKey::new("carts", "c1").unwrap();
        let payload = cloudstate_store::Payload {
            type_url: "t".into(),
            value: vec![1, 2, 3].into(),
        };
        let write = cloudstate_store::Write {
            entity,
            expected: cloudstate_store::Expected::Sequence(0),
            change: cloudstate_store::Change::Events(vec![payload]),
            idempotency: None,
        };
        store.commit(write).await;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(StoreMetrics(Arc::new(OnceLock::from(store)))));
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        page
    }

    #[tokio::test]
    async fn commits_and_batches_show() {
        let page = page_after_a_commit(Arc::new(cloudstate_store_memory::Memory::new())).await;
        for line in [
            "cloudstate_store_commits_total 1",
            "cloudstate_store_events_total 1",
            "cloudstate_store_batch_commits_count 1",
            r#"cloudstate_store_batch_commits_bucket{le="1.0"} 1"#,
            r#"cloudstate_store_batch_commits_bucket{le="+Inf"} 1"#,
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
        assert!(!page.contains("fsync"), "there is no disk:\n{page}");
    }

    #[tokio::test]
    async fn the_time_of_the_disk_shows() {
        let directory = tempfile::tempdir().unwrap();
        let backend = cloudstate_store_sqlite::Sqlite::open(directory.path().join("store")).unwrap();
        let page = page_after_a_commit(Arc::new(backend)).await;
        let line = "cloudstate_store_fsync_seconds_count 1";
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
}
