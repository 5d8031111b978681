//! An HTTP/2 client that shows exactly what came: headers, data, trailers.

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection to a gateway.
#[derive(Clone)]
pub struct Client {
    send: SendRequest<Bytes>,
    port: u16,
}

/// An answer in full.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

pub async fn connect(port: u16) -> Client {
    let io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    io.set_nodelay(true).unwrap();
    connect_over(io, port).await
}

/// The same over a connection that is there already.
pub async fn connect_over(io: impl AsyncRead + AsyncWrite + Unpin + 'static, port: u16) -> Client {
    // The library gives up on a connection with many small unread frames, in the measure of this window.
    let mut builder = h2::client::Builder::new();
    builder
        .initial_connection_window_size(1 << 30)
        .data_frame_budget(1 << 30);
    let (send, connection) = builder.handshake(io).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    Client {
        send: send.ready().await.unwrap(),
        port,
    }
}

/// A gRPC message with its prefix.
pub fn frame(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap());
    bytes.put_slice(message);
    bytes.freeze()
}

impl Client {
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port))
    }

    pub fn grpc(&self, path: &str) -> http::request::Builder {
        self.request("POST", path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
    }

    /// Sends a request with a body of these pieces, and reads the answer to its end.
    pub async fn send(&self, request: http::request::Builder, pieces: &[Bytes]) -> Answer {
        self.try_send(request, pieces).await.unwrap()
    }

    pub async fn try_send(
        &self,
        request: http::request::Builder,
        pieces: &[Bytes],
    ) -> Result<Answer, h2::Error> {
        let mut sender = self.send.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request.body(()).unwrap(), pieces.is_empty())?;
        for (at, piece) in pieces.iter().enumerate() {
            // The server may have answered and closed its side already.
            if stream.send_data(piece.clone(), at + 1 == pieces.len()).is_err() {
                break;
            }
        }
        read(response.await?).await
    }

    /// A unary gRPC call of one message.
    pub async fn unary(&self, path: &str, message: &[u8]) -> Answer {
        self.send(self.grpc(path), &[frame(message)]).await
    }

    /// Asks for a path; the test reads the answer when it likes.
    pub async fn open_get(&self, path: &str) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let mut sender = self.send.clone().ready().await.unwrap();
        let request = self.request("GET", path).body(()).unwrap();
        sender.send_request(request, true).unwrap()
    }

    /// Opens a call whose requests the test sends one by one.
    pub async fn open(&self, path: &str) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        self.open_request(self.grpc(path)).await
    }

    /// The same for any request.
    pub async fn open_request(
        &self,
        request: http::request::Builder,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        self.try_open_request(request).await.unwrap()
    }

    /// The same on a connection that may be over.
    pub async fn try_open_request(
        &self,
        request: http::request::Builder,
    ) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut sender = self.send.clone().ready().await?;
        sender.send_request(request.body(()).unwrap(), false)
    }
}

pub async fn read(response: http::Response<h2::RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut stream) = response.into_parts();
    let mut body = BytesMut::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let trailers = stream.trailers().await?.unwrap_or_default();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        trailers,
    })
}

impl Answer {
    /// The gRPC status, wherever it stands.
    pub fn code(&self) -> &str {
        self.status_header("grpc-status").expect("no grpc-status")
    }

    /// The gRPC message, wherever it stands; empty if there is none.
    pub fn message(&self) -> &str {
        self.status_header("grpc-message").unwrap_or("")
    }

    pub fn status_header(&self, name: &str) -> Option<&str> {
        self.trailers
            .get(name)
            .or_else(|| self.headers.get(name))
            .map(|value| value.to_str().unwrap())
    }

    /// The messages in the body.
    pub fn messages(&self) -> Vec<Bytes> {
        let mut rest = self.body.clone();
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let prefix = rest.split_to(5);
            let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
            messages.push(rest.split_to(length));
        }
        messages
    }
}
