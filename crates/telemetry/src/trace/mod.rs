//! Traces: what one call led to, as spans that name their parents.
//!
//! ```text
//!   headers ─▶ Caller ─▶ Tracer::begin ─▶ Trace ──▶ Span ─▶ Span::end ─▶ queue ─▶ Spans, for an exporter
//!                          samples          └──▶ traceparent for whoever is called
//! ```
//!
//! Whether a trace is recorded is decided once, where it enters the process. A trace that is not recorded is passed on
//! all the same, so that nobody behind begins to record it anew. The queue is bounded: a span that finds it full is
//! dropped and counted, and a call never waits for an exporter.
//!
//! Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/>; names of sampling by the OpenTelemetry
//! specification.

mod caller;
mod ids;
mod sampler;
mod span;
mod tracer;

pub use caller::{Caller, TRACEPARENT, TRACESTATE};
pub use ids::{SpanId, TraceId};
pub use sampler::Sampler;
pub use span::{Attribute, Finished, Kind, Span, Value};
pub use tracer::{Counts, Spans, Trace, Tracer};
