//! Owns what a core needs to serve clients, and the connections themselves.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use cloudstate_runtime::{Health, Router};
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::accept;
use crate::access::Guard;
use crate::front::{CoreFront, Front};
use crate::metrics::{CoreMetrics, Metrics};
use crate::options::Options;

/// Serves clients on one core. A handle: clones serve the same.
///
/// Runs on the `LocalRuntime` of its core and hands every call to that core's router.
pub struct Gateway<R> {
    core: Rc<Core<R>>,
}

impl<R> Clone for Gateway<R> {
    fn clone(&self) -> Self {
        Gateway {
            core: self.core.clone(),
        }
    }
}

/// What all connections of a core share.
pub(crate) struct Core<R> {
    pub(crate) router: R,
    pub(crate) options: Options,
    pub(crate) metrics: CoreMetrics,
    pub(crate) health: Health,
    pub(crate) shutdown: CancellationToken,
    pub(crate) guard: Guard,
    pub(crate) front: watch::Receiver<Arc<Front>>,
    current: RefCell<Rc<CoreFront>>,
}

impl<R> Core<R> {
    /// What is served now.
    pub(crate) fn current(&self) -> Rc<CoreFront> {
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&*self.front.borrow(), &current.shared) {
            let front = self.front.borrow().clone();
            *current = Rc::new(CoreFront::new(front, &self.metrics, self.guard.policy()));
        }
        current.clone()
    }
}

impl<R: Router> Gateway<R> {
    /// A gateway that calls `router` for what `front` serves, until `shutdown`.
    ///
    /// `health` is what `grpc.health.v1` tells about the process as a whole.
    pub fn new(
        router: R,
        front: watch::Receiver<Arc<Front>>,
        health: Health,
        metrics: &Metrics,
        options: Options,
        shutdown: CancellationToken,
    ) -> Self {
        let metrics = metrics.core();
        let guard = Guard::new(
            options.security.clone(),
            options.cors.clone(),
            metrics.refused.clone(),
        );
        let current = CoreFront::new(front.borrow().clone(), &metrics, guard.policy());
        let current = RefCell::new(Rc::new(current));
        Gateway {
            core: Rc::new(Core {
                router,
                options,
                metrics,
                health,
                shutdown,
                guard,
                front,
                current,
            }),
        }
    }

    /// Serves connections as they come, until shutdown or their end, then waits for those that are open.
    ///
    /// At shutdown clients are told to go elsewhere and running calls may finish; what still runs after
    /// [`Options::drain_timeout`] is cut off. At [`Options::max_connections`] no further connection is taken until one ends.
    /// Dropping the future cuts all connections.
    pub async fn serve<S>(&self, connections: S)
    where
        S: Stream,
        S::Item: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let tasks = self.accept(connections).await;
        self.drain(tasks).await;
    }

    /// Takes connections until shutdown. They are given up on return, and with them the listener behind them: from then on
    /// the port is refused, while the connections that were taken drain.
    async fn accept<S>(&self, connections: S) -> JoinSet<()>
    where
        S: Stream,
        S::Item: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut connections = std::pin::pin!(connections);
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.core.shutdown.cancelled() => return tasks,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => log_panic(ended),
                next = connections.next(), if tasks.len() < self.core.options.max_connections => match next {
                    Some(io) => { tasks.spawn_local(self.clone().serve_connection(io)); }
                    None => return tasks,
                },
            }
        }
    }

    /// Serves one connection until it ends. At shutdown it is drained, without a time limit. Dropping the future cuts it.
    pub async fn serve_connection<I>(self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let _open = Open::begin(&self.core);
        if let Err(error) = accept::serve(self.core.clone(), io).await {
            if let Some(reason) = error.failed_handshake() {
                self.core.metrics.refused.handshake(reason);
            }
            if let Some(reason) = error.reason() {
                self.core.metrics.refused.connection(reason);
            }
            tracing::debug!(%error, "a client connection failed");
        }
    }

    async fn drain(&self, mut tasks: JoinSet<()>) {
        let deadline = async {
            self.core.shutdown.cancelled().await;
            tokio::time::sleep(self.core.options.drain_timeout).await;
        };
        let ended = async {
            while let Some(ended) = tasks.join_next().await {
                log_panic(ended);
            }
        };
        tokio::select! {
            () = ended => return,
            () = deadline => {}
        }
        tracing::warn!(
            connections = tasks.len(),
            "calls still run after the drain time; cutting their connections"
        );
        tasks.shutdown().await;
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a client connection panicked");
    }
}

/// Counts a connection while it lives.
struct Open<'a>(&'a CoreMetrics);

impl<'a> Open<'a> {
    fn begin<R>(core: &'a Core<R>) -> Self {
        core.metrics.connections.open();
        Open(&core.metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.close();
    }
}
