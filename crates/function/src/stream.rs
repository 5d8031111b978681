//! One gRPC stream, as two halves without a task between them.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use prost::Message;

use crate::connection::{Slot, Started};
use crate::framing::{self, Decoder};
use crate::{Error, status};

/// Bytes that may be queued before the peer's window is looked at again. Bounds what a stream holds beyond the window
/// to this and one message, and spares most messages the look.
const UNCHECKED_BYTES: usize = 16 * 1024;

/// Sends the messages of a stream. Dropping both halves cancels the stream, if it has not ended.
#[derive(Debug)]
pub struct StreamSender {
    send: SendStream<Bytes>,
    unchecked: usize,
    finished: bool,
    _slot: Rc<Slot>,
}

/// Receives the messages of a stream and how it ended. Dropping both halves cancels the stream, if it has not ended;
/// until then it counts against the limits, also when the function has ended its side.
#[derive(Debug)]
pub struct StreamReceiver {
    state: State,
    decoder: Decoder,
    slot: Rc<Slot>,
}

#[derive(Debug)]
enum State {
    /// Waiting for response headers. A server may send them with its first message only.
    Head(ResponseFuture),
    Body(RecvStream),
    Done(Result<(), Error>),
}

pub(crate) fn halves(started: Started) -> (StreamSender, StreamReceiver) {
    let Started { response, send, slot } = started;
    let sender = StreamSender {
        send,
        unchecked: 0,
        finished: false,
        _slot: slot.clone(),
    };
    (
        sender,
        StreamReceiver {
            state: State::Head(response),
            decoder: Decoder::default(),
            slot,
        },
    )
}

impl StreamSender {
    /// Sends a message, after waiting for room if the function is slow to take them. Cancel-safe: dropped while
    /// waiting, nothing is sent.
    ///
    /// # Errors
    /// [`Error::StreamEnded`] when the function has ended the stream or the connection is lost: the receiver says
    /// which.
    pub async fn send<M: Message>(&mut self, message: &M) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.queue(framing::encode(message)?, false)
    }

    /// Sends a message if there is room: `false` means that there was none, and nothing was sent. For a sender that
    /// gets `false`, [`poll_ready`](Self::poll_ready) waits.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send<M: Message>(&mut self, message: &M) -> Result<bool, Error> {
        if !self.has_room() {
            return Ok(false);
        }
        self.queue(framing::encode(message)?, false)?;
        Ok(true)
    }

    /// Waits until the function's flow control leaves room for a message of any size.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.has_room() {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Error::StreamEnded)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the sending side: no more messages will come. Does nothing when the stream has ended.
    pub fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            // The one error is that the stream has ended, which is what is wanted.
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }

    /// Cancels the stream at once, in both directions.
    pub fn reset(&mut self) {
        self.finished = true;
        self.send.send_reset(Reason::CANCEL);
    }

    /// Sends the only message of a call.
    pub(crate) fn send_last<M: Message>(&mut self, message: &M) -> Result<(), Error> {
        self.finished = true;
        self.queue(framing::encode(message)?, true)
    }

    fn queue(&mut self, frame: Bytes, last: bool) -> Result<(), Error> {
        self.unchecked += frame.len();
        self.send.send_data(frame, last).map_err(|_| Error::StreamEnded)
    }

    /// One byte of capacity means that all that was queued before fits the windows.
    fn has_room(&mut self) -> bool {
        if self.unchecked >= UNCHECKED_BYTES {
            self.send.reserve_capacity(1);
            if self.send.capacity() == 0 {
                return false;
            }
            self.unchecked = 0;
        }
        true
    }
}

impl StreamReceiver {
    /// The next message; `None` after the function ended the stream with status OK. After the end or an error, the
    /// same is returned again. Cancel-safe.
    ///
    /// `Bytes` fields share the memory that was received: copy what is kept for long, because a small field keeps the
    /// whole read buffer (16 KiB and more).
    ///
    /// # Errors
    /// How the stream ended, if not with status OK; or what is wrong with the message.
    pub async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Error> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// [`message`](Self::message) for hand-written futures.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn poll_message<M: Message + Default>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<M>, Error>> {
        let Some(bytes) = ready!(self.poll_bytes(cx))? else {
            return Poll::Ready(Ok(None));
        };
        let decoded = M::decode(bytes).map_err(|error| Error::malformed(error.to_string()));
        Poll::Ready(match decoded {
            Ok(message) => Ok(Some(message)),
            Err(error) => self.end(Err(error)),
        })
    }

    /// The next message, still encoded.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            match self.decoder.next(self.slot.link.max_message_bytes) {
                Ok(None) => {}
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(error) => return Poll::Ready(self.end(Err(error))),
            }
            match ready!(self.poll_more(cx)) {
                Ok(()) => {}
                Err(ended) => return Poll::Ready(self.end(ended)),
            }
        }
    }

    /// Takes the next step of the response. `Err` holds how the stream ended.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Result<(), Error>>> {
        match &mut self.state {
            State::Head(response) => {
                let response =
                    ready!(Pin::new(response).poll(cx)).map_err(|error| Err(self.slot.error(&error)))?;
                self.state = State::Body(open_body(response, &self.slot)?);
                Poll::Ready(Ok(()))
            }
            State::Body(body) => match ready!(body.poll_data(cx)) {
                Some(Ok(chunk)) => {
                    // Fails only if more is released than was received.
                    let _ = body.flow_control().release_capacity(chunk.len());
                    self.decoder.push(chunk);
                    Poll::Ready(Ok(()))
                }
                Some(Err(error)) => Poll::Ready(Err(Err(self.slot.error(&error)))),
                None => {
                    let trailers =
                        ready!(body.poll_trailers(cx)).map_err(|error| Err(self.slot.error(&error)))?;
                    Poll::Ready(Err(self.close(trailers.as_ref())))
                }
            },
            State::Done(result) => Poll::Ready(Err(result.clone())),
        }
    }

    fn close(&self, trailers: Option<&http::HeaderMap>) -> Result<(), Error> {
        let status = trailers.and_then(status::of_trailers);
        status.unwrap_or(Err(Error::Truncated {
            reason: "the stream ended without a grpc-status",
        }))?;
        if self.decoder.is_empty() {
            Ok(())
        } else {
            Err(Error::malformed("the stream ended within a message"))
        }
    }

    fn end<T>(&mut self, ended: Result<(), Error>) -> Result<Option<T>, Error> {
        self.decoder = Decoder::default();
        if let Err(error) = &ended
            && !matches!(self.state, State::Done(_))
        {
            self.slot.link.counters.failed(error);
        }
        self.state = State::Done(ended.clone());
        ended.map(|()| None)
    }
}

impl Slot {
    fn error(&self, error: &h2::Error) -> Error {
        Error::of_stream(error, &self.link.target)
    }
}

/// Looks at the response headers; an answer of headers alone is the end of the stream.
fn open_body(response: Response<RecvStream>, slot: &Slot) -> Result<RecvStream, Result<(), Error>> {
    let (head, body) = response.into_parts();
    status::check_head(head.status, &head.headers, &slot.link.target).map_err(Err)?;
    match status::of_trailers(&head.headers) {
        Some(result) if body.is_end_stream() => Err(result),
        _ => Ok(body),
    }
}
