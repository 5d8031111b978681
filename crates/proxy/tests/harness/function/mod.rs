//! A user function on the bare h2 crate that does what the commands say, right or wrong.
//!
//! | `what` | an entity | an action |
//! |---|---|---|
//! | `add` | adds `text` to its state, replies with the state | replies with `text` |
//! | `read` | replies with the state | replies with `text` |
//! | `hold, …` | waits for [`Function::release`] first | same |
//! | `circle` | forwards the command to the method `text` | same |
//! | `circle of effects` | the same, as a synchronous effect | same |
//! | anything else | see `entity` | see `action` |
//!
//! CRDT entities do what `board` says. Forwards and side effects are given in the command.

mod action;
mod board;
mod entity;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use cloudstate_protocol::metadata_entry::Value;
use cloudstate_protocol::{EntitySpec, Metadata, UserFunctionError, names};
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::{Call, Output, Requests};

/// A running function. Dropping it ends it as the end of a process does.
pub(crate) struct Function {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// What the function's thread and its test have in common.
struct Shared {
    spec: watch::Sender<EntitySpec>,
    /// What happened, a line each.
    log: watch::Sender<Vec<String>>,
    reports: watch::Sender<Vec<String>>,
    /// A permit for each held command that may go on.
    gate: Semaphore,
    max_streams: u32,
    connections: watch::Sender<usize>,
}

impl Shared {
    /// What the proxy tells of a caller.
    fn note_caller(&self, metadata: Option<&Metadata>) {
        for entry in metadata.iter().flat_map(|metadata| &metadata.entries) {
            if let (true, Some(Value::StringValue(value))) =
                (entry.key.starts_with("cloudstate"), &entry.value)
            {
                self.note(format!("{}: {value}", entry.key));
            }
        }
    }

    fn note(&self, line: String) {
        self.log.send_modify(|log| log.push(line));
    }

    /// Notes the trace that a command's metadata tells of, if it does.
    fn note_trace(&self, what: &str, metadata: Option<&Metadata>) {
        let parent = metadata.and_then(|metadata| metadata.get("traceparent"));
        if let Some(parent) = parent {
            self.note(format!("{what} traced by {parent}"));
        }
    }

    async fn held(&self) {
        self.gate.acquire().await.expect("it is never closed").forget();
    }
}

impl Function {
    /// Serves a declaration on a free port.
    pub(crate) fn start(spec: EntitySpec) -> Function {
        Function::start_with(0, spec, 10_000)
    }

    /// Serves on a port, with a limit of streams on a connection.
    pub(crate) fn start_with(port: u16, spec: EntitySpec, max_streams: u32) -> Function {
        let shared = Arc::new(Shared {
            spec: watch::Sender::new(spec),
            log: watch::Sender::default(),
            reports: watch::Sender::default(),
            gate: Semaphore::new(0),
            max_streams,
            connections: watch::Sender::default(),
        });
        let (port, stop, thread) = serve(port, shared.clone());
        Function {
            port,
            shared,
            stop,
            thread: Some(thread),
        }
    }

    /// Cuts all connections and frees the port, as a killed process does.
    pub(crate) async fn crash(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            joined
                .expect("it is not cancelled")
                .expect("the function panicked");
        }
    }

    /// Comes back on its port after a crash, perhaps with another declaration.
    pub(crate) fn come_back(&mut self, spec: EntitySpec) {
        self.declares(spec);
        let (_, stop, thread) = serve(self.port, self.shared.clone());
        (self.stop, self.thread) = (stop, Some(thread));
    }

    /// Declares something else when asked the next time.
    pub(crate) fn declares(&self, spec: EntitySpec) {
        self.shared.spec.send_replace(spec);
    }

    /// Waits until this happened.
    pub(crate) async fn saw(&self, line: &str) {
        self.saw_times(line, 1).await;
    }

    pub(crate) async fn saw_times(&self, line: &str, times: usize) {
        let count = |log: &Vec<String>| log.iter().filter(|seen| *seen == line).count();
        let mut log = self.shared.log.subscribe();
        let waited = log.wait_for(|log| count(log) >= times);
        if tokio::time::timeout(super::PATIENCE / 3, waited).await.is_err() {
            panic!("{line:?} not seen in {:#?}", self.log());
        }
    }

    /// What happened so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.shared.log.borrow().clone()
    }

    /// Waits for a `reportError` with this text in it, and gives it.
    pub(crate) async fn reported(&self, text: &str) -> String {
        let mut reports = self.shared.reports.subscribe();
        let waited = reports.wait_for(|reports| reports.iter().any(|report| report.contains(text)));
        match tokio::time::timeout(super::PATIENCE / 3, waited).await {
            Ok(Ok(reports)) => reports.iter().find(|report| report.contains(text)).cloned(),
            _ => None,
        }
        .unwrap_or_else(|| panic!("{text:?} not reported, but {:#?}", self.reports()))
    }

    /// All texts of `reportError`.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.shared.reports.borrow().clone()
    }

    /// Lets a held command go on, now or when it comes.
    pub(crate) fn release(&self) {
        self.release_times(1);
    }

    pub(crate) fn release_times(&self, times: usize) {
        self.shared.gate.add_permits(times);
    }

    /// Connections ever taken.
    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A failed function has failed its test already.
            let _ = thread.join();
        }
    }
}

fn serve(port: u16, shared: Arc<Shared>) -> (u16, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).expect("the port is free");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("it is bound").port();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .expect("a runtime");
        runtime.block_on(async {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = accept(listener, shared) => {}
            }
        });
    });
    (port, stop, thread)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("it can accept");
        socket.set_nodelay(true).expect("a socket");
        shared.connections.send_modify(|count| *count += 1);
        connections.spawn_local(connection(socket, shared.clone()));
    }
}

async fn connection(socket: tokio::net::TcpStream, shared: Arc<Shared>) {
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(shared.max_streams)
        .initial_connection_window_size(1 << 30)
        .data_frame_budget(1 << 30)
        .handshake::<_, Bytes>(socket)
        .await;
    let Ok(mut connection) = handshake else { return };
    let mut calls = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        calls.spawn_local(answer(request, respond, shared.clone()));
    }
}

async fn answer(request: Request<RecvStream>, respond: SendResponse<Bytes>, shared: Arc<Shared>) {
    let path = request.uri().path().to_owned();
    let call = Call {
        requests: Requests::new(request.into_body()),
        output: Output::new(respond),
        shared,
    };
    // An error is the end of the stream by the other side.
    let _ = match path.as_str() {
        names::DISCOVER_PATH => discover(call).await,
        names::REPORT_ERROR_PATH => report(call).await,
        names::EVENT_SOURCED_PATH => entity::serve::<entity::Log>(call).await,
        names::VALUE_ENTITY_PATH => entity::serve::<entity::Cell>(call).await,
        names::CRDT_PATH => board::serve(call).await,
        path => action::serve(path, call).await,
    };
}

async fn discover(mut call: Call) -> Result<(), h2::Error> {
    call.shared.note("discover".to_owned());
    let spec = call.shared.spec.borrow().clone();
    call.output.message(&spec)?;
    call.output.end("0", "")
}

async fn report(mut call: Call) -> Result<(), h2::Error> {
    if let Some(UserFunctionError { message }) = call.requests.next().await {
        call.shared.reports.send_modify(|reports| reports.push(message));
    }
    call.output.message(&())?;
    call.output.end("0", "")
}
