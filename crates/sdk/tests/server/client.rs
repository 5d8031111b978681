//! A gRPC client on bare `h2`.

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_sdk::prost::Message;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

const WINDOW: u32 = 1 << 30;

pub(crate) struct Client {
    sender: SendRequest<Bytes>,
    /// Ends when the connection is closed.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) async fn tcp(address: &str) -> Self {
        Self::on(tokio::net::TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn on(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .data_frame_budget(1 << 30);
        let (sender, connection) = builder.handshake(socket).await.unwrap();
        Client {
            sender,
            connection: tokio::spawn(connection),
        }
    }

    /// Opens a call.
    pub(crate) async fn open(&self, path: &str) -> Call {
        let request = Request::post(format!("http://function{path}"))
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (response, output) = sender.send_request(request, false).unwrap();
        Call {
            output,
            response: Some(response),
            input: None,
            received: BytesMut::new(),
            status: None,
        }
    }

    /// Sends one message and waits for one and the end of the call.
    pub(crate) async fn unary<I: Message, O: Message + Default>(&self, path: &str, message: &I) -> O {
        let mut call = self.open(path).await;
        call.send(message).await;
        call.half_close();
        let reply = call.next().await.expect("a reply");
        assert!(call.next::<O>().await.is_none(), "one reply only");
        assert_eq!(call.status(), 0);
        reply
    }
}

pub(crate) struct Call {
    output: SendStream<Bytes>,
    response: Option<h2::client::ResponseFuture>,
    input: Option<RecvStream>,
    received: BytesMut,
    status: Option<HeaderMap>,
}

impl Call {
    /// Sends a message, as fast as flow control allows.
    pub(crate) async fn send(&mut self, message: &impl Message) {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut frame).unwrap();
        self.send_raw(frame.freeze()).await;
    }

    pub(crate) async fn send_raw(&mut self, mut data: Bytes) {
        while !data.is_empty() {
            self.output.reserve_capacity(data.len());
            let granted = std::future::poll_fn(|cx| self.output.poll_capacity(cx))
                .await
                .unwrap()
                .unwrap();
            self.output
                .send_data(data.split_to(granted.min(data.len())), false)
                .unwrap();
        }
    }

    pub(crate) fn half_close(&mut self) {
        self.output.send_data(Bytes::new(), true).unwrap();
    }

    /// Cancels the call.
    pub(crate) fn reset(&mut self) {
        self.output.send_reset(h2::Reason::CANCEL);
    }

    /// The next message; `None` at the end of the call.
    pub(crate) async fn next<O: Message + Default>(&mut self) -> Option<O> {
        loop {
            if let Some(frame) = self.split() {
                return Some(O::decode(frame).unwrap());
            }
            let input = self.input().await?;
            match input.data().await {
                Some(chunk) => {
                    let chunk = chunk.unwrap();
                    input.flow_control().release_capacity(chunk.len()).unwrap();
                    self.received.extend_from_slice(&chunk);
                }
                None => {
                    self.status = input.trailers().await.unwrap();
                    return None;
                }
            }
        }
    }

    async fn input(&mut self) -> Option<&mut RecvStream> {
        if let Some(response) = self.response.take() {
            let (head, body) = response.await.unwrap().into_parts();
            if head.headers.contains_key("grpc-status") {
                self.status = Some(head.headers);
                return None;
            }
            self.input = Some(body);
        }
        self.input.as_mut()
    }

    fn split(&mut self) -> Option<Bytes> {
        let length = self.received.get(1..5)?.try_into().unwrap();
        let size = 5 + usize::try_from(u32::from_be_bytes(length)).unwrap();
        (self.received.len() >= size).then(|| self.received.split_to(size).freeze().slice(5..))
    }

    /// The gRPC status of an ended call.
    pub(crate) fn status(&self) -> u32 {
        let headers = self.status.as_ref().expect("the call has ended with a status");
        headers["grpc-status"].to_str().unwrap().parse().unwrap()
    }
}
