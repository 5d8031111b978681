//! Begins traces and queues their spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::caller::write_parent;
use super::ids::Ids;
use super::span::cut;
use super::{Caller, Finished, Kind, Sampler, Span, SpanId, TraceId};

/// Begins traces. Clones share the queue; they may be used from any thread.
#[derive(Debug, Clone)]
pub struct Tracer {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Finished>,
}

#[derive(Debug)]
struct Shared {
    sampler: Sampler,
    ids: Ids,
    counts: Arc<Counts>,
}

/// What became of spans, over all threads.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken into the queue.
    pub queued: AtomicU64,
    /// Dropped because the queue was full.
    pub dropped: AtomicU64,
}

/// Finished spans, for an exporter.
#[derive(Debug)]
pub struct Spans(mpsc::Receiver<Finished>);

impl Tracer {
    /// A tracer, and where its spans come out. The queue holds at most so many.
    pub fn new(sampler: Sampler, queue: usize) -> (Tracer, Spans) {
        let (queue, spans) = mpsc::channel(queue.max(1));
        let shared = Shared {
            sampler,
            ids: Ids::default(),
            counts: Arc::default(),
        };
        let shared = Arc::new(shared);
        (Tracer { shared, queue }, Spans(spans))
    }

    /// Begins what this process has of a trace, which is a new one unless the caller names one.
    pub fn begin(&self, caller: Option<Caller>) -> Arc<Trace> {
        let ids = &self.shared.ids;
        let id = caller.as_ref().map_or_else(|| ids.trace(), |caller| caller.trace);
        let sampled = self.shared.sampler.records(id, caller.as_ref());
        let (caller, state) = caller.map(|caller| (caller.span, caller.state)).unzip();
        Arc::new(Trace {
            id,
            sampled,
            caller,
            state: state.flatten(),
            root: ids.span(),
            began: Instant::now(),
            began_unix_ns: unix_ns(),
            tracer: Some(self.clone()),
        })
    }

    /// What became of spans.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.shared.counts
    }
}

impl Spans {
    /// Waits for spans and takes at most `limit`. None: all tracers are gone, and what they queued was taken.
    /// Cancel-safe.
    pub async fn take(&mut self, into: &mut Vec<Finished>, limit: usize) -> usize {
        self.0.recv_many(into, limit).await
    }

    /// Takes what is there now, at most `limit`.
    pub fn take_now(&mut self, into: &mut Vec<Finished>, limit: usize) {
        into.extend(std::iter::from_fn(|| self.0.try_recv().ok()).take(limit));
    }
}

/// What this process has of one trace: its root span and all below. Shared by everything that a call leads to.
#[derive(Debug)]
pub struct Trace {
    id: TraceId,
    sampled: bool,
    /// The span of another process that caused the root.
    caller: Option<SpanId>,
    state: Option<Box<str>>,
    root: SpanId,
    /// One pair of clocks for all spans, so that the system's clock may be set without tearing them apart.
    began: Instant,
    began_unix_ns: u64,
    /// `None`: this process takes no part in it.
    tracer: Option<Tracer>,
}

impl Trace {
    /// A trace that this process takes no part in: whoever is called on its behalf is told what the caller told.
    pub fn passed_on(caller: Caller) -> Arc<Trace> {
        Arc::new(Trace {
            id: caller.trace,
            sampled: caller.sampled,
            caller: Some(caller.span),
            state: caller.state,
            root: caller.span,
            began: Instant::now(),
            began_unix_ns: 0,
            tracer: None,
        })
    }

    /// Whether this process takes no part in it.
    pub fn is_passed_on(&self) -> bool {
        self.tracer.is_none()
    }

    /// Its id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Its root in this process.
    pub fn root(&self) -> SpanId {
        self.root
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether its spans are recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled && self.tracer.is_some()
    }

    /// What tracing systems pass on.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The value of `traceparent` for whoever is called on behalf of a span.
    pub fn parent_of(&self, span: SpanId) -> String {
        write_parent(self.id, span, self.sampled)
    }

    /// An id for one more span; of a trace that is only passed on, the caller's.
    pub fn next_span(&self) -> SpanId {
        let tracer = self.tracer.as_ref();
        tracer.map_or(self.root, |tracer| tracer.shared.ids.span())
    }

