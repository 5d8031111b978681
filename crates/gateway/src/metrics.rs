//! What the gateway counts. Each core writes its own counters without contention; a scrape adds them up.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cloudstate_runtime::Code;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the latency buckets, in microseconds.
const BUCKETS_US: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];
/// Index of a code is its number; OK is 0.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a status code as gRPC writes it.
pub(crate) fn code_name(code: Code) -> &'static str {
    CODES[code as usize]
}

/// A method as metrics name it: service, method.
type Labels = (Arc<str>, Arc<str>);

/// The gateway's metrics, shared by all cores. Clones share the same numbers.
///
/// | name | type | labels |
/// |---|---|---|
/// | `cloudstate_gateway_requests_total` | counter | `service`, `method`, `code` |
/// | `cloudstate_gateway_request_duration_seconds` | histogram | `service`, `method` |
/// | `cloudstate_gateway_requests_in_flight` | gauge | `service`, `method` |
/// | `cloudstate_gateway_connections_total` | counter | – |
/// | `cloudstate_gateway_connections_open` | gauge | – |
///
/// Requests for no known method count under an empty `service` and the method `unknown`.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    methods: Mutex<BTreeMap<Labels, Vec<Arc<MethodCounters>>>>,
    cores: Mutex<Vec<Arc<ConnectionCounters>>>,
}

impl Metrics {
    /// Metrics without any core yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds them to what the admin port shows.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// Counters for one more core.
    pub(crate) fn core(&self) -> CoreMetrics {
        let connections = Arc::<ConnectionCounters>::default();
        lock(&self.shared.cores).push(connections.clone());
        CoreMetrics {
            metrics: self.clone(),
            methods: RefCell::default(),
            connections,
        }
    }
}

/// Counters stay meaningful whatever a panicking holder left, since each is one atomic number.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The counters of one core.
#[derive(Debug)]
pub(crate) struct CoreMetrics {
    metrics: Metrics,
    methods: RefCell<HashMap<Labels, Arc<MethodCounters>>>,
    pub(crate) connections: Arc<ConnectionCounters>,
}

impl CoreMetrics {
    /// This core's counters of a method; the same ones each time, so that a new declaration goes on counting.
    pub(crate) fn method(&self, service: &Arc<str>, method: &Arc<str>) -> Arc<MethodCounters> {
        let labels = (service.clone(), method.clone());
        let new = || {
            let counters = Arc::<MethodCounters>::default();
            lock(&self.metrics.shared.methods)
                .entry(labels.clone())
                .or_default()
                .push(counters.clone());
            counters
        };
        self.methods
            .borrow_mut()
            .entry(labels.clone())
            .or_insert_with(new)
            .clone()
    }
}

/// A number that one core writes and any thread reads.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// Only the owning core adds, so a plain load and store lose nothing and cost no locked instruction.
    fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Connections of one core.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounters {
    opened: Count,
    closed: Count,
}

impl ConnectionCounters {
    pub(crate) fn open(&self) {
        self.opened.add(1);
    }

    pub(crate) fn close(&self) {
        self.closed.add(1);
    }
}

/// Requests of one method on one core.
#[derive(Debug, Default)]
pub(crate) struct MethodCounters {
    started: Count,
    by_code: [Count; CODES.len()],
    buckets: [Count; BUCKETS_US.len() + 1],
    sum_us: Count,
}

impl MethodCounters {
    fn finish(&self, code: usize, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.by_code[code].add(1);
        self.buckets[BUCKETS_US.partition_point(|bound| *bound < us)].add(1);
        self.sum_us.add(us);
    }
}

/// A request in flight; counts as cancelled when it is dropped without an outcome.
pub(crate) struct InFlight {
    counters: Arc<MethodCounters>,
    started: Instant,
    code: usize,
}

impl InFlight {
    /// A request begins.
    pub(crate) fn begin(counters: &Arc<MethodCounters>) -> Self {
        counters.started.add(1);
        InFlight {
            counters: counters.clone(),
            started: Instant::now(),
            code: Code::Cancelled as usize,
        }
    }

