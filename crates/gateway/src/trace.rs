//! The trace that a request belongs to, and its span here.

use std::sync::Arc;
use std::time::Instant;

use cloudstate_runtime::Code;
use cloudstate_telemetry::trace::{Caller, Kind, TRACEPARENT, TRACESTATE, Trace, Tracer, Value};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::metrics::{MethodCounters, code_name};

/// A request that is traced. Its span ends with the request.
#[derive(Debug)]
pub(crate) struct Traced {
    trace: Arc<Trace>,
    http: Option<Http>,
}

/// What is known of a request that is not gRPC.
#[derive(Debug)]
struct Http {
    method: Arc<str>,
    path: Arc<str>,
}

impl Traced {
    /// Begins, in the trace that the caller names or in a new one. Without a tracer, the caller's is passed on.
    pub(crate) fn begin(tracer: Option<&Tracer>, head: &Parts) -> Option<Box<Self>> {
        let caller = caller(&head.headers);
        let trace = match tracer {
            Some(tracer) => tracer.begin(caller),
            None => Trace::passed_on(caller?),
        };
        Some(Box::new(Traced { trace, http: None }))
    }

    /// The same for a request that is not gRPC.
    pub(crate) fn begin_http(tracer: Option<&Tracer>, head: &Parts) -> Option<Box<Self>> {
        let mut traced = Self::begin(tracer, head)?;
        traced.http = traced.trace.is_sampled().then(|| Http {
            method: head.method.as_str().into(),
            path: head.uri.path().into(),
        });
        Some(traced)
    }

    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    /// The request is answered.
    pub(crate) fn end(self, of: &MethodCounters, code: Option<Code>, began: Instant) {
        let name = format!("{}/{}", of.service, of.method);
        let Some(mut span) = self.trace.root_span(name) else {
            return;
        };
        span = span
            .kind(Kind::Server)
            .attribute("rpc.system", Value::Word("grpc"))
            .attribute("rpc.service", Value::Text(of.service.clone()))
            .attribute("rpc.method", Value::Text(of.method.clone()))
            .attribute(
                "rpc.grpc.status_code",
                Value::Number(code.map_or(0, |code| code as i64)),
            );
        if let Some(http) = self.http {
            span = span
                .attribute("http.request.method", Value::Text(http.method))
                .attribute("url.path", Value::Text(http.path));
        }
        let error = code.filter(|code| is_of_server(*code)).map(code_name);
        span.error(error).end(began, Instant::now());
    }
}

/// Codes that are the server's fault, by OpenTelemetry's conventions.
fn is_of_server(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn caller(headers: &HeaderMap) -> Option<Caller> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let parent = parents.next()?;
    // Two parents cannot both be right.
    if parents.next().is_some() {
        return None;
    }
    let state = headers.get_all(TRACESTATE);
    Caller::read(parent.as_bytes(), state.iter().map(HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &'static str)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn a_caller_is_one_parent_and_any_number_of_states() {
        let read = caller(&headers(&[
            (TRACEPARENT, PARENT),
            (TRACESTATE, "a=1"),
            (TRACESTATE, "b=2"),
        ]));
        assert_eq!(read.unwrap().state.as_deref(), Some("a=1,b=2"));
        assert_eq!(
            caller(&headers(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)])),
            None
        );
        assert_eq!(caller(&headers(&[(TRACESTATE, "a=1")])), None);
        assert_eq!(caller(&headers(&[(TRACEPARENT, "00-1-2-01")])), None);
    }
}
