//! gRPC messages into HTTP/2 data.

use std::future::poll_fn;

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use prost::Message;

/// The gRPC status codes that this server itself answers with.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Code {
    Ok = 0,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

/// How a call ends.
pub(super) struct Status {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Status {
    pub(super) const OK: Status = Status {
        code: Code::Ok,
        message: String::new(),
    };

    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Status {
            code,
            message: message.into(),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert("grpc-status", HeaderValue::from(self.code as u16));
        if let Ok(message) = HeaderValue::from_str(&percent_encode(&self.message))
            && !message.is_empty()
        {
            headers.insert("grpc-message", message);
        }
        headers
    }
}

/// Encodes a status message as gRPC wants it: printable ASCII but `%` stays, all else is escaped byte by byte.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Encodes a message with the header that gRPC puts before it.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let size = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + size);
    frame.put_u8(0);
    // A message beyond 4 GiB cannot be expressed; nothing that a handler returns gets there.
    frame.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    message.encode_raw(&mut frame);
    frame.freeze()
}

/// The response of one call. Dropped before [`finish`](Self::finish), it tells the proxy that the function is
/// unavailable: its task was aborted, because the function shuts down.
pub(super) struct Output {
    body: SendStream<Bytes>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    BetweenMessages,
    /// Nothing but a reset can follow.
    WithinMessage,
    Finished,
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.phase == Phase::BetweenMessages {
            let status = Status::new(Code::Unavailable, "the user function is shutting down");
            // If the connection is gone, nobody needs to be told.
            let _ = self.body.send_trailers(status.headers());
        }
    }
}

impl Output {
    /// Sends the headers of a successful call.
    pub(super) fn open(mut respond: SendResponse<Bytes>) -> Result<Self, h2::Error> {
        let mut response = Response::new(());
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/grpc"));
        Ok(Output {
            body: respond.send_response(response, false)?,
            phase: Phase::BetweenMessages,
        })
    }

    /// Answers a call of a method that is not served.
    pub(super) fn reject(mut respond: SendResponse<Bytes>, path: &str) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NOT_FOUND;
        let status = Status::new(
            Code::Unimplemented,
            format!("this user function does not serve {path}"),
        );
        *response.headers_mut() = status.headers();
        respond.send_response(response, true).map(drop)
    }

    /// Sends a message, see [`send_frame`](Self::send_frame).
    pub(super) async fn send(&mut self, message: &impl Message) -> Result<(), h2::Error> {
        self.send_frame(frame(message)).await
    }

    /// Sends a framed message. Waits while the proxy takes no more. Cancelling it may leave a part of the frame sent.
    pub(super) async fn send_frame(&mut self, mut data: Bytes) -> Result<(), h2::Error> {
        self.phase = Phase::WithinMessage;
        while !data.is_empty() {
            self.body.reserve_capacity(data.len());
            if self.body.capacity() == 0 {
                let granted = poll_fn(|cx| self.body.poll_capacity(cx)).await;
                granted.ok_or(h2::Error::from(h2::Reason::CANCEL))??;
            }
            let part = data.split_to(self.body.capacity().min(data.len()));
            if !part.is_empty() {
                self.body.send_data(part, false)?;
            }
        }
        self.phase = Phase::BetweenMessages;
        Ok(())
    }

    /// Ends the call.
    pub(super) fn finish(mut self, status: &Status) -> Result<(), h2::Error> {
        self.phase = Phase::Finished;
        self.body.send_trailers(status.headers())
    }

    /// Ready when the proxy has cancelled the call.
    pub(super) async fn cancelled(&mut self) {
        let _ = poll_fn(|cx| self.body.poll_reset(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_messages_are_printable_ascii() {
        assert_eq!(percent_encode("50% of\n\u{e9}"), "50%25 of%0A%C3%A9");
    }
}
