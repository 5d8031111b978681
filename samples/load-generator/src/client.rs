//! gRPC calls over one HTTP/2 connection, directly on `h2` so that the load costs little CPU itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::Uri;
use tokio::sync::watch;

use crate::config::Config;
use crate::messages::{Kind, Request};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// As good as no flow control and no budget for small frames: what comes in is small and read at once.
const WINDOW: u32 = 1 << 30;
const FRAME_BUDGET: usize = 1 << 30;
const NOT_CONNECTED: &str = "NOT_CONNECTED";
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub(crate) struct Failure {
    /// The name of the gRPC status, or of what happened without one.
    pub(crate) status: String,
    pub(crate) message: String,
}

impl Failure {
    fn new(status: &str, message: impl std::fmt::Display) -> Self {
        Failure {
            status: status.to_owned(),
            message: message.to_string(),
        }
    }

    fn disconnected() -> Self {
        Failure::new(NOT_CONNECTED, "no connection to the service")
    }

    /// Whether the request could not even be sent.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.status == NOT_CONNECTED
    }
}

/// The methods of the service and what all requests have in common.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    read: Uri,
    write: Uri,
    timeout: HeaderValue,
    deadline: Duration,
    address: (String, u16),
}

impl Target {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let Config {
            host,
            port,
            service,
            deadline_s,
            ..
        } = config;
        let uri = |method| {
            format!("http://{host}:{port}/{service}/{method}")
                .parse()
                .context("bad host or service")
        };
        Ok(Target {
            read: uri("GetCart")?,
            write: uri("AddItem")?,
            timeout: HeaderValue::from_str(&format!("{deadline_s}S"))?,
            deadline: config.deadline(),
            address: (host.clone(), *port),
        })
    }

    fn head(&self, kind: Kind) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = if kind == Kind::Read {
            self.read.clone()
        } else {
            self.write.clone()
        };
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(HeaderName::from_static("grpc-timeout"), self.timeout.clone());
        head
    }
}

/// A connection that is made anew when it breaks.
#[derive(Clone)]
pub(crate) struct Connection {
    target: Arc<Target>,
    /// `None` while there is no connection.
    sender: Arc<watch::Sender<Option<SendRequest<Bytes>>>>,
}

impl Connection {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Connection {
            target,
            sender: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Connects, and again whenever the connection breaks. Never returns; dropping it disconnects.
    pub(crate) async fn keep(&self) {
        loop {
            // What goes wrong here is seen by the requests.
            let _ = self.connect().await;
            self.sender.send_replace(None);
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    /// Waits until there is a connection.
    pub(crate) async fn connected(&self) {
        // This holds the sender, so waiting cannot fail.
        let _ = self.sender.subscribe().wait_for(Option::is_some).await;
    }

    /// Connects, sends one request, and disconnects.
    ///
    /// # Errors
    /// If there is no connection, or the answer is not gRPC status OK.
    pub(crate) async fn call_once(&self, request: Request) -> Result<(), Failure> {
        let calling = async {
            self.connected().await;
            self.call(request).await
        };
        let called = tokio::select! {
            called = calling => called,
            connected = self.connect() => Err(Failure::new("CONNECTION", lost(connected))),
        };
        self.sender.send_replace(None);
        called
    }

    async fn connect(&self) -> anyhow::Result<()> {
        let (host, port) = &self.target.address;
        let socket = tokio::net::TcpStream::connect((host.as_str(), *port)).await?;
        socket.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .data_frame_budget(FRAME_BUDGET);
        let (sender, connection) = builder.handshake(socket).await?;
        self.sender.send_replace(Some(sender));
        Ok(connection.await?)
    }

    /// Sends a request and waits for the end of its answer.
    ///
    /// # Errors
    /// Whatever is not gRPC status OK.
    pub(crate) async fn call(&self, request: Request) -> Result<(), Failure> {
        let answered = tokio::time::timeout(self.target.deadline, self.exchange(request)).await;
        answered.unwrap_or_else(|_| Err(Failure::new("DEADLINE_EXCEEDED", "no answer in time")))
    }

    async fn exchange(&self, request: Request) -> Result<(), Failure> {
        let sender = self.sender.borrow().clone().ok_or_else(Failure::disconnected)?;
        let mut sender = sender.ready().await.map_err(broken)?;
        let (response, mut body) = sender
            .send_request(self.target.head(request.kind), false)
            .map_err(broken)?;
        body.send_data(request.frame, true).map_err(broken)?;
        let (head, mut body) = response.await.map_err(broken)?.into_parts();
        if head.headers.contains_key(GRPC_STATUS) {
            return status(&head.headers);
        }
        if head.status != http::StatusCode::OK {
            return Err(Failure::new("HTTP", head.status));
        }
        while let Some(chunk) = body.data().await {
            body.flow_control()
                .release_capacity(chunk.map_err(broken)?.len())
                .map_err(broken)?;
        }
        let trailers = body.trailers().await.map_err(broken)?;
        trailers.map_or_else(
            || Err(Failure::new("NO_STATUS", "the answer has no trailers")),
            |it| status(&it),
        )
    }
}

fn lost(connected: anyhow::Result<()>) -> String {
    connected.map_or_else(
        |error| format!("{error:#}"),
        |()| "the service closed the connection".to_owned(),
    )
}

fn broken(error: h2::Error) -> Failure {
    Failure::new("CONNECTION", error)
}

/// Codes in the order of their numbers (gRPC, "Status codes and their use").
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn status(headers: &HeaderMap) -> Result<(), Failure> {
    let text = headers.get(GRPC_STATUS).map_or(&[][..], HeaderValue::as_bytes);
    if text == b"0" {
        return Ok(());
    }
    let message = headers.get(GRPC_MESSAGE).map_or(&[][..], HeaderValue::as_bytes);
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<usize>().ok());
    let name = number
        .and_then(|number| CODES.get(number))
        .unwrap_or(&"NO_STATUS");
    Err(Failure::new(name, String::from_utf8_lossy(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(status: &'static str) -> HeaderMap {
        [
            (GRPC_STATUS, HeaderValue::from_static(status)),
            (GRPC_MESSAGE, HeaderValue::from_static("why")),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn only_status_zero_is_success() {
        assert_eq!(status(&trailers("0")), Ok(()));
        assert_eq!(status(&trailers("14")), Err(Failure::new("UNAVAILABLE", "why")));
        assert_eq!(status(&trailers("99")), Err(Failure::new("NO_STATUS", "why")));
        assert_eq!(status(&HeaderMap::new()), Err(Failure::new("NO_STATUS", "")));
    }
}
