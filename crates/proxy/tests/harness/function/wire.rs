//! gRPC on a server's stream, by hand.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Response};
use prost::Message;

use super::Shared;
use crate::harness::client::frame;

pub(super) struct Call {
    pub(super) requests: Requests,
    pub(super) output: Output,
    pub(super) shared: Arc<Shared>,
}

/// Messages of the proxy.
pub(super) struct Requests {
    body: RecvStream,
    buffer: BytesMut,
    /// Whether the proxy cut the stream off, once `next` has given `None`.
    pub(super) reset: bool,
}

impl Requests {
    pub(super) fn new(body: RecvStream) -> Requests {
        Requests {
            body,
            buffer: BytesMut::new(),
            reset: false,
        }
    }

    pub(super) async fn next<M: Message + Default>(&mut self) -> Option<M> {
        loop {
            if let [_, a, b, c, d, ..] = self.buffer[..] {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    return Some(M::decode(self.buffer.split_to(length)).expect("the proxy's message"));
                }
            }
            match self.body.data().await? {
                Ok(chunk) => {
                    // Fails only if more is released than was received.
                    let _ = self.body.flow_control().release_capacity(chunk.len());
                    self.buffer.extend_from_slice(&chunk);
                }
                Err(_) => {
                    self.reset = true;
                    return None;
                }
            }
        }
    }

    /// Waits for the end of the stream; `true` if it was cut off.
    pub(super) async fn ended(&mut self) -> bool {
        while self.next::<()>().await.is_some() {}
        self.reset
    }
}

/// Messages to the proxy.
pub(super) struct Output {
    respond: SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
}

impl Output {
    pub(super) fn new(respond: SendResponse<Bytes>) -> Output {
        Output { respond, body: None }
    }

    fn body(&mut self) -> Result<&mut SendStream<Bytes>, h2::Error> {
        if self.body.is_none() {
            let head = Response::builder()
                .header("content-type", "application/grpc")
                .body(())
                .expect("a response");
            self.body = Some(self.respond.send_response(head, false)?);
        }
        Ok(self.body.as_mut().expect("it was set above"))
    }

    pub(super) fn message(&mut self, message: &impl Message) -> Result<(), h2::Error> {
        self.raw(frame(message))
    }

    pub(super) fn raw(&mut self, bytes: impl Into<Bytes>) -> Result<(), h2::Error> {
        self.body()?.send_data(bytes.into(), false)
    }

    /// Waits until the proxy has room for more.
    pub(super) async fn room(&mut self) -> Result<(), h2::Error> {
        let body = self.body()?;
        body.reserve_capacity(1 << 10);
        match std::future::poll_fn(|cx| body.poll_capacity(cx)).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error),
            None => Err(Reason::CANCEL.into()),
        }
    }

    /// Waits until the proxy cuts the stream off.
    pub(super) async fn cut_off(&mut self) -> Result<(), h2::Error> {
        let body = self.body()?;
        std::future::poll_fn(|cx| body.poll_reset(cx)).await.map(drop)
    }

    pub(super) fn end(&mut self, status: &'static str, text: &str) -> Result<(), h2::Error> {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        if !text.is_empty() {
            trailers.insert("grpc-message", HeaderValue::from_str(text).expect("plain text"));
        }
        self.body()?.send_trailers(trailers)
    }

    pub(super) fn reset(&mut self) -> Result<(), h2::Error> {
        self.body()?.send_reset(Reason::INTERNAL_ERROR);
        Ok(())
    }
}
