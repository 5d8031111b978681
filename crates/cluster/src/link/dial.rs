//! The end of links that this node dials.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Endpoint;

use super::net::{Connection, Net};
use super::security::Security;
use crate::metrics::Metrics;
use crate::wire::{self, frame::Frame as Content, peer_client::PeerClient};

/// How links behave.
#[derive(Debug, Clone, Copy)]
pub struct LinkOptions {
    /// How long connecting, a handshake, a Hello and an answer to a keep-alive may take.
    pub timeout: Duration,
    /// A link is asked for a sign of life this often.
    pub keep_alive: Duration,
    /// The first pause before a link that broke is dialled again; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// The longest pause.
    pub retry_max: Duration,
    /// The largest message, in bytes.
    pub max_message_bytes: usize,
    /// Messages that wait for one node.
    pub queue_messages: usize,
    /// Their bytes. One that is larger is sent when nothing else waits.
    pub queue_bytes: usize,
    /// HTTP/2 window, in bytes.
    pub window: u32,
}

impl Default for LinkOptions {
    fn default() -> Self {
        LinkOptions {
            timeout: Duration::from_secs(2),
            keep_alive: Duration::from_secs(1),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(1),
            max_message_bytes: 80 << 20,
            queue_messages: 4096,
            queue_bytes: 16 << 20,
            window: 1 << 20,
        }
    }
}

/// What happens to links.
pub(crate) enum LinkEvent {
    /// A link stands, or its other end says something new of itself.
    Welcome {
        endpoint: String,
        welcome: wire::Welcome,
        is_new: bool,
    },
    /// The other side does not want this node, and says why.
    Refused { endpoint: String, status: Status },
    /// The link is down.
    Down,
}

/// All links that this node has dialled. Dropping it ends them.
pub(crate) struct Links {
    net: Arc<dyn Net>,
    security: Security,
    options: LinkOptions,
    hello: watch::Receiver<wire::Hello>,
    events: mpsc::Sender<LinkEvent>,
    metrics: Metrics,
    links: BTreeMap<String, Queue>,
    tasks: JoinSet<()>,
}

/// The way to one link. Membership goes first: it is small, and a long repair must not make a node look dead.
struct Queue {
    first: mpsc::Sender<wire::Frame>,
    rest: mpsc::Sender<wire::Frame>,
    bytes: Arc<AtomicUsize>,
    end: CancellationToken,
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Links {
    pub(crate) fn new(
        net: Arc<dyn Net>,
        security: Security,
        options: LinkOptions,
        hello: watch::Receiver<wire::Hello>,
        events: mpsc::Sender<LinkEvent>,
        metrics: Metrics,
    ) -> Self {
        Links {
            net,
            security,
            options,
            hello,
            events,
            metrics,
            links: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sends a message when the link stands. `false` if it was dropped because too much waits.
    pub(crate) fn send(&mut self, endpoint: &str, message: wire::Message, urgent: bool) -> bool {
        let size = message.encoded_len();
        let limit = self.options.queue_bytes;
        let queue = self.dial(endpoint);
        let frame = wire::Frame {
            frame: Some(Content::Message(message)),
        };
        if urgent {
            return queue.first.try_send(frame).is_ok();
        }
        let waiting = queue.bytes.load(Ordering::Relaxed);
        if waiting > 0 && waiting + size > limit {
            return false;
        }
        let sent = queue.rest.try_send(frame).is_ok();
        if sent {
            queue.bytes.fetch_add(size, Ordering::Relaxed);
            self.metrics.sent_bytes.inc_by(size as u64);
        }
        sent
    }

    /// Sees to it that there is a link.
    pub(crate) fn keep(&mut self, endpoint: &str) {
        self.dial(endpoint);
    }

    /// Ends links to all other endpoints.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.links.retain(|endpoint, _| keep(endpoint));
        while self.tasks.try_join_next().is_some() {}
    }

    /// Ends all links and waits for it.
    pub(crate) async fn close(mut self) {
        self.links.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn dial(&mut self, endpoint: &str) -> &Queue {
        if !self.links.contains_key(endpoint) {
            let (first, urgent) = mpsc::channel(self.options.queue_messages);
            let (rest, others) = mpsc::channel(self.options.queue_messages);
            let bytes = Arc::new(AtomicUsize::new(0));
            let end = CancellationToken::new();
            let dialler = Dialler {
                endpoint: endpoint.to_owned(),
                net: self.net.clone(),
                security: self.security.clone(),
                options: self.options,
                hello: self.hello.clone(),
                events: self.events.clone(),
                metrics: self.metrics.clone(),
            };
            let waiting = Waiting {
                urgent,
                others,
                bytes: bytes.clone(),
            };
            let ended = end.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    biased;
                    () = ended.cancelled() => {}
                    () = dialler.run(waiting) => {}
                }
            });
            let queue = Queue {
                first,
                rest,
                bytes,
                end,
            };
            self.links.insert(endpoint.to_owned(), queue);
        }
        &self.links[endpoint]
    }
}

