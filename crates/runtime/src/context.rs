//! Where a command comes from: how often it was forwarded, by whom, and the trace that it belongs to.

use std::sync::Arc;
use std::time::Instant;

use cloudstate_catalog::Method;
use cloudstate_protocol::Metadata;
use cloudstate_telemetry::trace::{Span, SpanId, TRACEPARENT, TRACESTATE, Trace, TraceId};

/// What is behind a call: forwards and effects, and its trace. Cheap to clone; empty for a client's call that is not
/// traced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    chain: Option<Arc<Link>>,
}

#[derive(Debug)]
struct Link {
    /// `None` for a client's call.
    step: Option<Step>,
    length: usize,
    traced: Option<Traced>,
}

#[derive(Debug)]
struct Step {
    how: How,
    from: Arc<Method>,
    before: Context,
}

/// Why a command calls another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Forward,
    Effect,
}

/// A call's place in its trace.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) trace: Arc<Trace>,
    /// The span of the call: the parent of all that it does.
    pub(crate) span: SpanId,
    /// The span of what the function does for it, known before the function is told.
    pub(crate) function: SpanId,
    /// The span of the call that caused this one.
    parent: SpanId,
}

impl Context {
    /// The context of a client's call.
    pub(crate) fn of_client(trace: Option<Arc<Trace>>) -> Context {
        let chain = trace.map(|trace| {
            let traced = Traced {
                span: trace.root(),
                function: trace.next_span(),
                parent: trace.root(),
                trace,
            };
            Arc::new(Link {
                step: None,
                length: 0,
                traced: Some(traced),
            })
        });
        Context { chain }
    }

    /// The context of a command that `from` forwards to, or causes as a side effect.
    pub(crate) fn followed(&self, how: How, from: &Arc<Method>) -> Context {
        let traced = self.traced().map(|caller| Traced {
            trace: caller.trace.clone(),
            span: caller.trace.next_span(),
            function: caller.trace.next_span(),
            parent: caller.span,
        });
        let step = Step {
            how,
            from: from.clone(),
            before: self.clone(),
        };
        let link = Link {
            step: Some(step),
            length: self.length() + 1,
            traced,
        };
        Context {
            chain: Some(Arc::new(link)),
        }
    }

    /// Forwards and effects behind this call.
    pub(crate) fn length(&self) -> usize {
        self.chain.as_ref().map_or(0, |link| link.length)
    }

    /// The chain as text, innermost first, each on a line of its own.
    pub(crate) fn chain(&self) -> String {
        let mut text = String::new();
        let mut next = self;
        while let Some(Step { how, from, before }) = next.chain.as_ref().and_then(|link| link.step.as_ref()) {
            let how = match how {
                How::Forward => "forwarded from",
                How::Effect => "side-effect of",
            };
            text.push_str(&format!("\n  {how} {}.{}", from.service.name, from.name));
            next = before;
        }
        text
    }

    /// Its place in a trace, if it belongs to one.
    pub(crate) fn traced(&self) -> Option<&Traced> {
        self.chain.as_ref()?.traced.as_ref()
    }

    /// Its place in a trace that is recorded.
    pub(crate) fn sampled(&self) -> Option<&Traced> {
        self.traced().filter(|traced| traced.trace.is_sampled())
    }

    /// The trace that it belongs to.
    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        self.traced().map(|traced| traced.trace.id())
    }

    /// Puts the trace into metadata for the function. What the metadata says of another one is replaced, unless this
    /// process takes no part in the trace: then the function, which may, knows better.
    pub(crate) fn write(&self, mut metadata: Metadata) -> Metadata {
        let known = |traced: &&Traced| traced.trace.is_passed_on() && metadata.get(TRACEPARENT).is_some();
        if let Some(traced) = self.traced().filter(|traced| !known(traced)) {
            metadata.set(TRACEPARENT, traced.trace.parent_of(traced.function));
            metadata.remove(TRACESTATE);
            if let Some(state) = traced.trace.state() {
                metadata.push(TRACESTATE, state);
            }
        }
        metadata
    }

    /// What the call is, in one or two words.
    pub(crate) fn how(&self) -> &'static str {
        let step = self.chain.as_ref().and_then(|link| link.step.as_ref());
        match step.map(|step| step.how) {
            None => "call",
            Some(How::Forward) => "forward",
            Some(How::Effect) => "side effect",
        }
    }
}

impl Traced {
    /// A span of something that is done for this call, if it is recorded.
    pub(crate) fn child(&self, id: SpanId, name: String) -> Option<Span<'_>> {
        self.trace.span(id, self.span, name)
    }

    /// Records the span of this call, a forward or effect, which ends now.
    pub(crate) fn end(&self, name: String, began: Instant, error: Option<String>) {
        if let Some(span) = self.trace.span(self.span, self.parent, name) {
            span.error(error).end(began, Instant::now());
        }
    }
}
