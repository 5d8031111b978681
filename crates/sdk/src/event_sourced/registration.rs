//! An event sourced entity with its options.

use std::sync::Arc;
use std::time::Duration;

use super::machine::{Activation, Live};
use super::{DEFAULT_SNAPSHOT_EVERY, Handler};
use crate::Service;

/// An event sourced entity, ready to be served by a [`UserFunction`](crate::UserFunction).
#[derive(Clone)]
pub struct Registration {
    pub(crate) service: Service,
    pub(crate) persistence_id: String,
    pub(crate) passivation_timeout: Option<Duration>,
    snapshot_every: u64,
    activator: Arc<dyn Activator>,
}

impl Registration {
    /// Registers handlers. Generated code calls this.
    pub fn new(service: Service, persistence_id: impl Into<String>, handler: impl Handler) -> Self {
        Registration {
            service,
            persistence_id: persistence_id.into(),
            passivation_timeout: None,
            snapshot_every: DEFAULT_SNAPSHOT_EVERY,
            activator: Arc::new(Shared(Arc::new(handler))),
        }
    }

    /// Takes a snapshot after a command that emitted an event whose sequence number is a multiple of `events`;
    /// 0 takes none. Snapshots that exist are read in any case. The default is [`DEFAULT_SNAPSHOT_EVERY`].
    #[must_use]
    pub fn snapshot_every(mut self, events: u64) -> Self {
        self.snapshot_every = events;
        self
    }

    /// How long an entity without commands stays in memory. The default is the proxy's, 30 seconds if not configured.
    #[must_use]
    pub fn passivation_timeout(mut self, timeout: Duration) -> Self {
        self.passivation_timeout = Some(timeout);
        self
    }

    pub(super) fn activate(&self, entity_id: String) -> Box<dyn Activation> {
        self.activator.activate(entity_id, self.snapshot_every)
    }
}

/// Makes entities without knowing their type.
trait Activator: Send + Sync {
    fn activate(&self, entity_id: String, snapshot_every: u64) -> Box<dyn Activation>;
}

/// One handler serves all entities.
struct Shared<H>(Arc<H>);

impl<H: Handler> Activator for Shared<H> {
    fn activate(&self, entity_id: String, snapshot_every: u64) -> Box<dyn Activation> {
        Box::new(Live::new(self.0.clone(), entity_id, snapshot_every))
    }
}
