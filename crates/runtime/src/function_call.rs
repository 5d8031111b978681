//! A call of an action, as it is counted and traced.

use std::sync::Arc;

use cloudstate_catalog::Method;
use cloudstate_protocol::action::{ActionResponse, action_response::Response};
use tokio::time::Instant;

use crate::context::Context;
use crate::metrics::ServiceMetrics;
use crate::traced;
use crate::{CallError, Core};

/// A call of an action in progress. Counts as failed unless it is told otherwise before it is dropped.
pub(crate) struct FunctionCall {
    metrics: Arc<ServiceMetrics>,
    pub(crate) began: Instant,
    failed: bool,
    traced: Option<Box<Traced>>,
}

struct Traced {
    method: Arc<Method>,
    context: Context,
    error: Option<String>,
}

impl FunctionCall {
    /// A call is about to be made.
    pub(crate) fn begin(core: &Core, method: &Arc<Method>, context: &Context) -> Self {
        let metrics = core.served(&method.service).metrics.clone();
        metrics.received.inc();
        let traced = context.sampled().map(|_| {
            Box::new(Traced {
                method: method.clone(),
                context: context.clone(),
                error: Some("cancelled".to_owned()),
            })
        });
        FunctionCall {
            metrics,
            began: Instant::now(),
            failed: true,
            traced,
        }
    }

    /// The one answer of a unary call.
    pub(crate) fn answered(&mut self, response: &ActionResponse) {
        self.metrics.processed(self.began.elapsed());
        self.failed = matches!(response.response, Some(Response::Failure(_)));
        self.say(None);
    }

    /// A streaming call came to its end.
    pub(crate) fn over(&mut self, result: Result<(), CallError>) -> Result<(), CallError> {
        self.failed = result.is_err();
        self.say(result.as_ref().err());
        result
    }

    /// It failed, otherwise than by an answer of the function.
    pub(crate) fn failed(&mut self, error: CallError) -> CallError {
        self.say(Some(&error));
        error
    }

    fn say(&mut self, error: Option<&CallError>) {
        if let Some(traced) = &mut self.traced {
            traced.error = error.map(ToString::to_string);
        }
    }
}

impl Drop for FunctionCall {
    fn drop(&mut self) {
        self.metrics.completed.inc();
        if self.failed {
            self.metrics.failed_commands.inc();
        }
        if let Some(Traced {
            method,
            context,
            error,
        }) = self.traced.take().map(|traced| *traced)
            && let Some(call) = context.sampled()
            && let Some(span) = traced::function(call, call.span, &method)
        {
            span.error(error)
                .end(self.began.into_std(), std::time::Instant::now());
        }
    }
}
