//! This proxy's node in the cluster: a thread of its own, so that a busy core does not make it look dead.

mod page;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudstate_cluster::{
    Cluster, Detection, LinkOptions, MembershipOptions, Metrics, Node, Options, ReplicationOptions, Security,
    State, SystemNet, next_generation,
};
use cloudstate_crdt::{Limits, NodeId};
use cloudstate_replica::Replicas;
use cloudstate_runtime::Component;
use prometheus_client::registry::Registry;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::page::page;
use crate::config::{ClusterTlsMode, Config};
use crate::listen::{ListenError, Reserved};
use crate::run::RunError;

/// A node that has its port, but does not run.
pub(crate) struct Prepared {
    cluster: Cluster,
    port: Reserved,
    key: &'static str,
    security: Security,
    watch: Option<tls::Watch>,
}

/// A node that runs. Cancelling `leave` lets it go.
pub(crate) struct Running {
    pub(crate) thread: JoinHandle<()>,
    /// Why it ended. An error if it panicked.
    pub(crate) ended: oneshot::Receiver<Result<(), cloudstate_cluster::Error>>,
    pub(crate) leave: CancellationToken,
}

/// Takes the port and reads the certificates; `None` if this proxy is the only one.
pub(crate) fn prepare(config: &Config, registry: &mut Registry) -> Result<Option<Prepared>, RunError> {
    if !config.is_clustered() {
        return Ok(None);
    }
    let (key, port) = config.peer_port();
    let port = Reserved::new(config.cluster.peer_host.as_str(), port, key)?;
    let (security, watch) = match config.cluster_tls.mode {
        ClusterTlsMode::Off => {
            if !port.address().ip().is_loopback() {
                tracing::warn!("cluster.tls is off: whoever reaches the port for other nodes is a member");
            }
            (Security::Off, None)
        }
        ClusterTlsMode::Required => {
            let (security, watch) = tls::prepare(config)?;
            (security, Some(watch))
        }
    };
    let options = options(config, port.address());
    tracing::info!(
        node = options.node.name,
        endpoint = options.node.endpoint,
        "this node of the cluster"
    );
    Ok(Some(Prepared {
        cluster: Cluster::new(options, Metrics::register(registry)),
        port,
        key,
        security,
        watch,
    }))
}

impl Prepared {
    pub(crate) fn replicas(&self) -> Arc<Replicas> {
        self.cluster.replicas()
    }

    pub(crate) fn state(&self) -> watch::Receiver<Arc<State>> {
        self.cluster.state()
    }

    /// Starts the thread.
    pub(crate) fn start(self) -> Result<Running, RunError> {
        let (end, ended) = oneshot::channel();
        let leave = CancellationToken::new();
        let shutdown = leave.clone();
        let (opened, has_opened) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("cluster".to_owned())
            .spawn(move || {
                if let Err(error) = self.run(shutdown, end, &opened) {
                    // The starter waits for exactly one message and is told of a failure here, if not before.
                    let _ = opened.try_send(Err(error));
                }
            })?;
        has_opened
            .recv()
            .map_err(|_| RunError::Died("the cluster's port"))??;
        Ok(Running { thread, ended, leave })
    }

    fn run(
        self,
        shutdown: CancellationToken,
        end: oneshot::Sender<Result<(), cloudstate_cluster::Error>>,
        opened: &std::sync::mpsc::SyncSender<Result<(), ListenError>>,
    ) -> Result<(), ListenError> {
        let system = |source| ListenError {
            address: "the cluster".to_owned(),
            key: self.key,
            source,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system)?;
        runtime.block_on(async {
            let listener = self.port.listen(self.key)?;
            // The starter waits for it.
            let _ = opened.try_send(Ok(()));
            let watch = async {
                match self.watch {
                    Some(watch) => watch.follow().await,
                    None => std::future::pending().await,
                }
            };
            let node = self
                .cluster
                .run(Arc::new(SystemNet), Box::new(listener), self.security, shutdown);
            let outcome = tokio::select! {
                outcome = Box::pin(node) => outcome,
                () = watch => unreachable!("it never ends"),
            };
            // Nobody listens when the process is already ending.
            let _ = end.send(outcome);
            Ok(())
        })
    }
}

/// Follows the node's state, for `/ready`. Ends when the node does.
pub(crate) async fn follow(mut state: watch::Receiver<Arc<State>>, component: Component) {
    loop {
        let now = state.borrow_and_update().clone();
        match (&now.refusal, &now.view) {
            _ if now.is_ready() => component.ready(),
            (Some(refusal), None) => component.not_ready(refusal.as_str()),
            (None, None) => component.not_ready("looking for the cluster"),
            (_, Some(_)) => component.not_ready("getting what the other nodes have"),
        }
        if state.changed().await.is_err() {
            component.not_ready("this node has left the cluster");
            return;
        }
    }
}

fn options(config: &Config, listening: SocketAddr) -> Options {
    let cluster = &config.cluster;
    let port = listening.port();
    let endpoint = match cluster.peer_addr.parts() {
        Some((host, _)) => format!("{host}:{port}"),
        None => format!("{}:{port}", host_name()),
    };
    let name = cluster.node_name.clone().unwrap_or_else(|| endpoint.clone());
    let link = LinkOptions {
        timeout: cluster.link_timeout,
        queue_bytes: cluster.queue_bytes.bytes(),
        ..LinkOptions::default()
    };
    let generation = next_generation(wall_ms(), None, None);
    Options {
        cluster: cluster.name.clone(),
        node: Node {
            id: NodeId::new(Node::address_of(&name), generation),
            name,
            endpoint,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            zone: cluster.zone.clone().unwrap_or_default(),
        },
        join: cluster.join.places().to_vec(),
        leave_timeout: cluster.leave_timeout,
        membership: MembershipOptions {
            detection: Detection {
                probe_interval: cluster.probe_interval,
                suspicion: cluster.suspicion,
            },
            remove_after: cluster.remove_after,
            form_after: cluster.form_after,
        },
        replication: ReplicationOptions {
            push_interval: cluster.push_interval,
            digest_interval: cluster.digest_interval,
            write_timeout: cluster.write_timeout,
            read_timeout: cluster.read_timeout,
            max_waiting: cluster.max_waiting,
            limits: Limits {
                depth: config.crdt.max_depth,
                ..Limits::default()
            },
            ..ReplicationOptions::default()
        },
        link,
        wall_ms: Arc::new(wall_ms),
        // Nobody has to guess it; nodes only have to differ.
        seed: generation
            ^ u64::from(std::process::id()).rotate_left(32)
            ^ Node::address_of(&listening.to_string()),
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn wall_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
