//! The report at the end.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::config::Config;
use crate::stats::{Latencies, Stats};

/// What was measured. Latencies are in microseconds; in an open loop they count from when a request was due.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    mode: &'static str,
    service: String,
    users: u64,
    clients: u16,
    read_ratio: f64,
    /// Open loop only.
    rate_per_s: Option<f64>,
    /// Closed loop only.
    in_flight: Option<u32>,
    /// Without warm-up.
    measured_s: f64,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    /// Due, but not sent, since too many were under way.
    not_sent: u64,
    successes_per_s: f64,
    failures_by_status: BTreeMap<String, StatusReport>,
    latency_us: BTreeMap<&'static str, LatencyReport>,
}

#[derive(Debug, Serialize)]
struct StatusReport {
    count: u64,
    example: String,
}

#[derive(Debug, Serialize)]
struct LatencyReport {
    count: u64,
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl Report {
    pub(crate) fn new(config: &Config, stats: &Stats, measured: Duration) -> Self {
        let measured_s = measured.as_secs_f64();
        let failures = stats.failures.iter();
        Report {
            mode: if config.in_flight.is_some() {
                "closed loop"
            } else {
                "open loop"
            },
            service: config.service.clone(),
            users: config.users,
            clients: config.clients,
            read_ratio: config.read_ratio,
            rate_per_s: config.in_flight.is_none().then_some(config.rate),
            in_flight: config.in_flight,
            measured_s,
            successes: stats.successes(),
            failures: stats.failed(),
            not_sent: stats.not_sent,
            successes_per_s: stats.successes() as f64 / measured_s.max(f64::MIN_POSITIVE),
            failures_by_status: failures
                .map(|(status, failed)| {
                    (
                        status.clone(),
                        StatusReport {
                            count: failed.count,
                            example: failed.example.clone(),
                        },
                    )
                })
                .collect(),
            latency_us: [
                ("all", &stats.all()),
                ("reads", &stats.reads),
                ("writes", &stats.writes),
            ]
            .map(|(name, latencies)| (name, LatencyReport::new(latencies)))
            .into(),
        }
    }
}

impl LatencyReport {
    fn new(latencies: &Latencies) -> Self {
        let at = |quantile| micros(latencies.value_at_quantile(quantile));
        LatencyReport {
            count: latencies.len(),
            min: micros(latencies.min()),
            mean: latencies.mean() / 1000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: micros(latencies.max()),
        }
    }
}

/// Nanoseconds as microseconds.
pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// Writes the report to the file, or to standard output.
pub(crate) fn write(report: &Report, path: Option<&Path>) -> anyhow::Result<()> {
    let mut json = serde_json::to_string_pretty(report).context("the report is no JSON")?;
    json.push('\n');
    match path {
        Some(path) => std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display())),
        None => std::io::stdout()
            .write_all(json.as_bytes())
            .context("cannot write to standard output"),
    }
}
