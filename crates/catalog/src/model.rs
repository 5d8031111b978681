//! The catalog's shape: services, their methods, and look-up by name and by path.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cloudstate_protocol::{ServiceInfo, names};
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::Key;
use crate::http::{HttpBinding, RouteTable};

/// How the proxy treats the state of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityKind {
    /// State is a log of events.
    EventSourced,
    /// State is one value.
    Value,
    /// State is a replicated data type.
    Crdt,
    /// No state.
    Action,
}

impl EntityKind {
    /// The entity type of the protocol, such as `cloudstate.eventsourced.EventSourced`.
    pub const fn entity_type(self) -> &'static str {
        match self {
            EntityKind::EventSourced => names::EVENT_SOURCED,
            EntityKind::Value => names::VALUE_ENTITY,
            EntityKind::Crdt => names::CRDT,
            EntityKind::Action => names::ACTION,
        }
    }

    /// The kind of an entity type, if it is one of protocol 0.2.
    pub fn from_entity_type(entity_type: &str) -> Option<Self> {
        [
            EntityKind::EventSourced,
            EntityKind::Value,
            EntityKind::Crdt,
            EntityKind::Action,
        ]
        .into_iter()
        .find(|kind| kind.entity_type() == entity_type)
    }
}

/// A declared service.
#[derive(Debug)]
pub struct Service {
    /// Full name, such as `com.example.ShoppingCart`.
    pub name: Arc<str>,
    /// How its state is kept.
    pub kind: EntityKind,
    /// Namespace of its state; empty for actions.
    pub persistence_id: Arc<str>,
    /// Time without a command before an entity is passivated; `None` is the configured default.
    pub passivation: Option<Duration>,
    /// Whether commands of its entities carry the caller's metadata.
    pub command_metadata: bool,
}

/// A callable method of a declared service.
#[derive(Debug)]
pub struct Method {
    /// The service that it belongs to.
    pub service: Arc<Service>,
    /// Simple name, as in the `.proto` file.
    pub name: Arc<str>,
    /// `/<service>/<method>`.
    pub path: Arc<str>,
    /// `type.googleapis.com/<full input type>`.
    pub input_type_url: Arc<str>,
    /// `type.googleapis.com/<full output type>`.
    pub output_type_url: Arc<str>,
    /// Whether the client sends a stream.
    pub client_streaming: bool,
    /// Whether the client receives a stream.
    pub server_streaming: bool,
    /// How the entity id is read from a request.
    pub key: Key,
    /// The method's descriptor, with its options.
    pub descriptor: MethodDescriptor,
}

impl Method {
    /// The request type.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// The reply type.
    pub fn output(&self) -> MessageDescriptor {
        self.descriptor.output()
    }
}

/// Everything that a function declared.
pub struct Catalog {
    pub(crate) info: ServiceInfo,
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) methods: Vec<Arc<Method>>,
    pub(crate) by_path: HashMap<Arc<str>, Arc<Method>>,
    /// Paths of the methods that are there for events.
    pub(crate) for_events: HashSet<Arc<str>>,
    pub(crate) pool: DescriptorPool,
    pub(crate) http_bindings: Vec<Arc<HttpBinding>>,
    pub(crate) routes: RouteTable,
    pub(crate) fingerprint: u128,
}

/// Names the services; the whole would fill pages.
impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let services = self.services.iter().map(|service| &service.name);
        f.debug_tuple("Catalog")
            .field(&services.collect::<Vec<_>>())
            .finish()
    }
}

impl Catalog {
    /// What the function says about itself: its name, its version, the library that it uses.
    pub fn service_info(&self) -> &ServiceInfo {
        &self.info
    }

    /// The services in the order of their declaration.
    pub fn services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// All methods, service by service, in the order of their definition.
    pub fn methods(&self) -> &[Arc<Method>] {
        &self.methods
    }

    /// The service of a full name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.iter().find(|service| &*service.name == name)
    }

    /// The method of a path `/<service>/<method>`.
    pub fn method_by_path(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// The method of a service's full name and a method's simple name.
    pub fn method(&self, service: &str, method: &str) -> Option<&Arc<Method>> {
        self.methods
            .iter()
            .find(|m| &*m.service.name == service && &*m.name == method)
    }

    /// Whether a method subscribes to events and has no HTTP rule: it is there for events, and a client has no business
    /// with it unless somebody says so.
    pub fn is_for_events(&self, method: &Method) -> bool {
        self.for_events.contains(&method.path)
    }

    /// Every file that the function sent.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The HTTP endpoints of all methods, in the order of their definition. Each method has at least one.
    pub fn http_bindings(&self) -> &[Arc<HttpBinding>] {
        &self.http_bindings
    }

    /// Finds the HTTP endpoint of a request.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// Equal for equal declarations, within one version of the proxy: tells when the function came back with another.
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }
}
