//! Serves what the function declares: for the first time, again after it was lost, and anew when it changed.
//!
//! ```text
//!   Supervisor ──EntitySpec──▶ judge ──▶ Catalog (latest)
//!        └───────Discovery state───▶ follow ──▶ cores, front, client port, readiness, events
//! ```

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use cloudstate_access::{Pattern, Policy};
use cloudstate_catalog::{Catalog, CatalogOptions, EntityKind, Method};
use cloudstate_function::Link;
use cloudstate_function::discovery::{Backoff, Discovery, DiscoveryOptions, Supervisor, Verdict, proxy_info};
use cloudstate_gateway::{Front, Routes};
use cloudstate_protocol::EntitySpec;
use cloudstate_runtime::{Component, Shared};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, nearest};
use crate::listen::{Reserved, spread};
use crate::rooms;
use crate::run::{Event, RunError};

/// Everything that a declaration changes.
pub(crate) struct Serving<'a> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) front: watch::Sender<Arc<Front>>,
    pub(crate) function: Component,
    pub(crate) metrics: cloudstate_function::Metrics,
    pub(crate) events: &'a dyn Fn(Event),
    pub(crate) shutdown: CancellationToken,
    /// Its rules must name what the function declares.
    pub(crate) policy: Arc<Policy>,
    /// The client port until it listens.
    pub(crate) client: Option<Reserved>,
    pub(crate) address: SocketAddr,
    pub(crate) connections: Vec<mpsc::Sender<std::net::TcpStream>>,
}

/// Runs until the client port cannot be opened. Dropping it stops discovery; accepting ends with the shutdown.
pub(crate) async fn run(config: &Config, serving: Serving<'_>) -> RunError {
    // A link of its own: its one connection tells when the function is gone.
    let link = Link::counted(rooms::target(config), rooms::link(config), &serving.metrics);
    let options = catalog_options(config);
    let clustered = config.is_clustered();
    let (state, changes) = watch::channel(Discovery::Searching { reason: None });
    let latest = RefCell::new(None);
    let policy = serving.policy.clone();
    let supervisor = Supervisor::new(link, discovery_options(config, &options), state);
    tokio::select! {
        () = supervisor.run(|spec| judge(spec, &options, clustered, &policy, &latest)) => RunError::Died("discovery"),
        error = serving.follow(changes, &latest) => error,
    }
}

/// Until event sourced and value entities are spread over nodes, one of several proxies would keep each of them in a store of its
/// own: two would have the same entity.
fn catalog_options(config: &Config) -> CatalogOptions {
    let mut options = CatalogOptions {
        compatibility_check: config.function.compatibility_check,
        ..CatalogOptions::default()
    };
    if config.is_clustered() {
        options.supported.retain(|kind| !is_stored(*kind));
    }
    options
}

fn is_stored(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::EventSourced | EntityKind::Value)
}

fn discovery_options(config: &Config, options: &CatalogOptions) -> DiscoveryOptions {
    let supported: Vec<_> = options.supported.iter().map(|kind| kind.entity_type()).collect();
    let function = &config.function;
    let backoff = Backoff {
        min: function.backoff_min,
        max: function.backoff_max,
        jitter: function.backoff_random,
        ..Backoff::default()
    };
    DiscoveryOptions {
        backoff,
        ..DiscoveryOptions::new(proxy_info(&supported))
    }
}

fn judge(
    spec: &EntitySpec,
    options: &CatalogOptions,
    clustered: bool,
    policy: &Policy,
    latest: &RefCell<Option<Arc<Catalog>>>,
) -> Verdict {
    if let Some(reason) = needs_one_proxy(spec).filter(|_| clustered) {
        return Verdict::Refused { reason };
    }
    match Catalog::build(spec, options) {
        Ok((catalog, _)) if let Some(reason) = unknown_rule(policy, &catalog) => Verdict::Refused { reason },
        Ok((catalog, warnings)) => {
            *latest.borrow_mut() = Some(Arc::new(catalog));
            let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            Verdict::Accepted { warnings }
        }
        Err(error) => Verdict::Refused {
            reason: error.to_string(),
        },
    }
}

