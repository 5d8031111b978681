//! Puts the rooms together, in order, and takes them apart in order.
//!
//! ```text
//!   start:  read certificates and keys ─▶ reserve client port ─▶ admin port listens ─▶ store ─▶ cores ─▶ discovery ─▶ client port listens
//!   end:    no new connections ─▶ calls end ─▶ entities passivate ─▶ cores end ─▶ last spans exported
//!           ─▶ store closes ─▶ admin port closes
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cloudstate_admin::Admin;
use cloudstate_catalog::Catalog;
use cloudstate_cluster::State;
use cloudstate_gateway::{Front, Security, StaticFiles};
use cloudstate_replica::Replicas;
use cloudstate_runtime::{Component, Health, Inbox, Metrics, Shared};
use cloudstate_store::Store;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::cluster;
use crate::config::Config;
use crate::core_thread::{self, Parts, SideMetrics};
use crate::discovery::{self, Serving};
use crate::files::FileError;
use crate::listen::{ListenError, Reserved};
use crate::open_store::open_store;
use crate::process_metrics::ProcessMetrics;
use crate::readiness_metrics::ReadinessMetrics;
use crate::replicas::{self, ReplicaMetrics};
use crate::rooms;
use crate::security;
use crate::store_metrics::{StoreMetrics, follow_health};
use crate::traces::{Traces, TracingError};

/// Connections handed to a core that it has not taken yet.
const CONNECTION_QUEUE: usize = 64;