/// What waits to be sent.
struct Waiting {
    urgent: mpsc::Receiver<wire::Frame>,
    others: mpsc::Receiver<wire::Frame>,
    bytes: Arc<AtomicUsize>,
}

impl Waiting {
    async fn next(&mut self) -> Option<wire::Frame> {
        tokio::select! {
            biased;
            frame = self.urgent.recv() => frame,
            frame = self.others.recv() => {
                if let Some(Content::Message(message)) = frame.as_ref().and_then(|frame| frame.frame.as_ref()) {
                    self.bytes.fetch_sub(message.encoded_len(), Ordering::Relaxed);
                }
                frame
            }
        }
    }

    /// Drops what is too old to be sent.
    fn clear(&mut self) {
        while self.urgent.try_recv().is_ok() {}
        while self.others.try_recv().is_ok() {}
        self.bytes.store(0, Ordering::Relaxed);
    }
}

struct Dialler {
    endpoint: String,
    net: Arc<dyn Net>,
    security: Security,
    options: LinkOptions,
    hello: watch::Receiver<wire::Hello>,
    events: mpsc::Sender<LinkEvent>,
    metrics: Metrics,
}

impl Dialler {
    async fn run(self, waiting: Waiting) {
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let mut pause = self.options.retry_min;
        loop {
            let mut stood = false;
            match self.link(&waiting, &mut stood).await {
                Ok(()) => {}
                Err(status) if refuses(&status) => {
                    let endpoint = self.endpoint.clone();
                    let refused = LinkEvent::Refused { endpoint, status };
                    if self.events.send(refused).await.is_err() {
                        return;
                    }
                }
                Err(status) => tracing::debug!(endpoint = %self.endpoint, %status, "a link broke"),
            }
            if stood {
                self.metrics.links.dec();
                pause = self.options.retry_min;
                if self.events.send(LinkEvent::Down).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.retry_max);
            // The other end will be greeted anew, and told again what matters.
            waiting.lock().await.clear();
        }
    }

    /// Links once, until the link breaks.
    async fn link(&self, waiting: &Arc<tokio::sync::Mutex<Waiting>>, stood: &mut bool) -> Result<(), Status> {
        let options = self.options;
        let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let channel = Endpoint::from_shared(format!("http://{}", self.endpoint))
            .map_err(unavailable)?
            .connect_timeout(options.timeout)
            .http2_keep_alive_interval(options.keep_alive)
            .keep_alive_timeout(options.timeout)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(options.window)
            .initial_connection_window_size(options.window * 2);
        let (net, security, endpoint) = (self.net.clone(), self.security.clone(), self.endpoint.clone());
        let connector =
            tower::service_fn(move |_: http::Uri| connect(net.clone(), security.clone(), endpoint.clone()));
        let channel = channel.connect_with_connector(connector);
        let late = |_| Status::deadline_exceeded("it did not answer in time");
        let channel = tokio::time::timeout(options.timeout, channel)
            .await
            .map_err(late)?
            .map_err(unavailable)?;
        let mut client = PeerClient::new(channel)
            .max_decoding_message_size(options.max_message_bytes)
            .max_encoding_message_size(options.max_message_bytes);
        let hello = wire::Frame {
            frame: Some(Content::Hello(self.hello.borrow().clone())),
        };
        let waiting = waiting.clone();
        let frames = stream::unfold(Some(hello), move |first| {
            let waiting = waiting.clone();
            async move {
                let frame = match first {
                    Some(hello) => Some(hello),
                    None => waiting.lock().await.next().await,
                };
                frame.map(|frame| (frame, None))
            }
        });
        let answer = tokio::time::timeout(options.timeout, client.link(frames))
            .await
            .map_err(late)?;
        let mut answers = answer?.into_inner();
        while let Some(frame) = answers.message().await? {
            if let Some(Content::Welcome(welcome)) = frame.frame {
                if !*stood {
                    self.metrics.links.inc();
                }
                let event = LinkEvent::Welcome {
                    endpoint: self.endpoint.clone(),
                    welcome,
                    is_new: !std::mem::replace(stood, true),
                };
                self.events
                    .send(event)
                    .await
                    .map_err(|_| Status::cancelled("this node ends"))?;
            }
        }
        Ok(())
    }
}

async fn connect(net: Arc<dyn Net>, security: Security, endpoint: String) -> io::Result<TokioIo<Connection>> {
    let connection = net.connect(endpoint.clone()).await?;
    Ok(TokioIo::new(security.client(&endpoint, connection).await?))
}

fn refuses(status: &Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::FailedPrecondition | tonic::Code::InvalidArgument | tonic::Code::PermissionDenied
    )
}