/// What is wrong with the first entity that only a single proxy can serve.
fn needs_one_proxy(spec: &EntitySpec) -> Option<String> {
    let stored = [
        (EntityKind::EventSourced, "an event sourced entity"),
        (EntityKind::Value, "a value entity"),
    ];
    let kind_of = |entity_type: &str| stored.iter().find(|(kind, _)| kind.entity_type() == entity_type);
    let found = spec
        .entities
        .iter()
        .find_map(|entity| Some((entity, kind_of(&entity.entity_type)?)));
    let (entity, (_, kind)) = found?;
    Some(format!(
        "Service [{}] has declared {kind}, but this proxy is one of several (cluster.join, cluster.peer_addr), and these are not \
         spread over several proxies yet; actions and CRDT entities are. To serve it, run one node, without --join, --peer-addr \
         and --nodes.",
        entity.service_name
    ))
}

/// What is wrong with the first access rule that names nothing of the function. It would protect nothing: a slip of the pen
/// must not open a method.
fn unknown_rule(policy: &Policy, catalog: &Catalog) -> Option<String> {
    let is_known = |pattern: &Pattern| match &pattern.method {
        Some(method) => catalog.method(&pattern.service, method).is_some(),
        None => catalog.service(&pattern.service).is_some(),
    };
    let (pattern, _) = policy.rules.iter().find(|(pattern, _)| !is_known(pattern))?;
    let of = |method: &Arc<Method>| method.path.trim_start_matches('/').to_owned();
    let known: Vec<String> = catalog.methods().iter().map(of).collect();
    let nearest = nearest(&pattern.to_string(), known.iter().map(String::as_str)).unwrap_or_default();
    Some(format!(
        "the rule [{pattern}] (access.rules) names no method or service of the function; the nearest method is [{nearest}]. \
         Correct the rule or remove it."
    ))
}

impl Serving<'_> {
    async fn follow(
        mut self,
        mut changes: watch::Receiver<Discovery>,
        latest: &RefCell<Option<Arc<Catalog>>>,
    ) -> RunError {
        let mut served: Option<(u64, Arc<Routes>)> = None;
        while changes.changed().await.is_ok() {
            let state = changes.borrow_and_update().clone();
            let known = served.as_ref().map(|(declaration, _)| *declaration);
            match state {
                Discovery::Found { declaration } if known == Some(declaration) => self.back(served.as_ref()),
                Discovery::Found { declaration } => {
                    let Some(catalog) = latest.borrow().clone() else {
                        continue;
                    };
                    match self.serve(catalog, served.is_none()).await {
                        Ok(routes) => served = Some((declaration, routes)),
                        Err(error) => return error,
                    }
                }
                Discovery::Searching { reason } => self.lost(reason.as_deref(), served.as_ref()).await,
                Discovery::Refused { reason } => self.refused(reason, served.as_ref()).await,
            }
        }
        RunError::Died("discovery")
    }

    async fn serve(&mut self, catalog: Arc<Catalog>, first: bool) -> Result<Arc<Routes>, RunError> {
        self.shared.install(&catalog).await;
        let routes = Arc::new(Routes::new(catalog.clone()));
        self.front.send_replace(Arc::new(Front::serving(routes.clone())));
        if let Some(reserved) = self.client.take() {
            let listener = reserved.listen("http.port")?;
            tracing::info!(address = %self.address, "serving clients");
            let cores = std::mem::take(&mut self.connections);
            tokio::task::spawn_local(spread(listener, cores, self.shutdown.clone()));
        }
        self.function.ready();
        (self.events)(Event::Serving {
            address: self.address,
            catalog,
            first,
        });
        Ok(routes)
    }

    /// The function is back with the declaration that it had.
    fn back(&self, served: Option<&(u64, Arc<Routes>)>) {
        if let Some((_, routes)) = served {
            self.front.send_replace(Arc::new(Front::serving(routes.clone())));
        }
        self.function.ready();
        (self.events)(Event::FunctionBack);
    }

    async fn lost(&self, reason: Option<&str>, served: Option<&(u64, Arc<Routes>)>) {
        let reason = reason.unwrap_or("the connection was closed");
        self.unavailable(&format!("the user function is not available: {reason}"), served)
            .await;
        (self.events)(Event::FunctionLost(reason.to_owned()));
    }

    async fn refused(&self, reason: String, served: Option<&(u64, Arc<Routes>)>) {
        self.unavailable(
            &format!("the user function's declaration is refused: {reason}"),
            served,
        )
        .await;
        (self.events)(Event::Refused(reason));
    }

    async fn unavailable(&self, text: &str, served: Option<&(u64, Arc<Routes>)>) {
        self.function.not_ready(text);
        let front = match served {
            Some((_, routes)) => Front::lost(routes.clone(), text),
            None => Front::unavailable(text),
        };
        self.front.send_replace(Arc::new(front));
        self.shared.function_lost().await;
    }
}