/// Why the proxy could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A port cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The directory of static files cannot be served.
    #[error("cannot serve the files of {} (from http.static.dir): {source}", directory.display())]
    StaticFiles {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of certificates or keys cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// The store cannot be opened or closed.
    #[error(transparent)]
    Store(#[from] cloudstate_store::Error),
    /// The system refused a thread or a runtime.
    #[error("the system refused what the proxy needs: {0}")]
    System(#[from] std::io::Error),
    /// This proxy cannot be a node of the cluster any more.
    #[error(transparent)]
    Cluster(#[from] cloudstate_cluster::Error),
    /// A part of the proxy panicked.
    #[error("{0} ended unexpectedly; the log says why")]
    Died(&'static str),
}

/// What happens to a running proxy, for whoever started it.
#[derive(Debug, Clone)]
pub enum Event {
    /// The admin port listens here.
    AdminListening(SocketAddr),
    /// The client port is taken; it listens when the function has declared itself.
    ClientReserved(SocketAddr),
    /// A declaration of the function is served. `first` tells the first one, with which the client port begins to listen.
    Serving {
        /// Where clients connect.
        address: SocketAddr,
        /// What is served.
        catalog: Arc<Catalog>,
        /// Whether nothing was served before.
        first: bool,
    },
    /// The function's declaration was refused, for this reason.
    Refused(String),
    /// The function cannot be reached, for this reason.
    FunctionLost(String),
    /// The function is back with the declaration that it had.
    FunctionBack,
}

/// How a running proxy is stopped and watched.
pub struct Hooks {
    /// Cancel it to drain and end.
    pub shutdown: CancellationToken,
    /// Called on the proxy's main thread; must not block.
    pub events: Box<dyn Fn(Event)>,
}

/// Runs a proxy until its shutdown or a failure. Blocks.
///
/// # Errors
/// If a port, the store or a thread cannot be had, or a part of the proxy dies.
pub fn run(config: &Config, hooks: Hooks) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(run_here(config, hooks))
}

async fn run_here(config: &Config, hooks: Hooks) -> Result<(), RunError> {
    let static_files = rooms::static_files(config)?;
    let mut registry = Registry::default();
    let (security, watch) = security::prepare(config, &mut registry)?;
    let client = Reserved::new(config.http.host.as_str(), config.http.port, "http.port")?;
    (hooks.events)(Event::ClientReserved(client.address()));
    let admin_ports = admin::reserve(config)?;

    let metrics = Metrics::register(&mut registry);
    let sides = SideMetrics {
        clients: cloudstate_gateway::Metrics::new(),
        function: cloudstate_function::Metrics::register(&mut registry),
    };
    sides.clients.register(&mut registry);
    let node = cluster::prepare(config, &mut registry)?;
    let replicas = node
        .as_ref()
        .map_or_else(|| replicas::alone(config), cluster::Prepared::replicas);
    registry.register_collector(Box::new(ReplicaMetrics(replicas.clone())));
    let opened = Arc::new(OnceLock::new());
    registry.register_collector(Box::new(StoreMetrics(opened.clone())));
    registry.register_collector(Box::new(ProcessMetrics::new()));
    let traces = Traces::start(config, &mut registry)?;
    let health = Health::new();
    registry.register_collector(Box::new(ReadinessMetrics(health.clone())));
    let proxy = Proxy {
        config,
        function: health.component(
            "function",
            format!("waiting for the user function at {}", rooms::target(config)),
        ),
        stored: health.component("store", "opening"),
        process: health.component("proxy", "starting"),
        health: health.clone(),
        metrics,
        replicas,
        clustered: node
            .as_ref()
            .map(|node| (node.state(), health.component("cluster", "starting"))),
        sides,
        static_files,
        traces,
        opened,
        security,
        watch,
        hooks: &hooks,
    };
    let mut admin = Admin::new(health, registry);
    if let Some(node) = &node {
        let state = node.state();
        admin = admin.route(http::Method::GET, "/cluster", move |_| {
            let page = cluster::page(&state.borrow());
            async move { page }
        });
    }
    let end = CancellationToken::new();
    let admin = admin::start(admin, admin_ports, end.clone(), &*hooks.events)?;
    let outcome = Box::pin(run_with_node(proxy, client, node)).await;
    end.cancel();
    join(vec![admin]).await?;
    outcome
}

/// Runs the proxy, and its node in the cluster around it: calls that end have to reach the others before the node leaves.
async fn run_with_node(
    proxy: Proxy<'_>,
    client: Reserved,
    node: Option<cluster::Prepared>,
) -> Result<(), RunError> {
    let Some(node) = node else {
        return proxy.run(client).await;
    };
    let mut node = node.start()?;
    let stop = proxy.hooks.shutdown.clone();
    let mut proxy = Box::pin(proxy.run(client));
    let outcome = tokio::select! {
        outcome = &mut proxy => outcome,
        ended = &mut node.ended => {
            stop.cancel();
            proxy.await?;
            return match ended {
                Ok(outcome) => Ok(outcome?),
                Err(_) => Err(RunError::Died("the cluster's node")),
            };
        }
    };
    node.leave.cancel();
    join(vec![node.thread]).await?;
    outcome
}

/// Everything but the ports.
struct Proxy<'a> {
    config: &'a Config,
    function: Component,
    stored: Component,
    process: Component,
    health: Health,
    metrics: Metrics,
    replicas: Arc<Replicas>,
    /// The state of this node, if it is one of several.
    clustered: Option<(watch::Receiver<Arc<State>>, Component)>,
    sides: SideMetrics,
    static_files: Option<StaticFiles>,
    traces: Option<Traces>,
    /// Where the metrics look for the store.
    opened: Arc<OnceLock<Store>>,
    security: Security,
    watch: security::Watch,
    hooks: &'a Hooks,
}

impl Proxy<'_> {
    /// Opens the store, runs until shutdown or a failure, then ends in order.
    async fn run(self, client: Reserved) -> Result<(), RunError> {
        let store = open_store(self.config).await?;
        // Nobody else fills it.
        let _ = self.opened.set(store.clone());
        let outcome = self.serve(client, &store).await;
        store.close().await?;
        outcome
    }

    async fn serve(self, client: Reserved, store: &Store) -> Result<(), RunError> {
        let Proxy { config, hooks, .. } = self;
        let options = rooms::runtime(config);
        let count = rooms::cores(config);
        let (shared, inboxes) = Shared::new(options, store.clone(), self.replicas, self.metrics, count);
        let nothing = Front::unavailable("the user function has not declared itself yet");
        let (front, _) = watch::channel(Arc::new(nothing));
        let end = CancellationToken::new();
        let cores = start_cores(
            config,
            inboxes,
            &shared,
            &front,
            &self.health,
            &self.sides,
            &cloudstate_gateway::Options {
                tracer: self.traces.as_ref().map(|traces| traces.tracer.clone()),
                ..rooms::gateway(config, count, self.static_files, self.security.clone())
            },
            &hooks.shutdown,
            &end,
        )?;
        let serving = Serving {
            shared: shared.clone(),
            front,
            function: self.function,
            metrics: self.sides.function,
            events: &*hooks.events,
            shutdown: hooks.shutdown.clone(),
            policy: self.security.policy,
            address: client.address(),
            client: Some(client),
            connections: cores.connections,
        };
        self.process.ready();
        let joined = joined(self.clustered.as_ref().map(|(state, _)| state.clone()));
        let node = async {
            if let Some((state, component)) = self.clustered {
                cluster::follow(state, component).await;
            }
            std::future::pending::<()>().await;
        };
        let discovery = async {
            joined.await;
            discovery::run(config, serving).await
        };
        let outcome = tokio::select! {
            biased;
            () = hooks.shutdown.cancelled() => Ok(()),
            died = any_ended(cores.ended) => Err(died),
            () = follow_health(store.clone(), self.stored) => Err(RunError::Died("the store's watch")),
            () = self.watch.follow() => Err(RunError::Died("the watch over files")),
            failed = discovery => Err(failed),
            () = node => Err(RunError::Died("the cluster's watch")),
        };
        tracing::info!("shutting down");
        self.process.not_ready("shutting down");
        hooks.shutdown.cancel();
        let by = Instant::now() + config.runtime.drain_timeout;
        shared.drain(by).await;
        end.cancel();
        join(cores.threads).await?;
        if let Some(traces) = self.traces {
            traces.flush(by).await;
        }
        outcome
    }
}

/// Waits until this node is a member that has what the others have: clients come only then.
async fn joined(state: Option<watch::Receiver<Arc<State>>>) {
    if let Some(mut state) = state {
        // An error means that the node ends, and with it the proxy.
        let _ = state.wait_for(|state| state.is_ready()).await;
    }
}

/// Waits for threads that were told to end.
async fn join(threads: Vec<std::thread::JoinHandle<()>>) -> Result<(), RunError> {
    for thread in threads {
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if joined.is_ok_and(|joined| joined.is_err()) {
            return Err(RunError::Died("a thread"));
        }
    }
    Ok(())
}

struct Cores {
    threads: Vec<std::thread::JoinHandle<()>>,
    ended: Vec<oneshot::Receiver<()>>,
    connections: Vec<mpsc::Sender<std::net::TcpStream>>,
}

#[expect(clippy::too_many_arguments, reason = "the one place where everything meets")]
fn start_cores(
    config: &Config,
    inboxes: Vec<Inbox>,
    shared: &Arc<Shared>,
    front: &watch::Sender<Arc<Front>>,
    health: &Health,
    metrics: &SideMetrics,
    gateway: &cloudstate_gateway::Options,
    shutdown: &CancellationToken,
    end: &CancellationToken,
) -> Result<Cores, RunError> {
    let mut cores = Cores {
        threads: Vec::new(),
        ended: Vec::new(),
        connections: Vec::new(),
    };
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let (connections, incoming) = mpsc::channel(CONNECTION_QUEUE);
        let (thread, ended) = core_thread::start(Parts {
            index,
            shared: shared.clone(),
            inbox,
            target: rooms::target(config),
            link: rooms::link(config),
            connections: incoming,
            front: front.subscribe(),
            health: health.clone(),
            metrics: metrics.clone(),
            gateway: gateway.clone(),
            shutdown: shutdown.clone(),
            end: end.clone(),
        })?;
        cores.threads.push(thread);
        cores.ended.push(ended);
        cores.connections.push(connections);
    }
    Ok(cores)
}

/// Waits for the first core that ends before it was told to.
async fn any_ended(ended: Vec<oneshot::Receiver<()>>) -> RunError {
    // Both an orderly end and a panic are unexpected here.
    let _ = futures_util::future::select_all(ended).await;
    RunError::Died("a core")
}
