//! Clients that show what came: gRPC over HTTP/2, and HTTP/1.1.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Do, Done};

/// A gRPC client with one connection.
#[derive(Clone)]
pub(crate) struct Client {
    send: SendRequest<Bytes>,
    address: SocketAddr,
}

/// An answer to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A call in progress.
pub(crate) struct Open {
    pub(crate) response: h2::client::ResponseFuture,
    pub(crate) requests: h2::SendStream<Bytes>,
}

pub(crate) fn frame(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("a small message"));
    message.encode(&mut bytes).expect("there is room");
    bytes.freeze()
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).await.expect("the proxy listens");
        Self::over(socket, address).await
    }

    /// The same over a connection that is there already.
    pub(crate) async fn over(
        socket: impl AsyncRead + AsyncWrite + Unpin + 'static,
        address: SocketAddr,
    ) -> Client {
        let (send, connection) = h2::client::Builder::new()
            .initial_max_send_streams(100_000)
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .handshake(socket)
            .await
            .expect("it speaks HTTP/2");
        tokio::task::spawn_local(async move {
            // How it ends is seen by the calls on it.
            let _ = connection.await;
        });
        Client { send, address }
    }

    /// Opens a call with headers; the requests are up to the caller.
    pub(crate) async fn open_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Open {
        let mut request = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = self.send.clone().ready().await.expect("the connection is open");
        let (response, requests) = send
            .send_request(request.body(()).expect("a request"), false)
            .expect("the connection is open");
        Open { response, requests }
    }

    pub(crate) async fn open(&self, path: &str) -> Open {
        self.open_with(path, &[]).await
    }

    /// Makes a call of one request, without waiting for the answer.
    pub(crate) async fn begin(&self, path: &str, request: &impl Message) -> Open {
        let mut open = self.open(path).await;
        open.requests
            .send_data(frame(request), true)
            .expect("the call is open");
        open
    }

    /// A call of one request.
    pub(crate) async fn call(&self, path: &str, request: &impl Message) -> Answer {
        self.begin(path, request).await.answer().await
    }

    /// The same, with headers.
    pub(crate) async fn call_with(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        request: &impl Message,
    ) -> Answer {
        let mut open = self.open_with(path, headers).await;
        open.requests
            .send_data(frame(request), true)
            .expect("the call is open");
        open.answer().await
    }

    /// The text that a successful call answers with.
    pub(crate) async fn text(&self, path: &str, request: Do) -> String {
        let answer = self.call(path, &request).await;
        assert_eq!(answer.status(), (0, String::new()), "{path} {request:?}");
        answer.text()
    }
}

impl Open {
    pub(crate) fn send(&mut self, request: &Do) {
        self.requests
            .send_data(frame(request), false)
            .expect("the call is open");
    }

    pub(crate) fn finish(&mut self) {
        self.requests
            .send_data(Bytes::new(), true)
            .expect("the call is open");
    }

    /// Reads the answer to its end.
    pub(crate) async fn answer(self) -> Answer {
        self.try_answer().await.expect("an answer")
    }

    pub(crate) async fn try_answer(self) -> Result<Answer, h2::Error> {
        let (head, mut stream) = self.response.await?.into_parts();
        assert_eq!(head.status, StatusCode::OK, "{:?}", head.headers);
        let mut body = BytesMut::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            stream.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await?.unwrap_or_default();
        Ok(Answer {
            headers: head.headers,
            trailers,
            body: body.freeze(),
        })
    }
}

impl Answer {
    /// gRPC status and text.
    pub(crate) fn status(&self) -> (u32, String) {
        let header = |name| {
            let value = self.trailers.get(name).or_else(|| self.headers.get(name));
            value.map(|value| value.to_str().expect("it is ASCII").to_owned())
        };
        let code = header("grpc-status").expect("a grpc-status");
        (
            code.parse().expect("a number"),
            header("grpc-message").unwrap_or_default(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name))?;
        value.to_str().ok()
    }

    /// The texts of all messages.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut rest = &self.body[..];
        let mut texts = Vec::new();
        while let [_, a, b, c, d, tail @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            texts.push(Done::decode(&tail[..length]).expect("a Done").text);
            rest = &tail[length..];
        }
        texts
    }

    /// The text of the only message.
    pub(crate) fn text(&self) -> String {
        let mut texts = self.texts();
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts.remove(0)
    }
}

/// An HTTP/1.1 client with a connection for each request.
#[derive(Clone, Copy)]
pub(crate) struct Http {
    address: SocketAddr,
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Http {
        Http { address }
    }

    /// Sends a request and gives the answer as it begins. Dropping that closes the connection.
    pub(crate) async fn begin<B>(&self, request: Request<B>) -> http::Response<Incoming>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + 'static,
    {
        let socket = TcpStream::connect(self.address).await.expect("the proxy listens");
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .expect("it speaks HTTP/1.1");
        tokio::task::spawn_local(async move {
            // How it ends is seen by the call on it.
            let _ = connection.await;
        });
        let (mut head, body) = request.into_parts();
        let host = self.address.to_string().parse().expect("a header");
        head.headers.insert("host", host);
        send.send_request(Request::from_parts(head, body))
            .await
            .expect("an answer")
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> http::Response<String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .expect("a request");
        let (head, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        http::Response::from_parts(head, String::from_utf8(body.into()).expect("text"))
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> http::Response<String> {
        self.send("POST", path, body).await
    }

    /// Calls the default binding with the plain fields of a command. Gives the HTTP status and the body.
    pub(crate) async fn act(&self, path: &str, request: &Do) -> (u16, String) {
        let body = format!(
            r#"{{"id":"{}","what":"{}","text":"{}"}}"#,
            request.id, request.what, request.text
        );
        let response = self.post(path, &body).await;
        (response.status().as_u16(), response.into_body())
    }
}
