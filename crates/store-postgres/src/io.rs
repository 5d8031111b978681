//! The thread that drives the connections.

use std::future::Future;
use std::thread::{self, JoinHandle};

use cloudstate_store::Error;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A runtime on a thread of its own, so that no thread of a caller has to be one. Dropping it ends both.
pub(crate) struct Io {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Io {
    pub(crate) fn start() -> std::io::Result<Io> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let _ = runtime.block_on(stopped);
        };
        let thread = thread::Builder::new()
            .name("store-postgres".to_owned())
            .spawn(work)?;
        Ok(Io {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Runs a future there, also if the answer is dropped.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send + 'static {
        let task = self.handle.spawn(work);
        async move { task.await.map_err(|_| Error::Closed) }
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The last holder may be a task of the runtime itself; then the thread ends by itself.
        let own = |thread: &JoinHandle<()>| thread.thread().id() == thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| !own(thread)) {
            let _ = thread.join();
        }
    }
}
