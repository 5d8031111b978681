//! Builds a catalog from a declaration, refusing what cannot be served.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cloudstate_protocol::any::MESSAGE_PREFIX;
use cloudstate_protocol::entity_passivation_strategy::Strategy;
use cloudstate_protocol::{Entity, EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, names};
use prost::Message;
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use xxhash_rust::xxh3::xxh3_128;

use crate::http::{self, HttpBinding, RouteTable};
use crate::{
    Catalog, DiscoveryError, EntityKind, Key, Method, Service, Warning, descriptors, eventing, options,
};

/// The longest persistence id, in bytes.
const PERSISTENCE_ID_BYTES_MAX: usize = 1024;

/// What the proxy offers, and how strict it is.
#[derive(Debug, Clone)]
pub struct CatalogOptions {
    /// The entity types that are served, as told in `ProxyInfo.supported_entity_types` and in that order.
    pub supported: Vec<EntityKind>,
    /// Whether a function of another protocol version is refused.
    pub compatibility_check: bool,
}

impl Default for CatalogOptions {
    /// All that this version serves.
    fn default() -> Self {
        CatalogOptions {
            supported: vec![
                EntityKind::Action,
                EntityKind::EventSourced,
                EntityKind::Value,
                EntityKind::Crdt,
            ],
            compatibility_check: true,
        }
    }
}

impl CatalogOptions {
    /// The value of `ProxyInfo.supported_entity_types`.
    pub fn supported_entity_types(&self) -> Vec<String> {
        self.supported
            .iter()
            .map(|kind| kind.entity_type().to_owned())
            .collect()
    }
}

impl Catalog {
    /// Checks a declaration in the order of protocol 0.2 and makes it ready to serve.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be served; its text is for the function's author.
    pub fn build(
        spec: &EntitySpec,
        options: &CatalogOptions,
    ) -> Result<(Self, Vec<Warning>), DiscoveryError> {
        let mut warnings = Vec::new();
        check_version(spec, options, &mut warnings)?;
        let pool = descriptors::link(&spec.proto)?;
        if spec.entities.is_empty() {
            return Err(DiscoveryError::NoEntities);
        }
        let mut catalog = Catalog {
            info: spec.service_info.clone().unwrap_or_default(),
            services: Vec::with_capacity(spec.entities.len()),
            methods: Vec::new(),
            by_path: HashMap::new(),
            for_events: HashSet::new(),
            pool,
            http_bindings: Vec::new(),
            routes: RouteTable::new(&[]),
            fingerprint: Self::fingerprint_of(spec),
        };
        for entity in &spec.entities {
            catalog.add(entity, options)?;
        }
        catalog.read_method_options(&mut warnings)?;
        Ok((catalog, warnings))
    }

    /// The fingerprint that a catalog of this declaration has.
    pub fn fingerprint_of(spec: &EntitySpec) -> u128 {
        xxh3_128(&spec.encode_to_vec())
    }

    fn add(&mut self, entity: &Entity, options: &CatalogOptions) -> Result<(), DiscoveryError> {
        let descriptor = find_service(&self.pool, &entity.service_name)?;
        check_names(&descriptor)?;
        let kind = supported_kind(entity, options)?;
        check_shapes(kind, &descriptor)?;
        let keys = keys(kind, &descriptor)?;
        let persistence_id = persistence_id(entity, kind)?;
        self.check_unique(entity, kind)?;
        let service = Arc::new(Service {
            name: entity.service_name.as_str().into(),
            kind,
            persistence_id,
            passivation: passivation(entity)?,
            command_metadata: entity.command_metadata,
        });
        for (method, key) in descriptor.methods().zip(keys) {
            let method = Arc::new(describe(&service, method, key));
            self.by_path.insert(method.path.clone(), method.clone());
            self.methods.push(method);
        }
        self.services.push(service);
        Ok(())
    }

