//! A proxy in threads of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use cloudstate_proxy::config::{Sources, load};
use cloudstate_proxy::{Event, Hooks, RunError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Client, Http};

/// A running proxy. Dropping it shuts it down in order.
pub(crate) struct Proxy {
    events: watch::Receiver<Vec<Event>>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Proxy {
    /// Starts a proxy for the function at this port, with flags on top of what suits tests; the port does not count if
    /// they name a socket.
    pub(crate) fn start(function: u16, flags: &[(&str, &str)]) -> Proxy {
        let config = load(&sources(function, flags))
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config;
        let (told, events) = watch::channel(Vec::new());
        let shutdown = CancellationToken::new();
        let hooks_shutdown = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let hooks = Hooks {
                shutdown: hooks_shutdown,
                events: Box::new(move |event| told.send_modify(|events: &mut Vec<Event>| events.push(event))),
            };
            cloudstate_proxy::run(&config, hooks)
        });
        Proxy {
            events,
            shutdown,
            thread: Some(thread),
        }
    }

    /// Waits for an event that `pick` picks; `None` when the proxy has ended.
    pub(crate) async fn event<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.event_after(0, pick).await
    }

    /// The same, leaving the first events out.
    pub(crate) async fn event_after<T>(&self, skip: usize, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
        let mut events = self.events.clone();
        let picked = |events: &Vec<Event>| events.iter().skip(skip).find_map(&pick);
        let events = events.wait_for(|events| picked(events).is_some()).await.ok()?;
        picked(&events)
    }

    /// Events so far.
    pub(crate) fn events(&self) -> usize {
        self.events.borrow().len()
    }

    /// Waits until the client port listens.
    pub(crate) async fn address(&self) -> SocketAddr {
        let serving = |event: &Event| match event {
            Event::Serving { address, .. } => Some(*address),
            _ => None,
        };
        self.event(serving).await.expect("the proxy ended")
    }

    /// The client port, which may not listen yet.
    pub(crate) async fn reserved(&self) -> SocketAddr {
        let reserved = |event: &Event| match event {
            Event::ClientReserved(address) => Some(*address),
            _ => None,
        };
        self.event(reserved).await.expect("the proxy ended")
    }

    /// A gRPC client.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address().await).await
    }

    /// An HTTP/1.1 client.
    pub(crate) async fn http(&self) -> Http {
        Http::new(self.address().await)
    }

    /// Tells the proxy to end, and goes on.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Waits for the end.
    pub(crate) async fn ended(mut self) -> Result<(), RunError> {
        let thread = self.thread.take().expect("it is taken here only");
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .expect("it is not cancelled")
            .expect("the proxy panicked")
    }

    /// Shuts it down and waits for its end.
    pub(crate) async fn stop(self) {
        self.shut_down();
        self.ended().await.expect("the proxy ends in order");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // A failed proxy has failed its test already.
            let _ = thread.join();
        }
    }
}

fn sources(function: u16, flags: &[(&str, &str)]) -> Sources {
    let function = function.to_string();
    let mut all: BTreeMap<&str, &str> = [
        ("http.host", "127.0.0.1"),
        ("http.port", "0"),
        ("admin.host", "127.0.0.1"),
        ("admin.port", "0"),
        ("function.backoff-min", "5ms"),
        ("function.backoff-max", "50ms"),
        ("runtime.threads", "2"),
        // A busy machine is slow, and no test but those of overload asks for that to be noticed.
        ("runtime.max-delay", "0s"),
        ("runtime.drain-timeout", "1s"),
        ("store.url", "memory:"),
    ]
    .into();
    if !flags.iter().any(|(name, _)| *name == "function.socket") {
        all.insert("function.port", &function);
    }
    all.extend(flags.iter().copied());
    Sources {
        flags: all
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..Sources::default()
    }
}
