//! `grpc.health.v1`: the process as a whole under the empty name, and every served service under its own.

use std::rc::Rc;
use std::sync::Arc;

use cloudstate_runtime::{CallError, Code, HealthReport, Reply};
use futures_core::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::reply;
use crate::front::Front;
use crate::gateway::Core;
use crate::packages::grpc::health::v1::health_check_response::ServingStatus;
use crate::packages::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use crate::status::Status;

/// The state of a service now.
pub(super) fn check<R>(core: &Core<R>, request: &HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
    match status_of(&core.front.borrow(), core.health.is_ready(), &request.service) {
        ServingStatus::ServiceUnknown => {
            let text = format!("the service [{}] is not served", request.service);
            Err(Status::new(Code::NotFound, text))
        }
        status => Ok(HealthCheckResponse {
            status: status.into(),
        }),
    }
}

fn status_of(front: &Front, ready: bool, service: &str) -> ServingStatus {
    let is_known = || {
        front
            .routes
            .as_ref()
            .is_some_and(|routes| routes.catalog.service(service).is_some())
    };
    let serves = match service {
        "" => front.is_serving() && ready,
        "grpc.health.v1.Health"
        | "grpc.reflection.v1.ServerReflection"
        | "grpc.reflection.v1alpha.ServerReflection" => true,
        _ if is_known() => front.is_serving(),
        _ => return ServingStatus::ServiceUnknown,
    };
    if serves {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// The state of a service now and at each change, until shutdown.
pub(super) fn watch<R>(
    core: &Rc<Core<R>>,
    request: HealthCheckRequest,
) -> impl Stream<Item = Result<Reply, CallError>> + use<R> {
    let watch = Watch {
        front: core.front.clone(),
        health: core.health.subscribe(),
        shutdown: core.shutdown.clone(),
        service: request.service,
        told: None,
    };
    futures_util::stream::unfold(watch, |mut watch| async move {
        let status = watch.next().await?;
        Some((
            Ok(reply(&HealthCheckResponse {
                status: status.into(),
            })),
            watch,
        ))
    })
}

struct Watch {
    front: watch::Receiver<Arc<Front>>,
    health: watch::Receiver<HealthReport>,
    shutdown: CancellationToken,
    service: String,
    told: Option<ServingStatus>,
}

impl Watch {
    /// Waits for a state that was not told yet; `None` at shutdown, or when nothing can change any more.
    async fn next(&mut self) -> Option<ServingStatus> {
        loop {
            let ready = self.health.borrow_and_update().is_ready();
            let status = status_of(&self.front.borrow_and_update(), ready, &self.service);
            if self.told.replace(status) != Some(status) {
                return Some(status);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.front.changed() => changed.ok()?,
                changed = self.health.changed() => changed.ok()?,
            }
        }
    }
}
