//! gRPC on the bare h2 crate: as little as possible between the benchmark and the socket.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloudstate_protocol::Any;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Version};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Flags and length before each message.
pub const PREFIX: usize = 5;

/// A connection. Dropping it and its streams ends it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    authority: String,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects to `host:port`, with windows and budgets out of the way.
    ///
    /// # Errors
    /// Nothing there speaks HTTP/2.
    pub async fn open(address: &str) -> Result<Connection> {
        let socket = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        let (sender, driver) = Builder::new()
            .initial_window_size(1 << 24)
            .initial_connection_window_size(1 << 30)
            .data_frame_budget(1 << 30)
            .initial_max_send_streams(1 << 20)
            .handshake(socket)
            .await?;
        let driver = tokio::task::spawn_local(async move {
            // The streams report what ends them.
            let _ = driver.await;
        });
        Ok(Connection {
            sender,
            authority: address.to_owned(),
            driver,
        })
    }

    /// Starts a call; send the requests on the stream that is returned.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn start(&self, path: &str) -> Result<(ResponseFuture, SendStream<Bytes>)> {
        let request = Request::post(format!("http://{}{path}", self.authority))
            .version(Version::HTTP_2)
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(())?;
        Ok(self.sender.clone().send_request(request, false)?)
    }

    /// Calls a unary method with an encoded frame, and checks the status.
    ///
    /// # Errors
    /// The call failed, or its status is not OK.
    pub async fn unary(&self, path: &str, request: Bytes) -> Result<BytesMut> {
        let (answer, trailers) = self.exchange(path, request).await?;
        ensure!(
            status(&trailers)? == 0,
            "grpc-status {:?}: {:?}",
            trailers.get("grpc-status"),
            trailers.get("grpc-message")
        );
        Ok(answer)
    }

    /// As [`unary`](Self::unary), for calls that may fail: returns the status.
    ///
    /// # Errors
    /// The call has no status.
    pub async fn status(&self, path: &str, request: Bytes) -> Result<u32> {
        let (_, trailers) = self.exchange(path, request).await?;
        status(&trailers)
    }

    async fn exchange(&self, path: &str, request: Bytes) -> Result<(BytesMut, HeaderMap)> {
        let (response, mut send) = self.start(path)?;
        send.send_data(request, true)?;
        let (head, mut body) = response.await?.into_parts();
        let answer = all_of(&mut body).await?;
        let trailers = body.trailers().await?;
        Ok((answer, trailers.unwrap_or(head.headers)))
    }

    /// Sends an HTTP request, with a body of JSON unless it is empty, and checks that the status is 200.
    ///
    /// # Errors
    /// The request failed, or has another status; the answer is in the error.
    pub async fn json(&self, method: &Method, path: &str, body: Bytes) -> Result<BytesMut> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.authority))
            .version(Version::HTTP_2);
        let request = match body.is_empty() {
            true => request.body(())?,
            false => request.header("content-type", "application/json").body(())?,
        };
        let (response, mut send) = self.sender.clone().send_request(request, body.is_empty())?;
        if !body.is_empty() {
            send.send_data(body, true)?;
        }
        let (head, mut body) = response.await?.into_parts();
        let answer = all_of(&mut body).await?;
        ensure!(head.status == http::StatusCode::OK, "{}: {answer:?}", head.status);
        Ok(answer)
    }
}

/// A stream of replies to one request. Dropping it cancels the call.
#[derive(Debug)]
pub struct Watch {
    receive: Receive,
    buffer: BytesMut,
}

impl Watch {
    /// Calls a server-streaming method with an encoded frame.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn open(connection: &Connection, path: &str, request: Bytes) -> Result<Watch> {
        let (response, mut send) = connection.start(path)?;
        send.send_data(request, true)?;
        Ok(Watch {
            receive: Receive::Head(response),
            buffer: BytesMut::new(),
        })
    }

    /// The next message's bytes.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some(message) = cut(&mut self.buffer) {
                return Ok(message);
            }
            read(&mut self.receive, &mut self.buffer).await?;
        }
    }
}

async fn all_of(body: &mut RecvStream) -> Result<BytesMut> {
    let mut all = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn status(trailers: &HeaderMap) -> Result<u32> {
    let status = trailers.get("grpc-status").context("no grpc-status")?;
    Ok(status.to_str()?.parse()?)
}

/// A bidirectional stream.
#[derive(Debug)]
pub struct Duplex {
    send: SendStream<Bytes>,
    receive: Receive,
    buffer: BytesMut,
}

#[derive(Debug)]
enum Receive {
    Head(ResponseFuture),
    Body(RecvStream),
}

impl Duplex {
    /// Opens a stream.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn open(connection: &Connection, path: &str) -> Result<Duplex> {
        let (response, send) = connection.start(path)?;
        Ok(Duplex {
            send,
            receive: Receive::Head(response),
            buffer: BytesMut::new(),
        })
    }

    /// Queues a message, whatever the windows say.
    ///
    /// # Errors
    /// The stream has ended.
    pub fn send(&mut self, message: &impl Message) -> Result<()> {
        Ok(self.send.send_data(frame(message), false)?)
    }

    /// Queues a message after waiting until what was queued before fits the windows.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn send_when_room(&mut self, message: &impl Message) -> Result<()> {
        self.send.reserve_capacity(1);
        while self.send.capacity() == 0 {
            std::future::poll_fn(|cx| self.send.poll_capacity(cx))
                .await
                .context("the stream has ended")??;
        }
        self.send(message)
    }

    /// The next message.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn next<M: Message + Default>(&mut self) -> Result<M> {
        loop {
            if let Some(message) = cut(&mut self.buffer) {
                return Ok(M::decode(message)?);
            }
            read(&mut self.receive, &mut self.buffer).await?;
        }
    }
}

async fn read(receive: &mut Receive, buffer: &mut BytesMut) -> Result<()> {
    match receive {
        Receive::Head(response) => *receive = Receive::Body(response.await?.into_body()),
        Receive::Body(body) => match body.data().await {
            Some(chunk) => {
                let chunk = chunk?;
                body.flow_control().release_capacity(chunk.len())?;
                buffer.extend_from_slice(&chunk);
            }
            None => bail!("the stream ended: {:?}", body.trailers().await?),
        },
    }
    Ok(())
}

/// A message with its prefix.
pub fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    message.encode_raw(&mut frame);
    frame.freeze()
}

/// Packs a message, given its full name.
pub fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec().into(),
    }
}

/// Cuts the first whole message out of received bytes.
pub fn cut(buffer: &mut BytesMut) -> Option<Bytes> {
    let &[_, a, b, c, d, ..] = &buffer[..] else {
        return None;
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if buffer.len() < PREFIX + length {
        return None;
    }
    buffer.advance(PREFIX);
    Some(buffer.split_to(length).freeze())
}
