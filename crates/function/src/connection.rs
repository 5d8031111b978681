//! One HTTP/2 connection to the function: handshake, driver task, count of streams.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, SendStream};
use http::Request;
use tokio::time::{sleep, timeout};

use crate::metrics::Counters;
use crate::target::Socket;
use crate::{Error, Keepalive, LinkOptions, Target};

/// Reads and writes the socket while it is polled.
pub(crate) type Driver = h2::client::Connection<Box<dyn Socket>, Bytes>;

/// A connection that takes streams. Its driver runs in a task of the pool.
#[derive(Debug)]
pub(crate) struct Connection {
    /// `None` once it takes no new streams. HTTP/2 then ends it with its last stream.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    active: Cell<usize>,
    opened: Cell<u64>,
}

/// A place among the streams of a connection, free again when both halves of the stream are dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    connection: Rc<Connection>,
    pub(crate) link: Rc<Shared>,
}

/// What the streams of a link need of it. Outlives the link while streams do.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) target: String,
    pub(crate) max_message_bytes: usize,
    pub(crate) counters: Arc<Counters>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connection.active.set(self.connection.active.get() - 1);
        self.link.counters.streams_closed.inc();
    }
}

/// A started stream.
pub(crate) struct Started {
    pub(crate) response: ResponseFuture,
    pub(crate) send: SendStream<Bytes>,
    pub(crate) slot: Rc<Slot>,
}

impl Connection {
    fn new(sender: SendRequest<Bytes>) -> Connection {
        Connection {
            sender: RefCell::new(Some(sender)),
            active: Cell::new(0),
            opened: Cell::new(0),
        }
    }

    /// Streams open now.
    pub(crate) fn active(&self) -> usize {
        self.active.get()
    }

    /// Whether a stream can be started now.
    pub(crate) fn has_room(&self) -> bool {
        self.sender
            .borrow()
            .as_ref()
            .is_some_and(|sender| self.active.get() < sender.current_max_send_streams())
    }

    /// Takes no new streams from now on.
    pub(crate) fn retire(&self) {
        self.sender.borrow_mut().take();
    }

    /// Starts a stream; only call with room. `None` when the connection turns out to end: the request was not sent.
    pub(crate) fn start(
        self: &Rc<Self>,
        link: &Rc<Shared>,
        request: Request<()>,
        options: &LinkOptions,
    ) -> Option<Started> {
        // A clone, because a sender that has queued a stream refuses the next until that one is on the wire; the
        // queue is bounded here, by the count of active streams.
        let mut sender = self.sender.borrow().clone()?;
        let Ok((response, send)) = sender.send_request(request, false) else {
            self.retire();
            return None;
        };
        self.active.set(self.active.get() + 1);
        self.opened.set(self.opened.get() + 1);
        link.counters.streams_opened.inc();
        if self.opened.get() >= options.max_streams_over_lifetime {
            self.retire();
        }
        let slot = Rc::new(Slot {
            connection: self.clone(),
            link: link.clone(),
        });
        Some(Started { response, send, slot })
    }
}

/// Connects and shakes hands. Returns once the peer has told its limits.
pub(crate) async fn establish(target: &Target, options: &LinkOptions) -> Result<(Connection, Driver), Error> {
    let unavailable = |reason: String| Error::Unavailable {
        target: target.to_string(),
        reason,
    };
    let connected = timeout(options.connect_timeout, target.connect()).await;
    let socket = connected
        .map_err(|_| unavailable(format!("no connection within {:?}", options.connect_timeout)))?
        .map_err(|error| unavailable(error.to_string()))?;
    timeout(options.connect_timeout, handshake(socket, options))
        .await
        .unwrap_or_else(|_| Err(format!("no HTTP/2 settings within {:?}", options.connect_timeout)))
        .map_err(|reason| Error::NotGrpc {
            target: target.to_string(),
            reason,
        })
}

async fn handshake(socket: Box<dyn Socket>, options: &LinkOptions) -> Result<(Connection, Driver), String> {
    let (sender, mut driver) = builder(options)
        .handshake(socket)
        .await
        .map_err(|error| error.to_string())?;
    // No stream may start before the peer's limit is known; h2 says 0 until then.
    poll_fn(|cx| match Pin::new(&mut driver).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err("it closed the connection at once".to_owned())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error.to_string())),
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    Ok((Connection::new(sender), driver))
}

fn builder(options: &LinkOptions) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(options.stream_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes)
        // Small messages are the normal traffic here, no attack: the default budget would end a connection with all
        // its streams at about 200 unread ones. What a stream can hold is bounded by its window.
        .data_frame_budget(1 << 30)
        // Late frames of streams that were cancelled are no reason either to end the connection.
        .max_local_error_reset_streams(None)
        .max_concurrent_reset_streams(1024);
    builder
}

/// Runs the connection until it ends. Returns why.
pub(crate) async fn drive(mut driver: Driver, keepalive: Option<Keepalive>) -> Result<(), String> {
    let pings = keepalive.zip(driver.ping_pong());
    let ended = async { driver.await.map_err(|error| error.to_string()) };
    let Some((keepalive, pings)) = pings else {
        return ended.await;
    };
    tokio::select! {
        ended = ended => ended,
        silent = watch_pings(pings, keepalive) => Err(silent),
    }
}

/// Pings until one stays unanswered.
async fn watch_pings(mut pings: PingPong, keepalive: Keepalive) -> String {
    loop {
        sleep(keepalive.interval).await;
        match timeout(keepalive.timeout, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("no answer to a ping within {:?}", keepalive.timeout),
        }
    }
}
