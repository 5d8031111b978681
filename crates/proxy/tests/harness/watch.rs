//! Streamed commands, read message by message.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use prost::Message;

use super::{Client, Done};

/// A streamed command whose messages are read one by one. Dropping it cancels it.
pub(crate) struct Watch<T = Done> {
    requests: SendStream<Bytes>,
    response: Option<h2::client::ResponseFuture>,
    body: Option<RecvStream>,
    buffer: BytesMut,
    messages: VecDeque<T>,
}

impl<T: Message + Default> Watch<T> {
    pub(crate) async fn begin(client: &Client, path: &str, request: &impl Message) -> Watch<T> {
        let open = client.begin(path, request).await;
        Watch {
            requests: open.requests,
            response: Some(open.response),
            body: None,
            buffer: BytesMut::new(),
            messages: VecDeque::new(),
        }
    }

    /// The next message; `Err` with the status at the end.
    pub(crate) async fn message(&mut self) -> Result<T, (u32, String)> {
        if let Some(response) = self.response.take() {
            let (head, body) = response.await.expect("an answer").into_parts();
            if let Some(status) = status(&head.headers) {
                return Err(status);
            }
            self.body = Some(body);
        }
        let body = self.body.as_mut().expect("it has begun");
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(message);
            }
            let Some(data) = body.data().await else {
                let trailers = body.trailers().await.expect("an end").unwrap_or_default();
                return Err(status(&trailers).expect("a status"));
            };
            let data = data.expect("the stream is open");
            body.flow_control()
                .release_capacity(data.len())
                .expect("it was received");
            self.buffer.extend_from_slice(&data);
            while let [_, a, b, c, d, ..] = self.buffer[..] {
                let length = 5 + u32::from_be_bytes([a, b, c, d]) as usize;
                if self.buffer.len() < length {
                    break;
                }
                let frame = self.buffer.split_to(length);
                let message = T::decode(&frame[5..]).expect("its message");
                self.messages.push_back(message);
            }
        }
    }

    /// The client goes.
    pub(crate) fn leave(mut self) {
        self.requests.send_reset(Reason::CANCEL);
    }
}

impl Watch {
    /// The text of the next message.
    pub(crate) async fn next(&mut self) -> Result<String, (u32, String)> {
        self.message().await.map(|done| done.text)
    }

    pub(crate) async fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.next().await, Ok((*text).to_owned()));
        }
    }
}

fn status(headers: &http::HeaderMap) -> Option<(u32, String)> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().expect("ASCII").to_owned())
    };
    let code = text("grpc-status")?.parse().expect("a number");
    Some((code, text("grpc-message").unwrap_or_default()))
}
