//! What a collector is told about calls through a whole proxy.

use std::collections::BTreeMap;

use cloudstate_otlp_collector::{Answer, Collector, Span, attribute};
use cloudstate_protocol::EntitySpec;

use crate::harness::messages::Messages;
use crate::harness::{CELL, Client, Function, JOB, LOG, Proxy, add, ask, read, run, whole};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OUT: &str = "/whole.Job/Out";

/// A proxy whose calls are traced.
struct Traced {
    collector: Collector,
    function: Function,
    proxy: Proxy,
    client: Client,
}

impl Traced {
    async fn start(flags: &[(&str, &str)]) -> Self {
        let collector = Collector::start();
        let function = Function::start(telling());
        let endpoint = collector.endpoint();
        let mut all = vec![
            ("tracing.endpoint", endpoint.as_str()),
            ("tracing.interval", "1ms"),
        ];
        all.extend(flags);
        let proxy = Proxy::start(function.port, &all);
        let client = proxy.client().await;
        Traced {
            collector,
            function,
            proxy,
            client,
        }
    }

    async fn named(&self, names: &[&str]) -> Spans {
        Spans(self.collector.spans_named(names).await)
    }
}

/// The declaration whose value entity wants metadata, and whose event sourced one does not.
fn telling() -> EntitySpec {
    let mut spec = whole();
    spec.entities[1].command_metadata = true;
    spec
}

struct Spans(Vec<Span>);

