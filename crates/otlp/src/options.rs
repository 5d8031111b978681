//! Where spans go, and how.

use std::time::Duration;

/// Where spans go, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The collector, as a URL with `http` or `https`, a host and mostly a port.
    pub endpoint: String,
    /// Sent with every export: names and values of headers, such as a key of access.
    pub headers: Vec<(String, String)>,
    /// PEM text of the roots that the collector's certificate may have, in place of the system's.
    pub roots: Option<Vec<u8>>,
    /// What the spans are of: names by OpenTelemetry's conventions, and values.
    pub resource: Vec<(String, String)>,
    /// Spans that are sent at once.
    pub batch: usize,
    /// How long a span may wait for others to be sent with.
    pub interval: Duration,
    /// How long one export may take.
    pub timeout: Duration,
    /// Wait before the first retry of a failed export; doubles with each further failure.
    pub first_retry: Duration,
    /// How often an export is tried before its spans are given up.
    pub attempts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            endpoint: "http://localhost:4317".to_owned(),
            headers: Vec::new(),
            roots: None,
            resource: Vec::new(),
            batch: 512,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            attempts: 5,
        }
    }
}
