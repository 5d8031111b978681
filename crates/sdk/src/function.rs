//! A user function: what it serves, and what it tells the proxy about that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_protocol::entity_passivation_strategy::Strategy;
use cloudstate_protocol::{
    Entity, EntityPassivationStrategy, EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION,
    ServiceInfo, TimeoutPassivationStrategy, names,
};

use crate::{Service, action, crdt, descriptors, event_sourced, value};

/// A user function: the entities and actions of one process. Build it, then [`run`](UserFunction::run) it.
///
/// ```no_run
/// # use cloudstate_sdk::{UserFunction, ServeError};
/// # fn example(cart: cloudstate_sdk::event_sourced::Registration) -> Result<(), ServeError> {
/// UserFunction::new("shop", env!("CARGO_PKG_VERSION")).with(cart).run()
/// # }
/// ```
#[derive(Clone)]
pub struct UserFunction {
    name: String,
    version: String,
    entities: Vec<Registration>,
}

/// Anything that a user function serves.
#[derive(Clone)]
#[non_exhaustive]
pub enum Registration {
    /// An event sourced entity.
    EventSourced(event_sourced::Registration),
    /// A value entity.
    Value(value::Registration),
    /// A CRDT entity.
    Crdt(crdt::Registration),
    /// An action.
    Action(action::Registration),
}

impl From<event_sourced::Registration> for Registration {
    fn from(registration: event_sourced::Registration) -> Self {
        Registration::EventSourced(registration)
    }
}

impl From<value::Registration> for Registration {
    fn from(registration: value::Registration) -> Self {
        Registration::Value(registration)
    }
}

impl From<crdt::Registration> for Registration {
    fn from(registration: crdt::Registration) -> Self {
        Registration::Crdt(registration)
    }
}

impl From<action::Registration> for Registration {
    fn from(registration: action::Registration) -> Self {
        Registration::Action(registration)
    }
}

/// Why a user function cannot be served as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationError {
    /// Nothing was registered.
    #[error("the user function serves nothing: register at least one entity or action")]
    Empty,
    /// A service was registered twice.
    #[error("the service {0} is registered twice: each service has one implementation")]
    DuplicateService(&'static str),
    /// Two entities would share their state.
    #[error("the persistence id {id:?} is used by {first} and by {second}: give each its own")]
    DuplicatePersistenceId {
        /// The persistence id.
        id: String,
        /// A service that uses it.
        first: &'static str,
        /// Another service that uses it.
        second: &'static str,
    },
    /// An entity without a name for its state.
    #[error("the persistence id of {0} is empty: give it a name that never changes")]
    EmptyPersistenceId(&'static str),
    /// The embedded descriptors are damaged.
    #[error("the descriptors of the .proto files are malformed: {0}")]
    Descriptors(String),
}

impl UserFunction {
    /// An empty function. Name and version are for people who look at the proxy.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        UserFunction {
            name: name.into(),
            version: version.into(),
            entities: Vec::new(),
        }
    }

    /// Adds an entity or action.
    #[must_use]
    pub fn with(mut self, registration: impl Into<Registration>) -> Self {
        self.entities.push(registration.into());
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Checks what was registered and arranges it for serving.
    ///
    /// # Errors
    /// See [`DeclarationError`].
    pub fn declare(self) -> Result<Declaration, DeclarationError> {
        check(&self.entities)?;
        let spec = self.spec()?;
        let mut declaration = Tables::default();
        for entity in self.entities {
            match entity {
                Registration::EventSourced(it) => {
                    drop(declaration.event_sourced.insert(it.service.name(), it))
                }
                Registration::Value(it) => drop(declaration.value.insert(it.service.name(), it)),
                Registration::Crdt(it) => drop(declaration.crdt.insert(it.service.name(), it)),
                Registration::Action(it) => drop(declaration.action.insert(it.service.name(), it)),
            }
        }
        Ok(Declaration {
            spec,
            event_sourced: Arc::new(declaration.event_sourced),
            value: Arc::new(declaration.value),
            crdt: Arc::new(declaration.crdt),
            action: Arc::new(declaration.action),
        })
    }

    fn spec(&self) -> Result<EntitySpec, DeclarationError> {
        let sets = self.entities.iter().map(|entity| entity.service().descriptors());
        let proto =
            descriptors::merge(sets).map_err(|error| DeclarationError::Descriptors(error.to_string()))?;
        Ok(EntitySpec {
            proto: proto.into(),
            entities: self.entities.iter().map(Registration::declare).collect(),
            service_info: Some(ServiceInfo {
                service_name: self.name.clone(),
                service_version: self.version.clone(),
                service_runtime: format!("Rust {}", std::env::consts::ARCH),
                support_library_name: env!("CARGO_PKG_NAME").to_owned(),
                support_library_version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol_major_version: PROTOCOL_MAJOR_VERSION,
                protocol_minor_version: PROTOCOL_MINOR_VERSION,
            }),
        })
    }
}

