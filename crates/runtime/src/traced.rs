//! What is recorded of a call that is traced.
//!
//! ```text
//!   shop.Orders/Place                 the client's call; the gateway's
//!   ├─ function shop.Orders/Place     an action, in the function
//!   └─ forward shop.Cart/AddItem      or: side effect …
//!      ├─ activate shop.Cart          opening the stream, loading and replaying the state
//!      └─ turn shop.Cart/AddItem
//!         ├─ function shop.Cart/AddItem
//!         └─ commit
//! ```
//!
//! Effects and forwards are children of the call that they follow from, also those that nobody awaits: they belong to the
//! one story that the trace tells, and an effect that outlives its call shows as just that.

use std::time::Instant;

use cloudstate_catalog::{EntityKind, Method, Service};
use cloudstate_entity::{Answer, CommitOutcome, TurnError};
use cloudstate_protocol::client_action::Action::Failure;
use cloudstate_store::EntityKey;
use cloudstate_telemetry::trace::{Kind, Span, SpanId, Value};

use crate::context::{Context, Traced};
use crate::{CallError, Replies};

/// The name of a method without its leading slash.
fn name(method: &Method) -> &str {
    method.path.trim_start_matches('/')
}

/// The span of what the function does for a command.
pub(crate) fn function<'a>(call: &'a Traced, parent: SpanId, method: &Method) -> Option<Span<'a>> {
    let span = call
        .trace
        .span(call.function, parent, format!("function {}", name(method)))?;
    Some(
        span.kind(Kind::Client)
            .attribute("rpc.system", Value::Word("grpc"))
            .attribute("rpc.service", Value::Text(method.service.name.clone()))
            .attribute("rpc.method", Value::Text(method.name.clone())),
    )
}

fn of_entity<'a>(span: Span<'a>, service: &Service, key: &EntityKey) -> Span<'a> {
    let kind = match service.kind {
        EntityKind::EventSourced => "event_sourced",
        EntityKind::Value => "value",
        EntityKind::Crdt => "crdt",
        EntityKind::Action => "action",
    };
    span.attribute("cloudstate.entity.kind", Value::Word(kind))
        .attribute("cloudstate.entity.service", Value::Text(service.name.clone()))
        .attribute("cloudstate.entity.id", Value::Text(key.entity_id().clone()))
}

/// The turn of an entity whose command is traced.
pub(crate) struct TurnSpan {
    context: Context,
    /// When the function had answered.
    replied: Option<Instant>,
    /// Microseconds that the command waited for others.
    waited_us: i64,
    id: SpanId,
}

impl TurnSpan {
    /// A turn begins for a command that waited since it was received. `None` if it is not traced.
    pub(crate) fn begin(context: &Context, received: Instant, began: Instant) -> Option<Box<Self>> {
        let call = context.traced()?;
        let waited = began.duration_since(received).as_micros();
        Some(Box::new(TurnSpan {
            id: call.trace.next_span(),
            context: context.clone(),
            replied: None,
            waited_us: i64::try_from(waited).unwrap_or(i64::MAX),
        }))
    }

    /// The function has answered.
    pub(crate) fn replied(&mut self, at: Instant) {
        self.replied = Some(at);
    }

    /// The store has answered.
    pub(crate) fn committed(&self, outcome: &CommitOutcome, began: Instant, ended: Instant) {
        let Some(call) = self.context.sampled() else {
            return;
        };
        let id = call.trace.next_span();
        let Some(span) = call.trace.span(id, self.id, "commit".to_owned()) else {
            return;
        };
        let span = match outcome {
            CommitOutcome::Applied { offset } => {
                let offset = i64::try_from(*offset).unwrap_or(i64::MAX);
                span.attribute("cloudstate.commit.offset", Value::Number(offset))
            }
            CommitOutcome::Fenced => span.error(Some("fenced")),
            CommitOutcome::Conflict => span.error(Some("conflict")),
            CommitOutcome::Unknown => span.error(Some("unknown outcome")),
            CommitOutcome::NotApplied { reason, .. } => span.error(Some(reason.clone())),
        };
        span.end(began, ended);
    }

    /// The command is answered, and the turn over.
    pub(crate) fn end(
        &self,
        method: &Method,
        key: &EntityKey,
        result: &Result<Answer, TurnError>,
        (began, ended): (Instant, Instant),
    ) {
        let Some(call) = self.context.sampled() else {
            return;
        };
        let error = result.as_ref().err().map(ToString::to_string);
        if let Some(span) = function(call, self.id, method) {
            // Without an answer, the function had the command as long as the turn.
            let error = error.clone().filter(|_| self.replied.is_none());
            span.error(error).end(began, self.replied.unwrap_or(ended));
        }
        let declined = matches!(result, Ok(answer) if matches!(answer.action, Some(Failure(_))));
        if let Some(span) = call.child(self.id, format!("turn {}", name(method))) {
            of_entity(span, &method.service, key)
                .attribute("cloudstate.turn.waited_us", Value::Number(self.waited_us))
                .attribute("cloudstate.turn.declined", Value::Flag(declined))
                .error(error)
                .end(began, ended);
        }
    }

    /// The command's trace, as a field of a log message.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }
}

/// Records how an entity became active because of a command.
pub(crate) fn activated(
    context: &Context,
    service: &Service,
    key: &EntityKey,
    error: Option<&'static str>,
    (began, ended): (Instant, Instant),
) {
    let Some(call) = context.sampled() else { return };
    let span = call.child(call.trace.next_span(), format!("activate {}", service.name));
    if let Some(span) = span {
        of_entity(span, service, key).error(error).end(began, ended);
    }
}

/// A forward or side effect in progress. Its span ends when this is dropped; without an outcome, its caller has gone.
pub(crate) struct Following(Option<Box<Followed>>);

struct Followed {
    context: Context,
    name: String,
    began: Instant,
    error: Option<String>,
}

impl Following {
    /// Begins what has this context. Does nothing unless it is traced.
    pub(crate) fn begin(context: &Context, service: &str, command: &str) -> Self {
        let followed = context.sampled().map(|_| {
            Box::new(Followed {
                name: format!("{} {service}/{command}", context.how()),
                context: context.clone(),
                began: Instant::now(),
                error: Some("cancelled".to_owned()),
            })
        });
        Following(followed)
    }

    /// Whether anything is recorded.
    pub(crate) fn is_traced(&self) -> bool {
        self.0.is_some()
    }

    /// The outcome is known. A stream that has begun is a success, and lasts as long as this is kept.
    pub(crate) fn outcome(&mut self, outcome: &Result<Replies, CallError>) {
        if let Some(followed) = &mut self.0 {
            followed.error = outcome.as_ref().err().map(ToString::to_string);
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(followed) = self.0.take() {
            let Followed {
                context,
                name,
                began,
                error,
            } = *followed;
            if let Some(traced) = context.sampled() {
                traced.end(name, began, error);
            }
        }
    }
}
