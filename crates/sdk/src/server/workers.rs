//! Threads that serve connections.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection;
use super::listener::{Listener, Socket};
use super::{ServerOptions, Shared};

/// Connections that wait for a busy worker; beyond that, accepting waits.
const QUEUE: usize = 16;
/// How long accepting pauses when the process has no file descriptors left or the like.
const PAUSE: Duration = Duration::from_millis(50);

/// One or more workers: one runs on the caller's runtime, several have threads of their own.
pub(super) struct Workers {
    shared: Arc<Shared>,
    threads: Vec<Thread>,
    here: JoinSet<()>,
}

struct Thread {
    connections: mpsc::Sender<Socket>,
    handle: JoinHandle<()>,
}

impl Workers {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let ServerOptions { threads, .. } = shared.options;
        let started = if threads > 1 {
            (0..threads).map(|index| Thread::start(index, shared)).collect()
        } else {
            Ok(vec![])
        };
        Ok(Workers {
            shared: shared.clone(),
            threads: started?,
            here: JoinSet::new(),
        })
    }

    /// Accepts until `shutdown`, then stops listening and drains.
    pub(super) async fn accept_until(mut self, listener: Listener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut next = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = self.here.join_next(), if !self.here.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok(socket) => self.deal(socket, &mut next).await,
                    Err(error) => {
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
        // Whoever connects from now on is refused at once, instead of being let down later.
        drop(listener);
        self.drain().await;
    }

    async fn deal(&mut self, socket: Socket, next: &mut usize) {
        if self.threads.is_empty() {
            self.here.spawn(connection::serve(socket, self.shared.clone()));
            return;
        }
        *next = (*next + 1) % self.threads.len();
        // A worker only ends when its sender is dropped, so there is always somebody to receive.
        let _ = self.threads[*next].connections.send(socket).await;
    }

    async fn drain(mut self) {
        self.shared.draining.cancel();
        finish(&mut self.here, self.shared.options.drain_timeout).await;
        let threads = std::mem::take(&mut self.threads);
        // Joining a thread blocks; it takes the drain timeout at most.
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(Thread::join));
        let _ = joined.await;
    }
}

impl Thread {
    fn start(index: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (connections, queue) = mpsc::channel(QUEUE);
        let shared = shared.clone();
        let builder = std::thread::Builder::new().name(format!("function-{index}"));
        let handle = builder.spawn(move || runtime.block_on(work(queue, shared)))?;
        Ok(Thread { connections, handle })
    }

    fn join(self) {
        drop(self.connections);
        // A worker that panicked has been reported by the panic hook.
        let _ = self.handle.join();
    }
}

async fn work(mut queue: mpsc::Receiver<Socket>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = queue.recv() => match socket {
                Some(socket) => drop(connections.spawn(connection::serve(socket, shared.clone()))),
                None => break,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    finish(&mut connections, shared.options.drain_timeout).await;
}

/// Waits for connections to end, and aborts those that have not in time.
async fn finish(connections: &mut JoinSet<()>, timeout: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, all).await.is_err() {
        tracing::warn!("calls in flight did not end within {timeout:?} and are cancelled");
        connections.shutdown().await;
    }
}
