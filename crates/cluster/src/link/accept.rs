//! The end of links that other nodes dial.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_crdt::NodeId;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::net::{Connection, Listener};
use super::security::Security;
use crate::link::dial::LinkOptions;
use crate::node::Node;
use crate::wire::{self, frame::Frame as Content, peer_server};

/// Connections whose TLS handshake is under way; more wait in the kernel.
const HANDSHAKES_MAX: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What arrives from other nodes.
#[expect(clippy::large_enum_variant, reason = "nearly all are messages")]
pub(crate) enum Arrival {
    /// A node wants to link. It is let in by the answer.
    Hello(Box<wire::Hello>, oneshot::Sender<Result<wire::Welcome, Status>>),
    /// A message.
    Message(Arc<Node>, wire::Message),
}

/// Takes links until `end`. Everything that it starts has ended when it returns.
pub(crate) async fn serve(
    listener: Box<dyn Listener>,
    security: Security,
    options: LinkOptions,
    arrivals: mpsc::Sender<Arrival>,
    in_cluster: watch::Receiver<bool>,
    end: CancellationToken,
) {
    let (accepted, incoming) = mpsc::channel(HANDSHAKES_MAX);
    let peer = Peer {
        arrivals,
        in_cluster,
        options,
        end: end.clone(),
    };
    let service = peer_server::PeerServer::new(peer)
        .max_decoding_message_size(options.max_message_bytes)
        .max_encoding_message_size(options.max_message_bytes);
    let served = Server::builder()
        .http2_keepalive_interval(Some(options.keep_alive))
        .http2_keepalive_timeout(Some(options.timeout))
        .initial_stream_window_size(options.window)
        .initial_connection_window_size(options.window * 2)
        .add_service(service)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), end.clone().cancelled_owned());
    let (served, ()) = tokio::join!(served, accept(listener, security, options, accepted, end));
    if let Err(error) = served {
        tracing::error!(%error, "links of other nodes cannot be served");
    }
}

async fn accept(
    mut listener: Box<dyn Listener>,
    security: Security,
    options: LinkOptions,
    accepted: mpsc::Sender<std::io::Result<Connection>>,
    end: CancellationToken,
) {
    let mut handshakes = JoinSet::new();
    loop {
        let connection = tokio::select! {
            biased;
            () = end.cancelled() => break,
            Some(_) = handshakes.join_next() => continue,
            connection = listener.accept(), if handshakes.len() < HANDSHAKES_MAX => connection,
        };
        match connection {
            Ok(connection) => {
                let (security, accepted) = (security.clone(), accepted.clone());
                handshakes.spawn(async move {
                    let secured = tokio::time::timeout(options.timeout, security.server(connection)).await;
                    match secured {
                        Ok(Ok(connection)) => drop(accepted.send(Ok(connection)).await),
                        Ok(Err(error)) => {
                            tracing::warn!(%error, "a node, or something else, could not link: TLS failed")
                        }
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a link");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Peer {
    arrivals: mpsc::Sender<Arrival>,
    in_cluster: watch::Receiver<bool>,
    options: LinkOptions,
    end: CancellationToken,
}

type Frames = Pin<Box<dyn futures_util::Stream<Item = Result<wire::Frame, Status>> + Send>>;

#[tonic::async_trait]
impl peer_server::Peer for Peer {
    type LinkStream = Frames;

    async fn link(&self, request: Request<Streaming<wire::Frame>>) -> Result<Response<Frames>, Status> {
        let mut frames = request.into_inner();
        let first = tokio::time::timeout(self.options.timeout, frames.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the Hello did not come in time"))??;
        let Some(Content::Hello(hello)) = first.and_then(|frame| frame.frame) else {
            return Err(Status::invalid_argument("the first frame has to be a Hello"));
        };
        let node = hello
            .node
            .clone()
            .ok_or_else(|| Status::invalid_argument("a Hello names a node"))?;
        let node = Node::try_from(node).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (answer, welcome) = oneshot::channel();
        let ended = |_| Status::unavailable("this node ends");
        let hello = Arrival::Hello(Box::new(hello), answer);
        self.arrivals.send(hello).await.map_err(|_| ended(()))?;
        let welcome = welcome.await.map_err(|_| ended(()))??;
        let link = Link {
            node: Arc::new(node),
            frames,
            arrivals: self.arrivals.clone(),
            in_cluster: self.in_cluster.clone(),
            end: self.end.clone(),
            welcome,
            is_new: true,
        };
        Ok(Response::new(Box::pin(stream::unfold(link, Link::next))))
    }
}

/// A link that stands. Its answers are polled by the connection that carries it, which so takes its messages, too: it ends with it.
struct Link {
    node: Arc<Node>,
    frames: Streaming<wire::Frame>,
    arrivals: mpsc::Sender<Arrival>,
    in_cluster: watch::Receiver<bool>,
    end: CancellationToken,
    welcome: wire::Welcome,
    is_new: bool,
}

impl Link {
    /// The next answer: a Welcome whenever it says something new. Takes messages meanwhile.
    async fn next(mut self) -> Option<(Result<wire::Frame, Status>, Link)> {
        while !self.is_new {
            tokio::select! {
                biased;
                () = self.end.cancelled() => return None,
                changed = self.in_cluster.changed() => {
                    changed.ok()?;
                    self.is_new = true;
                }
                frame = self.frames.message() => self.take(frame.ok()??).await?,
            }
        }
        self.is_new = false;
        self.welcome.in_cluster = *self.in_cluster.borrow_and_update();
        let frame = wire::Frame {
            frame: Some(Content::Welcome(self.welcome.clone())),
        };
        Some((Ok(frame), self))
    }

    async fn take(&mut self, frame: wire::Frame) -> Option<()> {
        let Some(Content::Message(message)) = frame.frame else {
            // A newer version may say more.
            return Some(());
        };
        let from = NodeId::from(message.from?);
        if from.address != self.node.id.address {
            return None;
        }
        if from != self.node.id {
            // It goes on under a new identity.
            self.node = Arc::new(Node {
                id: from,
                ..Node::clone(&self.node)
            });
        }
        let arrival = Arrival::Message(self.node.clone(), message);
        self.arrivals.send(arrival).await.ok()
    }
}
