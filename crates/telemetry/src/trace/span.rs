//! One step of a trace.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::{SpanId, Trace, TraceId};

/// Longest text of a span. Names, paths and errors may come from callers and from the function, which decide how long they
/// are; the queue holds thousands of spans, and collectors refuse messages of some megabytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Cuts what is too long, so that it says so, and gives its memory back.
pub(super) fn cut(mut text: String) -> String {
    const MARK: &str = "…";
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX - MARK.len()));
        text.push_str(MARK);
        text.shrink_to_fit();
    }
    text
}

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

    /// Adds a fact. A long text is cut.
    pub fn attribute(mut self, name: &'static str, value: Value) -> Self {
        let value = match value {
            Value::Text(text) if text.len() > TEXT_BYTES_MAX => Value::Text(cut(text.to_string()).into()),
            other => other,
        };
        self.span.attributes.push((name, value));
        self
    }

    /// Says why it failed, if it did. A long text is cut.
    pub fn error(mut self, error: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.span.error = error.map(|error| match error.into() {
            Cow::Owned(text) => Cow::Owned(cut(text)),
            ours => ours,
        });
        self
    }

    /// Records it.
    pub fn end(mut self, began: Instant, ended: Instant) {
        self.span.began_unix_ns = self.trace.unix_ns(began);
        self.span.ended_unix_ns = self.trace.unix_ns(ended.max(began));
        self.trace.record(self.span);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sampler, Tracer};
    use super::*;

    #[test]
    fn long_texts_are_cut_and_give_their_memory_back() {
        let all = Sampler {
            by_caller: true,
            ratio: 1.0,
        };
        let (tracer, mut spans) = Tracer::new(all, 1);
        let trace = tracer.begin(None);
        let long = || "ä".repeat(1_000_000);
        let span = trace.root_span(long()).unwrap();
        span.attribute("id", Value::Text("i".repeat(TEXT_BYTES_MAX).into()))
            .attribute("path", Value::Text(long().into()))
            .error(Some(long()))
            .end(trace.began(), trace.began());
        let mut taken = Vec::new();
        spans.take_now(&mut taken, 1);
        let span = taken.remove(0);
        let Some(Cow::Owned(error)) = &span.error else {
            panic!("{:?}", span.error)
        };
        for text in [&span.name, error] {
            assert!(text.len() <= TEXT_BYTES_MAX && text.capacity() < 2 * TEXT_BYTES_MAX);
            assert!(text.starts_with("ää") && text.ends_with("ä…"), "{text}");
        }
        let lengths = span.attributes.iter().map(|(_, value)| match value {
            Value::Text(text) => text.len(),
            other => panic!("{other:?}"),
        });
        let lengths: Vec<_> = lengths.collect();
        assert_eq!(lengths[0], TEXT_BYTES_MAX);
        assert!(
            lengths[1] <= TEXT_BYTES_MAX && lengths[1] > TEXT_BYTES_MAX - 4,
            "{lengths:?}"
        );
    }
}
