//! What a collector gets, when, and what happens when it does not take it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cloudstate_otlp::{Counts, Exporter, Options};
use cloudstate_otlp_collector::{Answer, Code, Collector, Identity, ServerTlsConfig, attribute};
use cloudstate_telemetry::trace::{Caller, Kind, Sampler, Trace, Tracer, Value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

/// An exporter at work.
struct Exporting {
    tracer: Tracer,
    counts: Arc<Counts>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporting {
    fn start(options: Options) -> Self {
        let (tracer, spans) = Tracer::new(
            Sampler {
                by_caller: true,
                ratio: 1.0,
            },
            100,
        );
        let exporter = Exporter::new(options, spans).expect("they can be used");
        let (counts, shutdown) = (exporter.counts().clone(), CancellationToken::new());
        let task = tokio::spawn(exporter.run(shutdown.clone()));
        Exporting {
            tracer,
            counts,
            shutdown,
            task,
        }
    }

    fn span(&self, name: &str) -> Arc<Trace> {
        let trace = self.tracer.begin(None);
        trace
            .root_span(name.to_owned())
            .unwrap()
            .end(trace.began(), trace.began());
        trace
    }

    async fn end(self) -> (u64, u64, u64) {
        self.shutdown.cancel();
        self.task.await.expect("it does not panic");
        (
            self.counts.exported.load(Relaxed),
            self.counts.lost.load(Relaxed),
            self.counts.failures.load(Relaxed),
        )
    }
}

fn options(collector: &Collector) -> Options {
    Options {
        endpoint: collector.endpoint(),
        interval: Duration::from_millis(1),
        first_retry: Duration::from_millis(1),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_span_arrives_as_it_was_recorded() {
    let collector = Collector::start();
    let exporting = Exporting::start(Options {
        headers: vec![("X-Key".to_owned(), "secret".to_owned())],
        resource: vec![("service.name".to_owned(), "carts".to_owned())],
        ..options(&collector)
    });
    let parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = exporting.tracer.begin(Caller::read(parent, [&b"a=1"[..]]));
    let (began, child) = (trace.began(), trace.next_span());
    let span = trace.span(child, trace.root(), "turn".to_owned()).unwrap();
    span.attribute("text", Value::Text("t".into()))
        .attribute("word", Value::Word("w"))
        .attribute("number", Value::Number(-1))
        .attribute("flag", Value::Flag(true))
        .error(Some("it broke"))
        .end(began + SECOND, began + 2 * SECOND);
    let root = trace.root_span("call".to_owned()).unwrap();
    root.kind(Kind::Server).end(began, began + 3 * SECOND);

    let exports = collector
        .exports_until(|exports| exports.iter().flat_map(|export| &export.spans).count() == 2)
        .await;
    let spans = collector.spans();
    let [turn, call] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(
        (turn.trace_id.as_slice(), turn.span_id.as_slice()),
        (&trace.id().bytes()[..], &child.bytes()[..])
    );
    assert_eq!(
        (turn.parent_span_id.as_slice(), call.span_id.as_slice()),
        (&trace.root().bytes()[..], &trace.root().bytes()[..])
    );
    assert_eq!(call.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!((turn.kind, call.kind), (1, 2), "internal, server");
    // Sampled; it is known whether the parent is remote; it is.
    assert_eq!((turn.flags, call.flags), (0x101, 0x301));
    assert_eq!(call.trace_state, "a=1");
    assert_eq!(
        turn.start_time_unix_nano - call.start_time_unix_nano,
        1_000_000_000
    );
    assert_eq!(turn.end_time_unix_nano - turn.start_time_unix_nano, 1_000_000_000);
    let status = turn.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "it broke"));
    assert!(call.status.is_none());
    for (name, value) in [("text", "t"), ("word", "w"), ("number", "-1"), ("flag", "true")] {
        assert_eq!(attribute(turn, name).as_deref(), Some(value));
    }
    assert_eq!(
        exports[0].resource,
        [("service.name".to_owned(), "carts".to_owned())]
    );
    assert_eq!(exports[0].scope, "cloudstate");
    assert!(
        exports[0]
            .headers
            .contains(&("x-key".to_owned(), "secret".to_owned()))
    );
    assert_eq!(exporting.end().await, (2, 0, 0));
}

#[tokio::test]
async fn spans_are_sent_together_when_they_are_enough_or_old_enough() {
    let collector = Collector::start();
    let exporting = Exporting::start(Options {
        batch: 3,
        interval: 3600 * SECOND,
        ..options(&collector)
    });
    for name in ["a", "b", "c", "d"] {
        exporting.span(name);
    }
    // The fourth would wait for an hour, but for the shutdown.
    let full = collector.exports_until(|exports| !exports.is_empty()).await;
    assert_eq!(full[0].spans.len(), 3);
    assert_eq!(exporting.end().await, (4, 0, 0));
    let sizes: Vec<_> = collector
        .exports()
        .iter()
        .map(|export| export.spans.len())
        .collect();
    assert_eq!(sizes, [3, 1]);
}

#[tokio::test]
async fn what_may_be_sent_again_is_until_it_is_taken() {
    let collector = Collector::start();
    collector.answer([Answer::Refuse(Code::Unavailable), Answer::Refuse(Code::Aborted)]);
    let exporting = Exporting::start(options(&collector));
    exporting.span("a");
    let exports = collector.exports_until(|exports| exports.len() == 3).await;
    assert!(exports.iter().all(|export| export.spans == exports[0].spans));
    assert_eq!(exporting.end().await, (1, 0, 2));
}

#[tokio::test]
async fn what_may_not_be_sent_again_or_was_too_often_is_given_up() {
    let collector = Collector::start();
    let unavailable = || Answer::Refuse(Code::Unavailable);
    collector.answer([
        Answer::Refuse(Code::PermissionDenied),
        unavailable(),
        unavailable(),
        Answer::TakeAllBut(1),
    ]);
    let exporting = Exporting::start(Options {
        attempts: 2,
        ..options(&collector)
    });
    for (name, exports) in [("a", 1), ("b", 3), ("c", 4)] {
        exporting.span(name);
        let seen = collector.exports_until(|seen| seen.len() == exports).await;
        assert_eq!(seen.last().unwrap().spans[0].name, name);
    }
    // The third was taken, but not wanted.
    assert_eq!(exporting.end().await, (0, 3, 3));
}

#[tokio::test]
async fn a_collector_that_comes_late_gets_what_was_kept() {
    let gone = Collector::start();
    let port = gone.port();
    let options = Options {
        attempts: 1000,
        ..options(&gone)
    };
    drop(gone);
    let exporting = Exporting::start(options);
    exporting.span("a");
    while exporting.counts.failures.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let collector = Collector::start_on(port, None);
    collector.spans_named(&["a"]).await;
    let (exported, lost, failures) = exporting.end().await;
    assert_eq!((exported, lost), (1, 0));
    assert!(failures > 0);
}

#[tokio::test]
async fn a_queue_that_nobody_empties_drops_and_calls_go_on() {
    let collector = Collector::start();
    collector.answer([Answer::Hold]);
    let exporting = Exporting::start(options(&collector));
    exporting.span("held");
    collector.spans_named(&["held"]).await;
    for _ in 0..150 {
        exporting.span("a");
    }
    assert_eq!(exporting.tracer.counts().dropped.load(Relaxed), 50);
    collector.release();
    assert_eq!(exporting.end().await, (101, 0, 0));
    assert_eq!(collector.spans().len(), 101);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_collector_that_is_gone() {
    let gone = Collector::start();
    let options = Options {
        first_retry: 3600 * SECOND,
        ..options(&gone)
    };
    drop(gone);
    let exporting = Exporting::start(options);
    for _ in 0..10 {
        exporting.span("a");
    }
    let (exported, lost, _) = exporting.end().await;
    assert_eq!(exported, 0);
    assert!(lost > 0);
}

#[tokio::test]
async fn a_collector_that_speaks_tls_is_known_by_its_root() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(&certificate, key));
    let collector = Collector::start_on(0, Some(tls));
    let endpoint = format!("https://localhost:{}", collector.port());
    let trusting = Exporting::start(Options {
        endpoint: endpoint.clone(),
        roots: Some(certificate.into_bytes()),
        ..options(&collector)
    });
    trusting.span("a");
    collector.spans_named(&["a"]).await;
    assert_eq!(trusting.end().await, (1, 0, 0));
    // The system's roots know nothing of it.
    let wary = Exporting::start(Options {
        endpoint,
        attempts: 1,
        ..options(&collector)
    });
    wary.span("b");
    assert_eq!(wary.end().await, (0, 1, 1));
}

#[tokio::test]
async fn what_is_no_collector_is_refused_by_name() {
    let error = |options| {
        let (_, spans) = Tracer::new(
            Sampler {
                by_caller: true,
                ratio: 1.0,
            },
            1,
        );
        Exporter::new(options, spans).unwrap_err().to_string()
    };
    let text = error(Options {
        endpoint: "http://a b".to_owned(),
        ..Options::default()
    });
    assert!(text.contains("[http://a b]"), "{text}");
    let headers = vec![("x key".to_owned(), "secret".to_owned())];
    let text = error(Options {
        headers,
        ..Options::default()
    });
    assert!(text.contains("[x key]") && !text.contains("secret"), "{text}");
}
