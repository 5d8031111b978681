//! What the links to the function and discovery count. Each link writes its own cells; a scrape adds them up.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cloudstate_telemetry::{Count, Page};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

use crate::Error;

/// The label of each kind of error, in the order of [`kind`].
const ERROR_KINDS: [&str; 11] = [
    "unavailable",
    "not_processed",
    "stream_limit",
    "closed",
    "connection_lost",
    "reset",
    "status",
    "not_grpc",
    "message_too_large",
    "malformed",
    "other",
];

fn kind(error: &Error) -> usize {
    match error {
        Error::Unavailable { .. } => 0,
        Error::NotProcessed { .. } => 1,
        Error::StreamLimit { .. } => 2,
        Error::Closed { .. } => 3,
        Error::ConnectionLost { .. } => 4,
        Error::Reset { .. } => 5,
        Error::Status { .. } => 6,
        Error::NotGrpc { .. } => 7,
        Error::MessageTooLarge { .. } => 8,
        Error::Malformed { .. } | Error::Truncated { .. } => 9,
        Error::StreamEnded | Error::DeadlineExceeded => 10,
    }
}

/// The metrics of all links. Clones share the same numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    links: Arc<Mutex<Vec<Arc<Counters>>>>,
}

/// The cells of one link.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: Count,
    pub(crate) disconnected: Count,
    pub(crate) connect_failed: Count,
    pub(crate) streams_opened: Count,
    pub(crate) streams_closed: Count,
    errors: [Count; ERROR_KINDS.len()],
    pub(crate) discover_answered: Count,
    pub(crate) discover_failed: Count,
    pub(crate) accepted: Count,
    pub(crate) refused: Count,
    pub(crate) lost: Count,
}

impl Counters {
    /// A stream could not be opened, or failed.
    pub(crate) fn failed(&self, error: &Error) {
        self.errors[kind(error)].inc();
    }
}

impl Metrics {
    /// Adds them to what the admin port shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        registry.register_collector(Box::new(metrics.clone()));
        metrics
    }

    /// Cells for one more link.
    pub(crate) fn link(&self) -> Arc<Counters> {
        let counters = Arc::default();
        self.links().push(Arc::clone(&counters));
        counters
    }

    /// The cells stay meaningful whatever a panicking holder left, since each is one number.
    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Counters>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let links = self.links().clone();
        let sum = |read: fn(&Counters) -> &Count| links.iter().map(|link| read(link).get()).sum::<u64>();
        let mut page = Page::from(encoder);
        // What ended is read first, so that what begins meanwhile never makes the difference negative.
        let disconnected = sum(|link| &link.disconnected);
        let closed = sum(|link| &link.streams_closed);
        let connected = sum(|link| &link.connected);
        let opened = sum(|link| &link.streams_opened);
        page.counter(
            "cloudstate_function_connections",
            "Connections to the function made",
            connected,
        )?;
        page.gauge(
            "cloudstate_function_connections_open",
            "Connections to the function open now",
            connected.saturating_sub(disconnected),
        )?;
        page.counter(
            "cloudstate_function_failed_connections",
            "Attempts to connect to the function that failed",
            sum(|link| &link.connect_failed),
        )?;
        page.counter(
            "cloudstate_function_streams",
            "Streams to the function opened",
            opened,
        )?;
        page.gauge(
            "cloudstate_function_streams_open",
            "Streams to the function open now: one an active entity, one a call of an action",
            opened.saturating_sub(closed),
        )?;
        let errors = |index: usize| links.iter().map(|link| link.errors[index].get()).sum();
        page.counters(
            "cloudstate_function_stream_errors",
            "Streams to the function that failed or could not be opened, by what was wrong",
            ERROR_KINDS
                .iter()
                .enumerate()
                .map(|(index, kind)| ([("kind", *kind)], errors(index))),
        )?;
        let (answered, failed) = (
            sum(|link| &link.discover_answered),
            sum(|link| &link.discover_failed),
        );
        page.counters(
            "cloudstate_discovery_attempts",
            "Times that the function was asked what it serves",
            [
                ([("outcome", "answered")], answered),
                ([("outcome", "failed")], failed),
            ],
        )?;
        let (accepted, refused) = (sum(|link| &link.accepted), sum(|link| &link.refused));
        page.counters(
            "cloudstate_discovery_declarations",
            "Declarations of the function",
            [
                ([("verdict", "accepted")], accepted),
                ([("verdict", "refused")], refused),
            ],
        )?;
        page.counter(
            "cloudstate_discovery_losses",
            "Times that the function went away",
            sum(|link| &link.lost),
        )
    }
}
