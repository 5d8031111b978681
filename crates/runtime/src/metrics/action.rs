//! The commands of an action.

use std::sync::Arc;

use cloudstate_catalog::Method;
use cloudstate_protocol::action::{ActionResponse, action_response::Response};
use tokio::time::Instant;

use super::ServiceMetrics;
use crate::Core;

/// A call of an action in progress. Counts as failed unless it is told otherwise before it is dropped.
pub(crate) struct ActionCommands {
    metrics: Arc<ServiceMetrics>,
    pub(crate) began: Instant,
    failed: bool,
}

impl ActionCommands {
    /// A call is about to be made.
    pub(crate) fn begin(core: &Core, method: &Method) -> Self {
        let metrics = core.served(&method.service).metrics.clone();
        metrics.received.inc();
        ActionCommands {
            metrics,
            began: Instant::now(),
            failed: true,
        }
    }

    /// The one answer of a unary call.
    pub(crate) fn answered(&mut self, response: &ActionResponse) {
        self.metrics.processed(self.began.elapsed());
        self.failed = matches!(response.response, Some(Response::Failure(_)));
    }

    /// A streaming call came to its end.
    pub(crate) fn ended(&mut self) {
        self.failed = false;
    }
}

impl Drop for ActionCommands {
    fn drop(&mut self) {
        self.metrics.completed.inc();
        if self.failed {
            self.metrics.failed_commands.inc();
        }
    }
}
