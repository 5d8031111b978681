//! What is served beside the function, where the function serves nothing: the files of a directory, and the OpenAPI
//! document of the function.
//!
//! ```text
//!   GET, HEAD that no binding takes ──▶ files (StaticFiles ─▶ Rooted ─▶ disk) ──▶ openapi ──▶ none: 404 or 405
//! ```

mod files;
mod openapi;
mod rooted;

use std::sync::Arc;

use cloudstate_access::Thing;
use cloudstate_runtime::Code;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};

use crate::body::Body;
use crate::front::Routes;
use crate::gateway::Core;
use crate::metrics::{CoreMetrics, InFlight, MethodCounters};
use crate::status::Status;

pub use files::StaticFiles;
pub(crate) use openapi::OpenApi;

/// What one core counts.
pub(crate) struct Counters {
    files: Arc<MethodCounters>,
    openapi: Arc<MethodCounters>,
}

impl Counters {
    pub(crate) fn new(metrics: &CoreMetrics) -> Self {
        let of = |name: &str| metrics.method(&"".into(), &name.into());
        Counters {
            files: of("static"),
            openapi: of("openapi"),
        }
    }

    /// A file was not given.
    fn refused(&self, status: &Status) {
        InFlight::begin(&self.files).outcome(Some(status.code));
    }
}

/// Answers a request that the function does not. `None` if there is nothing here either.
pub(crate) async fn answer<R>(
    core: &Core<R>,
    counters: &Counters,
    routes: &Routes,
    head: &Parts,
) -> Result<Option<Response<Body>>, Status> {
    if head.method != Method::GET && head.method != Method::HEAD {
        return Ok(None);
    }
    let may = |thing| core.guard.admit(core.guard.policy().thing(thing), head);
    let mut refusal = None;
    if let Some(files) = &core.options.static_files {
        // Before the look at the disk, so that a refusal does not tell what is there.
        match may(Thing::Static) {
            Err(status) => refusal = Some(status),
            Ok(_) => {
                let answer = files
                    .answer(head, &counters.files, core.options.send_timeout)
                    .await;
                if let Some(response) = answer.inspect_err(|status| counters.refused(status))? {
                    return Ok(Some(response));
                }
            }
        }
    }
    if core.options.openapi && head.uri.path() == openapi::PATH {
        let mut in_flight = InFlight::begin(&counters.openapi);
        may(Thing::OpenApi).inspect_err(|status| in_flight.outcome(Some(status.code)))?;
        in_flight.outcome(None);
        return Ok(Some(routes.openapi().answer(&head.headers)));
    }
    match refusal {
        None => Ok(None),
        Some(status) => {
            counters.refused(&status);
            Err(status)
        }
    }
}

/// The code that an answer counts under which is no answer of a method.
pub(crate) fn code_of(status: http::StatusCode) -> Option<Code> {
    match status.as_u16() {
        ..400 => None,
        400 => Some(Code::InvalidArgument),
        403 => Some(Code::PermissionDenied),
        412 => Some(Code::FailedPrecondition),
        416 => Some(Code::OutOfRange),
        _ => Some(Code::Internal),
    }
}

/// Lets caches keep an answer, but ask each time whether it is still right; and keeps browsers from guessing what it is.
fn write_policy(headers: &mut HeaderMap) {
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}