    /// Eventing options and HTTP rules: after all entities are known to be valid, as they are checked last.
    fn read_method_options(&mut self, warnings: &mut Vec<Warning>) -> Result<(), DiscoveryError> {
        let mut subscriptions = eventing::Subscriptions::default();
        for method in &self.methods {
            let options = options::of_method(&method.descriptor)?;
            if let Some(eventing) = &options.eventing {
                warnings.extend(subscriptions.check(&method.descriptor, eventing)?);
                if eventing.r#in.is_some() && options.http.is_none() {
                    self.for_events.insert(method.path.clone());
                }
            }
            self.http_bindings
                .extend(http::bindings_of(method, options.http.as_ref())?);
        }
        http::compile_plans(&self.http_bindings);
        self.routes = RouteTable::new(&self.http_bindings);
        let shadowed = self.routes.shadowed();
        warnings.extend(
            shadowed
                .into_iter()
                .map(|(binding, winner)| shadowed_by(binding, winner)),
        );
        Ok(())
    }

    fn check_unique(&self, entity: &Entity, kind: EntityKind) -> Result<(), DiscoveryError> {
        if self.service(&entity.service_name).is_some() {
            return Err(DiscoveryError::DuplicateService {
                service: entity.service_name.clone(),
            });
        }
        let twin = self.services.iter().find(|service| {
            kind != EntityKind::Action
                && service.kind != EntityKind::Action
                // CRDT services may share their entities: each change is seen by all.
                && (kind, service.kind) != (EntityKind::Crdt, EntityKind::Crdt)
                && *service.persistence_id == entity.persistence_id
        });
        match twin {
            None => Ok(()),
            Some(first) => Err(DiscoveryError::SharedPersistenceId {
                first: first.name.to_string(),
                second: entity.service_name.clone(),
                persistence_id: entity.persistence_id.clone(),
            }),
        }
    }
}

fn shadowed_by(binding: &HttpBinding, winner: &HttpBinding) -> Warning {
    let text = |binding: &HttpBinding| format!("{} {}", binding.verb, binding.template);
    let method = |binding: &HttpBinding| binding.method.descriptor.full_name().to_owned();
    Warning::ShadowedHttpBinding {
        binding: text(binding),
        method: method(binding),
        winner: text(winner),
        winner_method: method(winner),
    }
}

fn check_version(
    spec: &EntitySpec,
    options: &CatalogOptions,
    warnings: &mut Vec<Warning>,
) -> Result<(), DiscoveryError> {
    let (major, minor) = spec.service_info.as_ref().map_or((0, 0), |info| {
        (info.protocol_major_version, info.protocol_minor_version)
    });
    if (major, minor) == (PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION) {
        return Ok(());
    }
    if options.compatibility_check {
        return Err(DiscoveryError::IncompatibleProtocol { major, minor });
    }
    warnings.push(Warning::IncompatibleProtocol { major, minor });
    Ok(())
}

fn find_service(pool: &DescriptorPool, name: &str) -> Result<ServiceDescriptor, DiscoveryError> {
    pool.get_service_by_name(name)
        .ok_or_else(|| DiscoveryError::ServiceNotFound {
            service: name.to_owned(),
        })
}

fn supported_kind(entity: &Entity, options: &CatalogOptions) -> Result<EntityKind, DiscoveryError> {
    match EntityKind::from_entity_type(&entity.entity_type) {
        Some(kind) if options.supported.contains(&kind) => Ok(kind),
        _ if entity.entity_type == names::EVENT_SOURCED => Err(DiscoveryError::NoJournal {
            service: entity.service_name.clone(),
        }),
        _ => Err(DiscoveryError::UnsupportedEntityType {
            service: entity.service_name.clone(),
            entity_type: entity.entity_type.clone(),
            supported: options.supported_entity_types(),
        }),
    }
}

/// How error texts call the entities of a kind; `None` for actions, which may have any shape and no keys.
fn entities_of(kind: EntityKind) -> Option<&'static str> {
    match kind {
        EntityKind::EventSourced => Some("Event sourced entities"),
        EntityKind::Value => Some("Value based entities"),
        EntityKind::Crdt => Some("CRDT entities"),
        EntityKind::Action => None,
    }
}

