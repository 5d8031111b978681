//! One step of a trace.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::{SpanId, Trace, TraceId};

/// What a span is, for whoever draws the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something within this process.
    Internal,
    /// Answering a request from outside.
    Server,
    /// Asking somebody else.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Arc<str>),
    /// A text of ours.
    Word(&'static str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// A fact about a span: its name by OpenTelemetry's conventions, and its value.
pub type Attribute = (&'static str, Value);

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its trace.
    pub trace: TraceId,
    /// Its own id.
    pub id: SpanId,
    /// The span that caused it.
    pub parent: Option<SpanId>,
    /// Whether that is a span of another process.
    pub is_parent_remote: bool,
    /// What tracing systems pass on.
    pub state: Option<Box<str>>,
    /// What is done, the same text for all that is alike.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// When it began, in nanoseconds since 1970.
    pub began_unix_ns: u64,
    /// When it ended, likewise; not before it began.
    pub ended_unix_ns: u64,
    /// Facts about it.
    pub attributes: Vec<Attribute>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

/// A span of a recorded trace, to be ended. Dropped without that, it is not recorded.
#[derive(Debug)]
#[must_use = "a span is recorded when it is ended"]
pub struct Span<'a> {
    pub(super) trace: &'a Trace,
    pub(super) span: Finished,
}

impl Span<'_> {
    /// Something else than internal.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.span.kind = kind;
        self
    }

    /// Adds a fact.
    pub fn attribute(mut self, name: &'static str, value: Value) -> Self {
        self.span.attributes.push((name, value));
        self
    }

    /// Says why it failed, if it did.
    pub fn error(mut self, error: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.span.error = error.map(Into::into);
        self
    }

    /// Records it.
    pub fn end(mut self, began: Instant, ended: Instant) {
        self.span.began_unix_ns = self.trace.unix_ns(began);
        self.span.ended_unix_ns = self.trace.unix_ns(ended.max(began));
        self.trace.record(self.span);
    }
}
