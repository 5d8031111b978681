//! One core: a thread with its own runtime, its entities, its link to the function and its clients' connections.

use std::sync::Arc;
use std::thread::JoinHandle;

use cloudstate_function::{Link, LinkOptions, Target};
use cloudstate_gateway::{Front, Gateway};
use cloudstate_runtime::{Core, Health, Inbox, Shared};
use futures_util::stream;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Task polls between two looks at the sockets. A command takes about six polls; at tokio's default of 61 a busy core
/// would go to the kernel after every tenth command, for few bytes each time. With this, what is ready is worked off first
/// and written together. One round takes a millisecond or two at most.
const EVENT_INTERVAL: u32 = 1024;

/// What is counted on both sides of the cores.
#[derive(Debug, Clone)]
pub(crate) struct SideMetrics {
    pub(crate) clients: cloudstate_gateway::Metrics,
    pub(crate) function: cloudstate_function::Metrics,
}

/// What a core is made of; everything but the thread's own state.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) target: Target,
    pub(crate) link: LinkOptions,
    pub(crate) connections: mpsc::Receiver<std::net::TcpStream>,
    pub(crate) front: watch::Receiver<Arc<Front>>,
    pub(crate) health: Health,
    pub(crate) metrics: SideMetrics,
    pub(crate) gateway: cloudstate_gateway::Options,
    /// Clients are sent away: running calls end, no new ones begin.
    pub(crate) shutdown: CancellationToken,
    /// The core ends when this does.
    pub(crate) end: CancellationToken,
}

/// Starts the thread. The receiver hears when the core has ended, by an error when it panicked.
pub(crate) fn start(parts: Parts) -> std::io::Result<(JoinHandle<()>, oneshot::Receiver<()>)> {
    let (ended, has_ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(format!("core-{}", parts.index))
        .spawn(move || {
            match tokio::runtime::Builder::new_current_thread()
                .event_interval(EVENT_INTERVAL)
                .enable_all()
                .build_local(Default::default())
            {
                Ok(runtime) => {
                    runtime.block_on(run(parts));
                    // Nobody listens when the process is already ending.
                    let _ = ended.send(());
                }
                Err(error) => tracing::error!(%error, "a core cannot start"),
            }
        })?;
    Ok((thread, has_ended))
}

async fn run(parts: Parts) {
    let Parts {
        index,
        shared,
        inbox,
        target,
        link,
        connections,
        front,
        health,
        metrics,
        gateway,
        ..
    } = parts;
    let link = Link::counted(target, link, &metrics.function);
    let core = Core::start(index, shared, inbox, link.clone());
    let gateway = Gateway::new(core, front, health, &metrics.clients, gateway, parts.shutdown);
    let serving = tokio::task::spawn_local(async move { gateway.serve(incoming(connections)).await });
    parts.end.cancelled().await;
    if let Err(error) = serving.await {
        tracing::error!(%error, "serving clients failed");
    }
    link.close().await;
}

fn incoming(connections: mpsc::Receiver<std::net::TcpStream>) -> impl futures_util::Stream<Item = TcpStream> {
    stream::unfold(connections, |mut connections| async move {
        loop {
            match TcpStream::from_std(connections.recv().await?) {
                Ok(stream) => return Some((stream, connections)),
                Err(error) => tracing::debug!(%error, "a client connection was lost before it was served"),
            }
        }
    })
}
