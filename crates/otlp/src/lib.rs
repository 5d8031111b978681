//! Sends spans to a collector, by OTLP over gRPC.
//!
//! ```text
//!   trace::Spans ─▶ batch (full, or old enough) ─▶ Export ─▶ collector
//!                     ▲                              │ fails: wait, try again, give up
//!                     └──────────────────────────────┘
//! ```
//!
//! One task exports. While it waits for a collector, spans gather in the tracer's queue, which drops and counts when it
//! is full: no call waits for this crate, and it holds one batch at most.
//!
//! The messages are declared here, few as they are: the SDK of OpenTelemetry brings much that has no use beside our own
//! tracer. Source: OpenTelemetry Protocol specification 1, opentelemetry-proto.
//!
//! Absent: metrics and logs, which Prometheus and standard error have.

mod client;
mod exporter;
mod messages;
mod options;

pub use client::InvalidOptions;
pub use exporter::{Counts, Exporter};
pub use options::Options;
