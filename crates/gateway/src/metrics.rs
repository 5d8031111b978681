//! What the gateway counts. Each core writes its own counters without contention; a scrape adds them up.

mod refused;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cloudstate_runtime::Code;
use cloudstate_telemetry::trace::Trace;
use cloudstate_telemetry::{Count, Histogram, Page, Totals, Unit};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

pub(crate) use self::refused::Refused;
use crate::trace::Traced;

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
/// | `cloudstate_gateway_protocol_requests_total` | counter | `protocol`: `grpc`, `grpc-web`, `http` |
/// | `cloudstate_gateway_connections_total` | counter | – |
/// | `cloudstate_gateway_connections_open` | gauge | – |
/// | `cloudstate_gateway_failed_connections_total` | counter | `reason` |
/// | `cloudstate_gateway_tls_handshake_failures_total` | counter | `reason` |
/// | `cloudstate_gateway_refused_callers_total` | counter | `reason` |
///
/// Requests for no known method count under an empty `service` and the method `unknown`; those for static files, for the
/// OpenAPI document, of browsers that ask whether they may call, and of Knative's probe, under an empty `service` and the
/// methods `static`, `openapi`, `preflight` and `probe`.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    methods: Mutex<BTreeMap<Labels, Vec<Arc<MethodCounters>>>>,
    cores: Mutex<Vec<Arc<ConnectionCounters>>>,
    refused: Mutex<Vec<Arc<Refused>>>,
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
        let refused = Arc::<Refused>::default();
        lock(&self.shared.refused).push(refused.clone());
        CoreMetrics {
            metrics: self.clone(),
            methods: RefCell::default(),
            connections,
            refused,
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
    pub(crate) refused: Arc<Refused>,
}

impl CoreMetrics {
    /// This core's counters of a method; the same ones each time, so that a new declaration goes on counting.
    pub(crate) fn method(&self, service: &Arc<str>, method: &Arc<str>) -> Arc<MethodCounters> {
        let labels = (service.clone(), method.clone());
        let new = || {
            let counters = Arc::new(MethodCounters::new(&labels));
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

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Native gRPC.
    Grpc,
    /// gRPC-Web, in either form.
    GrpcWeb,
    /// Any other.
    Http,
}

const PROTOCOLS: [&str; 3] = ["grpc", "grpc-web", "http"];

/// Connections of one core, and what came on them.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounters {
    opened: Count,
    closed: Count,
    requests: [Count; PROTOCOLS.len()],
}

impl ConnectionCounters {
    pub(crate) fn request(&self, protocol: Protocol) {
        self.requests[protocol as usize].inc();
    }

    pub(crate) fn open(&self) {
        self.opened.inc();
    }

    pub(crate) fn close(&self) {
        self.closed.inc();
    }
}

/// Requests of one method on one core.
#[derive(Debug)]
pub(crate) struct MethodCounters {
    pub(crate) service: Arc<str>,
    pub(crate) method: Arc<str>,
    started: Count,
    by_code: [Count; CODES.len()],
    times: Histogram,
}

impl MethodCounters {
    fn new((service, method): &Labels) -> Self {
        MethodCounters {
            service: service.clone(),
            method: method.clone(),
            started: Count::default(),
            by_code: Default::default(),
            times: Histogram::of_times(),
        }
    }
}

/// A request in flight; counts as cancelled when it is dropped without an outcome.
pub(crate) struct InFlight {
    counters: Arc<MethodCounters>,
    started: Instant,
    code: Option<Code>,
    traced: Option<Box<Traced>>,
}

impl InFlight {
    /// A request begins.
    pub(crate) fn begin(counters: &Arc<MethodCounters>) -> Self {
        counters.started.inc();
        InFlight {
            counters: counters.clone(),
            started: Instant::now(),
            code: Some(Code::Cancelled),
            traced: None,
        }
    }

    /// Its span ends with it.
    pub(crate) fn traced(mut self, traced: Option<Box<Traced>>) -> Self {
        self.traced = traced;
        self
    }

