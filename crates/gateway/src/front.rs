//! What the client port serves, and its form on one core.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use cloudstate_access::{Allowed, Policy, Thing};
use cloudstate_catalog::{Catalog, EntityKind, Method};

use crate::builtin::{self, Builtin};
use crate::metrics::{CoreMetrics, MethodCounters};
use crate::site::{self, OpenApi};

/// A declaration of the function, prepared for serving. Built once for each [`Catalog`] and shared by all cores.
#[derive(Debug)]
pub struct Routes {
    pub(crate) catalog: Arc<Catalog>,
    openapi: OnceLock<OpenApi>,
}

impl Routes {
    /// Prepares a catalog.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Routes {
            catalog,
            openapi: OnceLock::new(),
        }
    }

    /// The OpenAPI document, made when somebody asks for it first.
    pub(crate) fn openapi(&self) -> &OpenApi {
        self.openapi.get_or_init(|| OpenApi::of(&self.catalog))
    }
}

/// What the client port serves at one moment. Swapped as a whole; a call keeps the one it began with.
#[derive(Debug, Clone)]
pub struct Front {
    pub(crate) routes: Option<Arc<Routes>>,
    pub(crate) unavailable: Option<Arc<str>>,
}

impl Front {
    /// Serves a declaration.
    pub fn serving(routes: Arc<Routes>) -> Self {
        Front {
            routes: Some(routes),
            unavailable: None,
        }
    }

    /// Nothing was declared yet: every call is answered with UNAVAILABLE or 503 and this text.
    pub fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Front {
            routes: None,
            unavailable: Some(reason.into()),
        }
    }

    /// The function is lost: its methods stay known and visible to reflection, but calls are answered with UNAVAILABLE
    /// or 503 and this text.
    pub fn lost(routes: Arc<Routes>, reason: impl Into<Arc<str>>) -> Self {
        Front {
            routes: Some(routes),
            unavailable: Some(reason.into()),
        }
    }

    /// Whether the function's methods are served.
    pub fn is_serving(&self) -> bool {
        self.unavailable.is_none() && self.routes.is_some()
    }
}

/// A front as one core serves it: look-up by path, with this core's counters beside each method.
pub(crate) struct CoreFront {
    pub(crate) shared: Arc<Front>,
    by_path: HashMap<Arc<str>, Rc<Route>>,
    /// Counts what has no route.
    pub(crate) unknown: Arc<MethodCounters>,
    /// Count what is answered before anybody looks for a route.
    pub(crate) preflight: Arc<MethodCounters>,
    pub(crate) probe: Arc<MethodCounters>,
    /// Count what is served beside the function.
    pub(crate) site: site::Counters,
}

/// One method that can be called.
pub(crate) struct Route {
    pub(crate) target: Target,
    pub(crate) client_streaming: bool,
    /// Whether anybody would read the caller's metadata: entities get none unless their declaration asks for it.
    pub(crate) wants_metadata: bool,
    /// Who may call it.
    pub(crate) allowed: Allowed,
    pub(crate) counters: Arc<MethodCounters>,
    /// Whether a warning about this method's reply metadata was logged: one is enough.
    pub(crate) warned: Cell<bool>,
}

/// Who answers.
pub(crate) enum Target {
    /// The user function.
    Function(Arc<Method>),
    /// The gateway.
    Builtin(Builtin),
}

impl CoreFront {
    pub(crate) fn new(shared: Arc<Front>, metrics: &CoreMetrics, policy: &Policy) -> Self {
        let mut by_path = HashMap::new();
        for (path, builtin) in builtin::ALL {
            by_path.insert(
                Arc::from(path),
                Rc::new(Route::builtin(path, builtin, metrics, policy)),
            );
        }
        // After the built-in ones, so that a function that declares such a service itself is the one that answers.
        for catalog in shared.routes.iter().map(|routes| &routes.catalog) {
            for method in catalog.methods() {
                let (service, name) = (&method.service.name, &method.name);
                let allowed = policy.method(service, name, catalog.is_for_events(method));
                by_path.insert(
                    method.path.clone(),
                    Rc::new(Route::function(method, metrics, allowed)),
                );
            }
        }
        let beside = |name: &str| metrics.method(&"".into(), &name.into());
        CoreFront {
            shared,
            by_path,
            unknown: beside("unknown"),
            preflight: beside("preflight"),
            probe: beside("probe"),
            site: site::Counters::new(metrics),
        }
    }

    /// The route of `/<service>/<method>`.
    pub(crate) fn route(&self, path: &str) -> Option<&Rc<Route>> {
        self.by_path.get(path)
    }
}

impl Route {
    fn function(method: &Arc<Method>, metrics: &CoreMetrics, allowed: Allowed) -> Self {
        let service = &method.service;
        Route {
            client_streaming: method.client_streaming,
            wants_metadata: service.kind == EntityKind::Action || service.command_metadata,
            allowed,
            counters: metrics.method(&service.name, &method.name),
            target: Target::Function(method.clone()),
            warned: Cell::new(false),
        }
    }

    /// Whether a call can go on without end.
    pub(crate) fn is_streaming(&self) -> bool {
        let of_replies = match &self.target {
            Target::Function(method) => method.server_streaming,
            Target::Builtin(builtin) => *builtin == Builtin::HealthWatch,
        };
        self.client_streaming || of_replies
    }

    /// Whether calls are traced: those of probes and tools would only bury the others.
    pub(crate) fn is_traced(&self) -> bool {
        matches!(self.target, Target::Function(_))
    }

    fn builtin(path: &str, builtin: Builtin, metrics: &CoreMetrics, policy: &Policy) -> Self {
        let thing = match builtin {
            Builtin::Reflection(_) => Thing::Reflection,
            Builtin::HealthCheck | Builtin::HealthWatch => Thing::Health,
        };
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or(("", path));
        Route {
            client_streaming: builtin.client_streaming(),
            wants_metadata: false,
            allowed: policy.thing(thing).clone(),
            counters: metrics.method(&service.into(), &method.into()),
            target: Target::Builtin(builtin),
            warned: Cell::new(false),
        }
    }
}