impl Spans {
    /// The only span of this name.
    fn only(&self, name: &str) -> &Span {
        let mut found = self.0.iter().filter(|span| span.name == name);
        match (found.next(), found.next()) {
            (Some(span), None) => span,
            _ => panic!("not one {name} in {:#?}", self.names()),
        }
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn by_id(&self) -> BTreeMap<&[u8], &Span> {
        self.0.iter().map(|span| (&span.span_id[..], span)).collect()
    }

    /// The name of a span's parent.
    fn parent(&self, span: &Span) -> Option<&str> {
        self.by_id()
            .get(&span.parent_span_id[..])
            .map(|parent| parent.name.as_str())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `traceparent` that names a span of the trace of these tests.
fn told(span: &Span) -> String {
    format!("00-{TRACE}-{}-01", hex(&span.span_id))
}

fn error(span: &Span) -> Option<&str> {
    span.status.as_ref().map(|status| status.message.as_str())
}

#[test]
fn one_trace_shows_the_chain_over_forward_turn_commit_and_side_effect() {
    run(async {
        let traced = Traced::start(&[]).await;
        let entity = add("l", "x").effect(CELL, add("c", "y"), false);
        let request = add("j", "").forward(LOG, entity);
        let headers = [("traceparent", PARENT), ("tracestate", "vendor=1")];
        let answer = traced.client.call_with(JOB, &headers, &request).await;
        assert_eq!((answer.status().0, answer.text().as_str()), (0, "x"));

        let spans = traced
            .named(&["whole.Job/Act", "side effect whole.Cell/Act"])
            .await;
        let parents: Vec<(&str, Option<&str>)> = [
            "whole.Job/Act",
            "function whole.Job/Act",
            "forward whole.Log/Act",
            "activate whole.Log",
            "turn whole.Log/Act",
            "function whole.Log/Act",
            "side effect whole.Cell/Act",
            "activate whole.Cell",
            "turn whole.Cell/Act",
            "function whole.Cell/Act",
        ]
        .map(|name| (name, spans.parent(spans.only(name))))
        .into();
        assert_eq!(
            parents,
            [
                ("whole.Job/Act", None),
                ("function whole.Job/Act", Some("whole.Job/Act")),
                ("forward whole.Log/Act", Some("whole.Job/Act")),
                ("activate whole.Log", Some("forward whole.Log/Act")),
                ("turn whole.Log/Act", Some("forward whole.Log/Act")),
                ("function whole.Log/Act", Some("turn whole.Log/Act")),
                ("side effect whole.Cell/Act", Some("forward whole.Log/Act")),
                ("activate whole.Cell", Some("side effect whole.Cell/Act")),
                ("turn whole.Cell/Act", Some("side effect whole.Cell/Act")),
                ("function whole.Cell/Act", Some("turn whole.Cell/Act")),
            ]
        );
        let mut commits: Vec<_> = spans
            .0
            .iter()
            .filter(|span| span.name == "commit")
            .map(|span| spans.parent(span))
            .collect();
        commits.sort_unstable();
        assert_eq!(commits, [Some("turn whole.Cell/Act"), Some("turn whole.Log/Act")]);
        assert_eq!(spans.0.len(), 12, "{:#?}", spans.names());

        assert_eq!(
            hex(&spans.only("whole.Job/Act").parent_span_id),
            "00f067aa0ba902b7"
        );
        let by_id = spans.by_id();
        for span in &spans.0 {
            assert_eq!(hex(&span.trace_id), TRACE, "{}", span.name);
            assert_eq!(span.trace_state, "vendor=1");
            assert_eq!(error(span), None, "{}", span.name);
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            if let Some(parent) = by_id.get(&span.parent_span_id[..]) {
                assert!(
                    parent.start_time_unix_nano <= span.start_time_unix_nano,
                    "{} began before {}",
                    span.name,
                    parent.name
                );
            }
        }
        let turn = spans.only("turn whole.Log/Act");
        assert_eq!(attribute(turn, "cloudstate.entity.id").as_deref(), Some("l"));
        assert_eq!(
            attribute(turn, "cloudstate.entity.kind").as_deref(),
            Some("event_sourced")
        );

        // The function is told its own span, where it wants metadata.
        let log = traced.function.log();
        let call = format!("call traced by {}", told(spans.only("function whole.Job/Act")));
        let cell = format!("c traced by {}", told(spans.only("function whole.Cell/Act")));
        assert!(log.contains(&call) && log.contains(&cell), "{log:#?}");
        assert!(!log.iter().any(|line| line.starts_with("l traced")), "{log:#?}");
    });
}

#[test]
fn waiting_failing_and_streaming_show() {
    run(async {
        let traced = Traced::start(&[]).await;
        let Traced { client, function, .. } = &traced;
        let first = client.begin(LOG, &ask("a", "hold, add", "x")).await;
        function.saw("a: command 1 hold, add x").await;
        let second = client.begin(LOG, &ask("a", "decline", "no")).await;
        traced
            .proxy
            .scrape_until(|scrape| scrape.log("queued_commands") == 1.0)
            .await;
        function.release();
        assert_eq!(first.answer().await.status().0, 0);
        assert_eq!(second.answer().await.status().0, 2);
        assert_eq!(
            client
                .call(CELL, &ask("b", "fail the stream", ""))
                .await
                .status()
                .0,
            2
        );
        assert_eq!(
            client
                .call(JOB, &ask("b", "end with a status", "gone"))
                .await
                .status()
                .0,
            5
        );
        let answer = client.call(OUT, &ask("b", "count", "3")).await;
        assert_eq!(answer.texts(), ["0", "1", "2"]);

        let spans = traced.named(&["whole.Job/Out"]).await;
        let turns: Vec<_> = spans
            .0
            .iter()
            .filter(|span| span.name == "turn whole.Log/Act")
            .collect();
        let of = |declined: &str| {
            let declined = Some(declined.to_owned());
            let mut turns = turns
                .iter()
                .filter(|turn| attribute(turn, "cloudstate.turn.declined") == declined);
            *turns.next().expect("a turn")
        };
        let waited = |turn| {
            attribute(turn, "cloudstate.turn.waited_us")
                .expect("it is told")
                .parse::<i64>()
                .expect("a number")
        };
        // The first was received before the entity was loaded, the second while the first had its turn.
        assert!(waited(of("true")) > 0);
        assert!(of("true").start_time_unix_nano >= of("false").end_time_unix_nano);
        assert_ne!(of("true").trace_id, of("false").trace_id);
        // Declining is an answer, but no success for the caller.
        assert_eq!(error(of("true")), None);
        assert!(
            spans
                .0
                .iter()
                .any(|span| span.name == "whole.Log/Act" && error(span) == Some("UNKNOWN"))
        );

        assert_eq!(error(spans.only("whole.Cell/Act")), Some("UNKNOWN"));
        let failed = error(spans.only("turn whole.Cell/Act")).expect("it failed");
        assert!(failed.contains("Unexpected"), "{failed}");
        assert_eq!(error(spans.only("function whole.Job/Act")), Some("gone"));
        assert_eq!(
            error(spans.only("whole.Job/Act")),
            None,
            "NOT_FOUND is the caller's"
        );
        let (stream, call) = (spans.only("function whole.Job/Out"), spans.only("whole.Job/Out"));
        assert_eq!(stream.parent_span_id, call.span_id);
        assert_eq!((error(stream), error(call)), (None, None));
        assert!(call.end_time_unix_nano >= stream.end_time_unix_nano);
    });
}

#[test]
fn callers_and_the_ratio_decide_what_is_recorded() {
    run(async {
        let traced = Traced::start(&[("tracing.ratio", "0")]).await;
        let call = async |parent: &str, text: &str| {
            let headers = [("traceparent", parent)];
            let headers: &[_] = if parent.is_empty() { &[] } else { &headers };
            traced
                .client
                .call_with(JOB, headers, &add("j", text))
                .await
                .text()
        };
        let unsampled = PARENT.replace("-01", "-00");
        call("", "a").await;
        call(&unsampled, "b").await;
        call(PARENT, "c").await;
        let spans = traced.named(&["whole.Job/Act"]).await;
        assert_eq!(spans.names(), ["function whole.Job/Act", "whole.Job/Act"]);
        // Those that are not recorded are passed on as such, the one without a caller too.
        let log = traced.function.log();
        let told: Vec<_> = log
            .iter()
            .filter_map(|line| line.strip_prefix("call traced by "))
            .collect();
        assert_eq!(told.len(), 3, "{log:#?}");
        assert!(told[0].ends_with("-00") && !told[0].contains(TRACE), "{told:?}");
        assert!(
            told[1].starts_with(&format!("00-{TRACE}-")) && told[1].ends_with("-00"),
            "{told:?}"
        );
        assert!(
            told[2].starts_with(&format!("00-{TRACE}-")) && told[2].ends_with("-01"),
            "{told:?}"
        );
    });
}

#[test]
fn callers_need_not_be_believed() {
    run(async {
        let flags = [("tracing.sampler", "traceidratio"), ("tracing.ratio", "0")];
        let traced = Traced::start(&flags).await;
        let headers = [("traceparent", PARENT)];
        traced.client.call_with(JOB, &headers, &add("j", "a")).await;
        let seen = traced.proxy.scrape().await;
        let spans = |outcome| seen.value("cloudstate_tracing_spans_total", &[("outcome", outcome)]);
        assert_eq!(
            (spans("exported"), spans("dropped"), spans("lost")),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(seen.value("cloudstate_tracing_queued_spans", &[]), 0.0);
        traced.proxy.stop().await;
        assert_eq!(traced.collector.exports().len(), 0);
    });
}

#[test]
fn a_slow_collector_costs_spans_and_no_call() {
    run(async {
        let traced = Traced::start(&[("tracing.queue", "10")]).await;
        traced.collector.answer([Answer::Hold]);
        traced.client.text(JOB, add("j", "held")).await;
        traced.named(&["function whole.Job/Act"]).await;
        for number in 0..20 {
            assert_eq!(traced.client.text(CELL, add(&number.to_string(), "x")).await, "x");
        }
        let dropped = [("outcome", "dropped")];
        let name = "cloudstate_tracing_spans_total";
        traced
            .proxy
            .scrape_until(|scrape| scrape.value(name, &dropped) >= 80.0)
            .await;
        traced.collector.release();
        let exported = [("outcome", "exported")];
        traced
            .proxy
            .scrape_until(|scrape| scrape.value(name, &exported) >= 10.0)
            .await;
        let seen = traced.proxy.scrape().await;
        // Each call of an entity that becomes active is five spans, one of an action two.
        assert_eq!(seen.value(name, &dropped) + seen.value(name, &exported), 102.0);
    });
}

#[test]
fn the_last_spans_are_sent_at_shutdown() {
    run(async {
        let flags = [("tracing.interval", "1h"), ("runtime.drain-timeout", "30s")];
        let Traced {
            collector,
            proxy,
            client,
            function,
        } = Traced::start(&flags).await;
        for text in ["a", "b"] {
            client.text(JOB, add("j", text)).await;
        }
        assert_eq!(collector.exports().len(), 0);
        drop(client);
        proxy.stop().await;
        assert_eq!(collector.spans().len(), 4);
        let resource = &collector.exports()[0].resource;
        assert!(
            resource.contains(&("service.name".to_owned(), "cloudstate-proxy".to_owned())),
            "{resource:?}"
        );
        drop(function);
    });
}

#[test]
fn a_collector_that_is_not_there_disturbs_nothing() {
    run(async {
        let gone = Collector::start().endpoint();
        let traced = Traced::start(&[("tracing.endpoint", gone.as_str())]).await;
        traced.client.text(LOG, add("a", "x")).await;
        assert_eq!(traced.client.text(LOG, read("a")).await, "x");
        let failed = "cloudstate_tracing_failed_exports_total";
        traced
            .proxy
            .scrape_until(|scrape| scrape.value(failed, &[]) >= 1.0)
            .await;
        drop(traced.client);
        traced.proxy.stop().await;
    });
}

#[test]
fn messages_about_a_traced_call_name_its_trace() {
    run(async {
        let messages = Messages::listen();
        let traced = Traced::start(&[]).await;
        // A trace that no other test has.
        let trace = TRACE.replace('4', "9");
        let parent = PARENT.replace(TRACE, &trace);
        let headers = [("traceparent", parent.as_str())];
        let effect = add("j", "x").effect(LOG, ask("m", "fail the stream", ""), true);
        traced.client.call_with(JOB, &headers, &effect).await;
        let named = format!("\"trace_id\":\"{trace}\"");
        // By the entity, and by the call that it was a side effect of.
        messages
            .saw(&[&named, "\"entity\":\"m\"", "\"level\":\"ERROR\""])
            .await;
        messages
            .saw(&[&named, "a side effect failed", "\"service\":\"whole.Log\""])
            .await;
        let nowhere = add("j", "x").forward("/whole.Nowhere/Act", add("n", "x"));
        traced.client.call_with(JOB, &headers, &nowhere).await;
        messages.saw(&[&named, "Service [whole.Nowhere] unknown"]).await;
    });
}

#[test]
fn without_a_collector_the_callers_context_is_passed_on_as_it_is() {
    run(async {
        let function = Function::start(telling());
        let proxy = Proxy::start(function.port, &[]);
        let client = proxy.client().await;
        let headers = [("traceparent", PARENT)];
        client.call_with(JOB, &headers, &add("j", "a")).await;
        function.saw(&format!("call traced by {PARENT}")).await;
        client.call_with(CELL, &headers, &add("c", "a")).await;
        function.saw(&format!("c traced by {PARENT}")).await;
        // Those that follow too: the functions of one chain may be traced without us.
        let effect = add("e", "x").effect(CELL, add("f", "x"), true);
        let request = add("j", "").forward(CELL, effect);
        client.call_with(JOB, &headers, &request).await;
        for entity in ["e", "f"] {
            function.saw(&format!("{entity} traced by {PARENT}")).await;
        }
        client.text(CELL, add("g", "x")).await;
        assert!(!function.log().iter().any(|line| line.starts_with("g traced")));
    });
}

#[test]
fn roots_that_cannot_be_read_end_the_start() {
    run(async {
        let flags = [
            ("tracing.endpoint", "https://localhost:1"),
            ("tracing.ca", "/nowhere/ca.pem"),
        ];
        let error = Proxy::start(1, &flags)
            .ended()
            .await
            .expect_err("it cannot start")
            .to_string();
        assert!(
            error.contains("/nowhere/ca.pem") && error.contains("tracing.ca"),
            "{error}"
        );
    });
}