#[derive(Default)]
struct Tables {
    event_sourced: HashMap<&'static str, event_sourced::Registration>,
    value: HashMap<&'static str, value::Registration>,
    crdt: HashMap<&'static str, crdt::Registration>,
    action: HashMap<&'static str, action::Registration>,
}

/// A checked user function: what discovery answers, and the services by kind and full name.
#[derive(Clone)]
pub struct Declaration {
    /// The answer to discovery.
    pub spec: EntitySpec,
    /// Event sourced entities by service.
    pub event_sourced: Arc<HashMap<&'static str, event_sourced::Registration>>,
    /// Value entities by service.
    pub value: Arc<HashMap<&'static str, value::Registration>>,
    /// CRDT entities by service.
    pub crdt: Arc<HashMap<&'static str, crdt::Registration>>,
    /// Actions by service.
    pub action: Arc<HashMap<&'static str, action::Registration>>,
}

impl Registration {
    fn service(&self) -> Service {
        match self {
            Registration::EventSourced(it) => it.service,
            Registration::Value(it) => it.service,
            Registration::Crdt(it) => it.service,
            Registration::Action(it) => it.service,
        }
    }

    /// The namespace of the state; actions have none.
    fn persistence_id(&self) -> Option<&str> {
        match self {
            Registration::EventSourced(it) => Some(&it.persistence_id),
            Registration::Value(it) => Some(&it.persistence_id),
            Registration::Crdt(it) => Some(&it.persistence_id),
            Registration::Action(_) => None,
        }
    }

    fn declare(&self) -> Entity {
        let (entity_type, timeout) = match self {
            Registration::EventSourced(it) => (names::EVENT_SOURCED, it.passivation_timeout),
            Registration::Value(it) => (names::VALUE_ENTITY, it.passivation_timeout),
            Registration::Crdt(it) => (names::CRDT, it.passivation_timeout),
            Registration::Action(_) => (names::ACTION, None),
        };
        Entity {
            entity_type: entity_type.to_owned(),
            service_name: self.service().name().to_owned(),
            persistence_id: self
                .persistence_id()
                .unwrap_or(self.service().simple_name())
                .to_owned(),
            passivation_strategy: timeout.map(passivation),
            command_metadata: true,
        }
    }
}

fn passivation(timeout: Duration) -> EntityPassivationStrategy {
    let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    EntityPassivationStrategy {
        strategy: Some(Strategy::Timeout(TimeoutPassivationStrategy { timeout })),
    }
}

fn check(entities: &[Registration]) -> Result<(), DeclarationError> {
    if entities.is_empty() {
        return Err(DeclarationError::Empty);
    }
    let mut services: HashMap<&'static str, ()> = HashMap::new();
    let mut ids: HashMap<&str, &'static str> = HashMap::new();
    for entity in entities {
        let name = entity.service().name();
        if services.insert(name, ()).is_some() {
            return Err(DeclarationError::DuplicateService(name));
        }
        let Some(id) = entity.persistence_id() else {
            continue;
        };
        if id.is_empty() {
            return Err(DeclarationError::EmptyPersistenceId(name));
        }
        if let Some(first) = ids.insert(id, name) {
            return Err(DeclarationError::DuplicatePersistenceId {
                id: id.to_owned(),
                first,
                second: name,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
