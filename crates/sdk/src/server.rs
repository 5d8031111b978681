//! Serves a user function over clear-text HTTP/2.
//!
//! ```text
//!   listener ─▶ worker (one thread, one runtime) ─▶ connection task ─▶ task a stream ─▶ entity machine | action
//! ```
//!
//! gRPC framing is done here, directly on `h2`: an idle entity stream then costs about a kibibyte, and a command one
//! wake-up and no channel. A connection stays on one worker; streams are owned by their connection and end with it.

mod connection;
mod frames;
mod listener;
mod output;
mod streams;
mod workers;

pub use listener::Listener;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Declaration, DeclarationError, UserFunction};

/// How a user function is served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Threads, each with a runtime of its own; connections are dealt out to them in turn. One serves about half a
    /// million commands a second; more help only if handlers take long and the proxy opens several connections.
    pub threads: usize,
    /// Streams that one connection may have at a time: active entities and calls of actions in flight. A proxy that
    /// needs more opens another connection.
    pub max_streams_per_connection: u32,
    /// Size of the largest message taken from the proxy, in bytes.
    pub max_message_bytes: usize,
    /// How long calls in flight may take when the function is asked to stop.
    pub drain_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            threads: 1,
            // An idle stream costs about 1.3 KiB beside the entity's own state, so this is a bound on memory, far above
            // what one proxy usually keeps active.
            max_streams_per_connection: 1_000_000,
            max_message_bytes: 64 * 1024 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Why serving failed. Its `Debug` text is the same as its `Display` text, since that is what a `main` that returns it
/// prints.
#[derive(thiserror::Error)]
pub enum ServeError {
    /// What was registered cannot be served.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// `PORT` is not a port.
    #[error("PORT is {0:?}, but must be a number from 0 to 65535")]
    InvalidPort(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Host and port, or the path of the socket.
        address: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The operating system refused a runtime, a thread or a signal handler.
    #[error("cannot start serving: {0}")]
    Start(#[source] std::io::Error),
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl UserFunction {
    /// Serves on the Unix socket `SOCKET` if that is set, else on `HOST` (127.0.0.1) and `PORT` (8080; 0 picks a free
    /// one), until SIGTERM or SIGINT; then calls in flight are finished. Blocks the thread.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn run(self) -> Result<(), ServeError> {
        self.run_with(ServerOptions::default())
    }

    /// Like [`run`](Self::run), with options.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn run_with(self, options: ServerOptions) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Start)?;
        runtime.block_on(async {
            let shutdown = shutdown_signal().map_err(ServeError::Start)?;
            self.serve(Listener::from_environment()?, options, shutdown).await
        })
    }

    /// Serves on a listener until `shutdown` is ready; then calls in flight are finished, within the drain timeout.
    /// Needs a tokio runtime with IO and time. Dropping the future stops at once.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn serve(
        self,
        listener: Listener,
        options: ServerOptions,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let name = self.name().to_owned();
        let shared = Arc::new(Shared::new(self.declare()?, options));
        tracing::info!("serving the user function {name} on {}", listener.address());
        let workers = workers::Workers::start(&shared).map_err(ServeError::Start)?;
        workers.accept_until(listener, shutdown).await;
        tracing::info!("stopping the user function {name}");
        Ok(())
    }
}

/// What all connections share.
struct Shared {
    declaration: Declaration,
    options: ServerOptions,
    draining: CancellationToken,
}

impl Shared {
    fn new(declaration: Declaration, options: ServerOptions) -> Self {
        Shared {
            declaration,
            options,
            draining: CancellationToken::new(),
        }
    }
}

fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