    /// The root, if it is recorded.
    pub fn root_span(&self, name: String) -> Option<Span<'_>> {
        self.new_span(self.root, self.caller, true, name)
    }

    /// A span below another one of this process, if it is recorded.
    pub fn span(&self, id: SpanId, parent: SpanId, name: String) -> Option<Span<'_>> {
        self.new_span(id, Some(parent), false, name)
    }

    fn new_span(
        &self,
        id: SpanId,
        parent: Option<SpanId>,
        is_parent_remote: bool,
        name: String,
    ) -> Option<Span<'_>> {
        self.is_sampled().then(|| Span {
            trace: self,
            span: Finished {
                trace: self.id,
                id,
                parent,
                is_parent_remote,
                state: self.state.clone(),
                name: cut(name),
                kind: Kind::Internal,
                began_unix_ns: 0,
                ended_unix_ns: 0,
                attributes: Vec::new(),
                error: None,
            },
        })
    }

    pub(super) fn unix_ns(&self, at: Instant) -> u64 {
        let since = |earlier, later: Instant| {
            u64::try_from(later.duration_since(earlier).as_nanos()).unwrap_or(u64::MAX)
        };
        if at >= self.began {
            self.began_unix_ns.saturating_add(since(self.began, at))
        } else {
            self.began_unix_ns.saturating_sub(since(at, self.began))
        }
    }

    pub(super) fn record(&self, span: Finished) {
        let Some(tracer) = &self.tracer else { return };
        let counts = &tracer.shared.counts;
        let outcome = match tracer.queue.try_send(span) {
            Ok(()) => &counts.queued,
            Err(_) => &counts.dropped,
        };
        outcome.fetch_add(1, Relaxed);
    }
}

/// A clock before 1970 is 1970.
fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::Value;

    const ALL: Sampler = Sampler {
        by_caller: true,
        ratio: 1.0,
    };

    fn taken(spans: &mut Spans) -> Vec<Finished> {
        let mut taken = Vec::new();
        spans.take_now(&mut taken, 100);
        taken
    }

    #[test]
    fn spans_name_their_trace_parent_and_times() {
        let (tracer, mut spans) = Tracer::new(ALL, 10);
        let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let caller = Caller::read(parent, [&b"a=1"[..]]);
        let trace = tracer.begin(caller.clone());
        let (began, later) = (trace.began(), Duration::from_millis(3));
        let child = trace.next_span();
        let span = trace.span(child, trace.root(), "turn".to_owned()).unwrap();
        span.attribute("n", Value::Number(1))
            .error(Some("no"))
            .end(began, began + later);
        let root = trace.root_span("call".to_owned()).unwrap();
        root.kind(Kind::Server).end(began, began + later);
        let [turn, call] = &taken(&mut spans)[..] else {
            panic!("two spans")
        };
        assert_eq!(
            (turn.id, turn.parent, turn.is_parent_remote),
            (child, Some(call.id), false)
        );
        assert_eq!(
            (call.parent, call.is_parent_remote),
            (caller.map(|caller| caller.span), true)
        );
        assert_eq!(turn.ended_unix_ns - turn.began_unix_ns, 3_000_000);
        assert_eq!(turn.error.as_deref(), Some("no"));
        assert_eq!(call.state.as_deref(), Some("a=1"));
        assert_eq!((call.trace, turn.trace), (trace.id(), trace.id()));
        assert!(trace.parent_of(child).ends_with(&format!("{child}-01")));
    }

    #[test]
    fn what_is_not_sampled_is_passed_on_but_not_recorded() {
        let (tracer, mut spans) = Tracer::new(Sampler { ratio: 0.0, ..ALL }, 10);
        let trace = tracer.begin(None);
        assert!(trace.root_span("call".to_owned()).is_none());
        assert!(trace.parent_of(trace.root()).ends_with("-00"));
        assert_eq!(taken(&mut spans), []);
    }

    #[test]
    fn what_is_passed_on_is_told_as_it_was() {
        for flags in ["00", "01"] {
            let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            let caller = Caller::read(parent.as_bytes(), [&b"a=1"[..]]).unwrap();
            let trace = Trace::passed_on(caller);
            assert!(trace.is_passed_on() && !trace.is_sampled());
            assert_eq!(trace.parent_of(trace.next_span()), parent);
            assert_eq!(trace.state(), Some("a=1"));
            assert!(trace.root_span("call".to_owned()).is_none());
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (tracer, mut spans) = Tracer::new(ALL, 2);
        let trace = tracer.begin(None);
        for _ in 0..5 {
            trace
                .root_span("call".to_owned())
                .unwrap()
                .end(trace.began(), trace.began());
        }
        let counts = tracer.counts();
        assert_eq!(
            (counts.queued.load(Relaxed), counts.dropped.load(Relaxed)),
            (2, 3)
        );
        assert_eq!(taken(&mut spans).len(), 2);
        trace
            .root_span("call".to_owned())
            .unwrap()
            .end(trace.began(), trace.began());
        assert_eq!(taken(&mut spans).len(), 1);
    }
}