/// The linker takes any name; a compiler makes only those that are identifiers.
fn check_names(descriptor: &ServiceDescriptor) -> Result<(), DiscoveryError> {
    let is_identifier = |name: &str| {
        let of_names = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(of_names) && name.starts_with(|c: char| !c.is_ascii_digit())
    };
    let is_legal = |full_name: &str| full_name.split('.').all(is_identifier);
    let methods = descriptor.methods().map(|method| method.full_name().to_owned());
    let mut names = std::iter::once(descriptor.full_name().to_owned()).chain(methods);
    match names.find(|name| !is_legal(name)) {
        None => Ok(()),
        Some(name) => Err(DiscoveryError::IllegalName { name }),
    }
}

fn check_shapes(kind: EntityKind, descriptor: &ServiceDescriptor) -> Result<(), DiscoveryError> {
    let Some(entities) = entities_of(kind) else {
        return Ok(());
    };
    let may_stream_out = kind == EntityKind::Crdt;
    let streamed = |method: &MethodDescriptor| {
        method.is_client_streaming() || (method.is_server_streaming() && !may_stream_out)
    };
    let methods: Vec<_> = descriptor
        .methods()
        .filter(streamed)
        .map(|method| method.name().to_owned())
        .collect();
    if methods.is_empty() {
        return Ok(());
    }
    Err(DiscoveryError::StreamedMethods {
        entities,
        shape: if may_stream_out {
            "streaming in from the client"
        } else {
            "streamed methods"
        },
        service: descriptor.full_name().to_owned(),
        methods,
    })
}

/// The key of each method, in the order of the methods.
fn keys(kind: EntityKind, descriptor: &ServiceDescriptor) -> Result<Vec<Key>, DiscoveryError> {
    let Some(entities) = entities_of(kind) else {
        return Ok(descriptor.methods().map(|_| Key::default()).collect());
    };
    let mut without_key = Vec::new();
    let mut keys = Vec::new();
    for method in descriptor.methods() {
        let key = Key::of(&method)?;
        if key.is_empty() {
            without_key.push(method.name().to_owned());
        }
        keys.push(key);
    }
    if without_key.is_empty() {
        return Ok(keys);
    }
    let service = descriptor.full_name().to_owned();
    Err(DiscoveryError::MethodsWithoutKey {
        entities,
        service,
        methods: without_key,
    })
}

fn persistence_id(entity: &Entity, kind: EntityKind) -> Result<Arc<str>, DiscoveryError> {
    let service = || entity.service_name.clone();
    match entity.persistence_id.len() {
        _ if kind == EntityKind::Action => Ok("".into()),
        0 => Err(DiscoveryError::EmptyPersistenceId { service: service() }),
        1..=PERSISTENCE_ID_BYTES_MAX => Ok(entity.persistence_id.as_str().into()),
        length => Err(DiscoveryError::OversizedPersistenceId {
            service: service(),
            length,
            limit: PERSISTENCE_ID_BYTES_MAX,
        }),
    }
}

fn passivation(entity: &Entity) -> Result<Option<Duration>, DiscoveryError> {
    let strategy = entity
        .passivation_strategy
        .as_ref()
        .and_then(|strategy| strategy.strategy.as_ref());
    let Some(Strategy::Timeout(timeout)) = strategy else {
        return Ok(None);
    };
    match u64::try_from(timeout.timeout) {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(DiscoveryError::InvalidPassivation {
            service: entity.service_name.clone(),
            millis: timeout.timeout,
        }),
    }
}

fn describe(service: &Arc<Service>, descriptor: MethodDescriptor, key: Key) -> Method {
    let type_url = |name: &str| Arc::from(format!("{MESSAGE_PREFIX}{name}"));
    Method {
        service: service.clone(),
        name: descriptor.name().into(),
        path: format!("/{}/{}", service.name, descriptor.name()).into(),
        input_type_url: type_url(descriptor.input().full_name()),
        output_type_url: type_url(descriptor.output().full_name()),
        client_streaming: descriptor.is_client_streaming(),
        server_streaming: descriptor.is_server_streaming(),
        key,
        descriptor,
    }
}

#[cfg(test)]
mod tests;