    /// Its outcome is known; `None` is success.
    pub(crate) fn outcome(&mut self, code: Option<Code>) {
        self.code = code.map_or(0, |code| code as usize);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.finish(self.code, self.started.elapsed());
    }
}

/// The numbers of one method over all cores.
#[derive(Default)]
struct Sum {
    started: u64,
    by_code: [u64; CODES.len()],
    buckets: [u64; BUCKETS_US.len() + 1],
    sum_us: u64,
}

impl Sum {
    fn of(cores: &[Arc<MethodCounters>]) -> Self {
        let mut sum = Sum::default();
        for core in cores {
            // Finished before started, so that a request that begins meanwhile never makes the difference negative.
            sum.by_code
                .iter_mut()
                .zip(&core.by_code)
                .for_each(|(sum, count)| *sum += count.get());
            sum.buckets
                .iter_mut()
                .zip(&core.buckets)
                .for_each(|(sum, count)| *sum += count.get());
            sum.sum_us += core.sum_us.get();
            sum.started += core.started.get();
        }
        sum
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let sums: Vec<(Labels, Sum)> = lock(&self.shared.methods)
            .iter()
            .map(|(labels, cores)| (labels.clone(), Sum::of(cores)))
            .collect();
        encode_requests(&mut encoder, &sums)?;
        encode_durations(&mut encoder, &sums)?;
        encode_in_flight(&mut encoder, &sums)?;
        self.encode_connections(&mut encoder)
    }
}

fn encode_requests(encoder: &mut DescriptorEncoder, sums: &[(Labels, Sum)]) -> fmt::Result {
    let help = "Finished requests by gRPC status code";
    let mut family =
        encoder.encode_descriptor("cloudstate_gateway_requests", help, None, MetricType::Counter)?;
    for ((service, method), sum) in sums {
        for (count, code) in sum.by_code.iter().zip(CODES).filter(|(count, _)| **count > 0) {
            let labels = [("service", &**service), ("method", &**method), ("code", code)];
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
    }
    Ok(())
}

fn encode_durations(encoder: &mut DescriptorEncoder, sums: &[(Labels, Sum)]) -> fmt::Result {
    let help = "Time from the headers of a request to the end of its answer";
    let name = "cloudstate_gateway_request_duration";
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    // Methods that were never called would only add many empty buckets.
    for ((service, method), sum) in sums.iter().filter(|(_, sum)| sum.started > 0) {
        let bounds = BUCKETS_US
            .iter()
            .map(|us| *us as f64 / 1e6)
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(sum.buckets).collect();
        let labels = [("service", &**service), ("method", &**method)];
        let count = sum.buckets.iter().sum();
        let seconds = sum.sum_us as f64 / 1e6;
        family
            .encode_family(&labels)?
            .encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
    }
    Ok(())
}

fn encode_in_flight(encoder: &mut DescriptorEncoder, sums: &[(Labels, Sum)]) -> fmt::Result {
    let help = "Requests being answered";
    let mut family = encoder.encode_descriptor(
        "cloudstate_gateway_requests_in_flight",
        help,
        None,
        MetricType::Gauge,
    )?;
    for ((service, method), sum) in sums {
        let in_flight = sum.started.saturating_sub(sum.by_code.iter().sum());
        let labels = [("service", &**service), ("method", &**method)];
        family.encode_family(&labels)?.encode_gauge(&in_flight)?;
    }
    Ok(())
}

impl Metrics {
    fn encode_connections(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let (closed, opened) = lock(&self.shared.cores)
            .iter()
            .fold((0, 0), |(closed, opened), core| {
                (closed + core.closed.get(), opened + core.opened.get())
            });
        let help = "Client connections accepted";
        encoder
            .encode_descriptor("cloudstate_gateway_connections", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&opened, None)?;
        let help = "Client connections open";
        encoder
            .encode_descriptor(
                "cloudstate_gateway_connections_open",
                help,
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&opened.saturating_sub(closed))
    }
}
