//! A CRDT entity with its options.

use std::sync::Arc;
use std::time::Duration;

use super::Handler;
use super::machine::{Activation, Live};
use crate::Service;

/// A CRDT entity, ready to be served by a [`UserFunction`](crate::UserFunction).
#[derive(Clone)]
pub struct Registration {
    pub(crate) service: Service,
    pub(crate) persistence_id: String,
    pub(crate) passivation_timeout: Option<Duration>,
    activator: Arc<dyn Activator>,
}

impl Registration {
    /// Registers handlers. Generated code calls this.
    pub fn new(service: Service, persistence_id: impl Into<String>, handler: impl Handler) -> Self {
        Registration {
            service,
            persistence_id: persistence_id.into(),
            passivation_timeout: None,
            activator: Arc::new(Shared(Arc::new(handler))),
        }
    }

    /// How long an entity without commands and streams stays in the function's memory. The default is the proxy's, 30
    /// seconds if not configured.
    #[must_use]
    pub fn passivation_timeout(mut self, timeout: Duration) -> Self {
        self.passivation_timeout = Some(timeout);
        self
    }

    pub(super) fn activate(&self, entity_id: String) -> Box<dyn Activation> {
        self.activator.activate(entity_id)
    }
}

/// Makes entities without knowing their type.
trait Activator: Send + Sync {
    fn activate(&self, entity_id: String) -> Box<dyn Activation>;
}

/// One handler serves all entities.
struct Shared<H>(Arc<H>);

impl<H: Handler> Activator for Shared<H> {
    fn activate(&self, entity_id: String) -> Box<dyn Activation> {
        Box::new(Live::new(self.0.clone(), entity_id))
    }
}