    /// The trace that it belongs to.
    pub(crate) fn trace(&self) -> Option<&Arc<Trace>> {
        self.traced.as_ref().map(|traced| traced.trace())
    }

    /// Its outcome is known; `None` is success.
    pub(crate) fn outcome(&mut self, code: Option<Code>) {
        self.code = code;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.by_code[self.code.map_or(0, |code| code as usize)].inc();
        self.counters.times.observe_time(self.started.elapsed());
        if let Some(traced) = self.traced.take() {
            traced.end(&self.counters, self.code, self.started);
        }
    }
}

/// The numbers of one method over all cores.
struct Sum {
    started: u64,
    by_code: [u64; CODES.len()],
    times: Totals,
}

impl Sum {
    fn of(cores: &[Arc<MethodCounters>]) -> Self {
        let mut by_code = [0; CODES.len()];
        // Finished before started, so that a request that begins meanwhile never makes the difference negative.
        for core in cores {
            by_code
                .iter_mut()
                .zip(&core.by_code)
                .for_each(|(sum, count)| *sum += count.get());
        }
        Sum {
            by_code,
            times: Totals::of(cores.iter().map(|core| &core.times)),
            started: cores.iter().map(|core| core.started.get()).sum(),
        }
    }

    fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.by_code.iter().sum())
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let sums: Vec<(Labels, Sum)> = lock(&self.shared.methods)
            .iter()
            .map(|(labels, cores)| (labels.clone(), Sum::of(cores)))
            .collect();
        let mut page = Page::from(encoder);
        write_requests(&mut page, &sums)?;
        self.write_connections(&mut page)?;
        refused::write(&mut page, &lock(&self.shared.refused))
    }
}

fn write_requests(page: &mut Page<'_>, sums: &[(Labels, Sum)]) -> fmt::Result {
    let methods = || {
        sums.iter()
            .map(|((service, method), sum)| ([("service", &**service), ("method", &**method)], sum))
    };
    let by_code = methods().flat_map(|([service, method], sum)| {
        let codes = sum.by_code.iter().zip(CODES).filter(|(count, _)| **count > 0);
        codes.map(move |(count, code)| ([service, method, ("code", code)], *count))
    });
    page.counters(
        "cloudstate_gateway_requests",
        "Finished requests by gRPC status code",
        by_code,
    )?;
    page.histograms(
        "cloudstate_gateway_request_duration_seconds",
        "Time from the headers of a request to the end of its answer",
        Unit::Microseconds,
        // Methods that were never called would only add many empty buckets.
        methods()
            .filter(|(_, sum)| sum.started > 0)
            .map(|(labels, sum)| (labels, sum.times.clone())),
    )?;
    page.gauges(
        "cloudstate_gateway_requests_in_flight",
        "Requests being answered",
        methods().map(|(labels, sum)| (labels, sum.in_flight())),
    )
}

impl Metrics {
    fn write_connections(&self, page: &mut Page<'_>) -> fmt::Result {
        let cores = lock(&self.shared.cores);
        let sum = |of: fn(&ConnectionCounters) -> u64| cores.iter().map(|core| of(core)).sum::<u64>();
        let (closed, opened) = (sum(|core| core.closed.get()), sum(|core| core.opened.get()));
        let by_protocol = PROTOCOLS.iter().enumerate().map(|(index, protocol)| {
            let requests = cores.iter().map(|core| core.requests[index].get()).sum();
            ([("protocol", *protocol)], requests)
        });
        page.counters(
            "cloudstate_gateway_protocol_requests",
            "Requests by the protocol that they came in",
            by_protocol,
        )?;
        page.counter(
            "cloudstate_gateway_connections",
            "Client connections accepted",
            opened,
        )?;
        page.gauge(
            "cloudstate_gateway_connections_open",
            "Client connections open",
            opened.saturating_sub(closed),
        )
    }
}
