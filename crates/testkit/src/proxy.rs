//! A whole function against a real proxy, both in this process.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use cloudstate_proxy::config::{Config, Sources, load};
use cloudstate_proxy::{Event, Hooks, RunError};
use cloudstate_sdk::{Listener, ServeError, ServerOptions, UserFunction};

use tokio_util::sync::CancellationToken;

/// A function and a proxy before it, on free ports of this machine. Dropping it shuts both down and waits for them.
///
/// The proxy is the one that runs in production, with its store in memory unless a setting says otherwise. Call it with
/// any gRPC or HTTP client.
///
/// ```no_run
/// # fn function() -> cloudstate_sdk::UserFunction { todo!() }
/// use cloudstate_testkit::ProxyTest;
///
/// let proxy = ProxyTest::start(function(), &[("entity.passivation-timeout", "1s")])?;
/// println!("clients connect to {}", proxy.address());
/// # Ok::<(), cloudstate_testkit::ProxyTestError>(())
/// ```
#[derive(Debug)]
pub struct ProxyTest {
    address: SocketAddr,
    shutdown: CancellationToken,
    proxy: Option<JoinHandle<Result<(), RunError>>>,
    function: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Why the function is not served.
#[derive(Debug, thiserror::Error)]
pub enum ProxyTestError {
    /// The settings are wrong.
    #[error("the proxy's settings: {0}")]
    Settings(String),
    /// The function cannot be served.
    #[error("the function does not start")]
    Function(#[source] ServeError),
    /// The proxy ended.
    #[error("the proxy does not start")]
    Proxy(#[source] RunError),
    /// The proxy refuses what the function declares.
    #[error("the proxy refuses the function's declaration: {0}")]
    Refused(String),
    /// A thread could not be started, or panicked.
    #[error("a thread of the test ended unexpectedly")]
    Thread,
}

impl ProxyTest {
    /// Starts both and waits until the proxy serves the function. Settings are configuration keys as flags are
    /// written, without `--`: `("store.url", "sqlite:/tmp/carts")`.
    ///
    /// # Errors
    /// See [`ProxyTestError`].
    pub fn start(function: UserFunction, settings: &[(&str, &str)]) -> Result<Self, ProxyTestError> {
        let shutdown = CancellationToken::new();
        let (address, function) = serve(function, shutdown.clone())?;
        let mut test = ProxyTest {
            address,
            shutdown: shutdown.clone(),
            proxy: None,
            function: Some(function),
        };
        let config = configure(address.port(), settings)?;
        let (told, events) = sync_channel(64);
        test.proxy = Some(spawn("proxy", move || run(&config, shutdown, told))?);
        test.address = test.serving(&events)?;
        Ok(test)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn serving(&mut self, events: &Receiver<Event>) -> Result<SocketAddr, ProxyTestError> {
        loop {
            match events.recv() {
                Ok(Event::Serving { address, .. }) => return Ok(address),
                Ok(Event::Refused(reason)) => return Err(ProxyTestError::Refused(reason)),
                Ok(_) => {}
                Err(_) => return Err(self.why_it_ended()),
            }
        }
    }

    /// The proxy dropped its end of the events, so it has ended or is about to.
    fn why_it_ended(&mut self) -> ProxyTestError {
        match self.proxy.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => ProxyTestError::Proxy(error),
            _ => ProxyTestError::Thread,
        }
    }
}

impl Drop for ProxyTest {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // What they answer at the end is no concern of a test that is over.
        drop(self.proxy.take().map(JoinHandle::join));
        drop(self.function.take().map(JoinHandle::join));
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ProxyTestError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|_| ProxyTestError::Thread)
}

type Serving = (SocketAddr, JoinHandle<Result<(), ServeError>>);

fn serve(function: UserFunction, shutdown: CancellationToken) -> Result<Serving, ProxyTestError> {
    let (bound, address) = sync_channel(1);
    let thread = spawn("function", move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Start)?;
        runtime.block_on(async {
            let listener = Listener::tcp("127.0.0.1", 0)?;
            // The starter waits for it.
            let _ = bound.send(listener.address());
            function
                .serve(listener, ServerOptions::default(), shutdown.cancelled_owned())
                .await
        })
    })?;
    match address.recv().ok().and_then(|address| address.parse().ok()) {
        Some(address) => Ok((address, thread)),
        None => match thread.join() {
            Ok(Err(error)) => Err(ProxyTestError::Function(error)),
            _ => Err(ProxyTestError::Thread),
        },
    }
}

fn configure(function: u16, settings: &[(&str, &str)]) -> Result<Config, ProxyTestError> {
    let function = function.to_string();
    let own = [
        ("http.host", "127.0.0.1"),
        ("http.port", "0"),
        ("admin.host", "127.0.0.1"),
        ("admin.port", "0"),
        ("function.port", &*function),
        ("store.url", "memory:"),
    ];
    let overridden = |key: &str| settings.iter().any(|(name, _)| name.replace('_', "-") == key);
    let flags = own.iter().filter(|(key, _)| !overridden(key)).chain(settings);
    let flags = flags
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let loaded = load(&Sources {
        flags,
        ..Sources::default()
    });
    loaded
        .map(|loaded| loaded.config)
        .map_err(|errors| ProxyTestError::Settings(errors.to_string()))
}

fn run(config: &Config, shutdown: CancellationToken, told: SyncSender<Event>) -> Result<(), RunError> {
    // Nobody listens any more once the function is served, or when too much happens: a test needs the first of them.
    let events = Box::new(move |event| drop(told.try_send(event)));
    cloudstate_proxy::run(config, Hooks { shutdown, events })
}
