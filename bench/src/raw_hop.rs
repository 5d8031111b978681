//! The least that can stand where the proxy stands: takes unary calls by hyper, keeps one stream per entity to the
//! function by h2, passes payloads through. No checks, no store, no limits: the baseline that the proxy is divided by.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::raw_stream::EntityStream;
use crate::shopping_cart::{self, SERVICE};
use crate::wire::{Connection, PREFIX};

/// Serves until it is dropped, or the listener fails.
///
/// # Errors
/// The function cannot be reached, or the listener fails.
pub async fn serve(listener: TcpListener, function: &str) -> Result<()> {
    let hop = Rc::new(Hop {
        function: Connection::open(function).await?,
        entities: RefCell::default(),
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let hop = hop.clone();
        spawn_local(async move {
            let service = service_fn(move |request| hop.clone().answer(request));
            let server = hyper::server::conn::http2::Builder::new(LocalExecutor)
                .initial_connection_window_size(1 << 30)
                .max_concurrent_streams(4096)
                .serve_connection(TokioIo::new(socket), service);
            if let Err(error) = server.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

#[derive(Debug)]
struct Hop {
    function: Connection,
    entities: RefCell<HashMap<String, Rc<Mutex<EntityStream>>>>,
}

impl Hop {
    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
        let reply = match self.call(request).await {
            Ok(payload) => Reply::ok(&payload),
            Err(error) => Reply::failed(&error),
        };
        let mut response = Response::new(reply);
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/grpc"));
        Ok(response)
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Bytes> {
        let (head, body) = request.into_parts();
        let (_, method) = head.uri.path().rsplit_once('/').context("no method")?;
        let frame = body.collect().await?.to_bytes();
        let message = frame.slice(PREFIX..);
        let entity = self.entity(first_field(&message).context("no key")?)?;
        entity
            .lock()
            .await
            .command(method, shopping_cart::command_payload(method, message.clone()))
            .await
    }

    fn entity(&self, id: &str) -> Result<Rc<Mutex<EntityStream>>> {
        let mut entities = self.entities.borrow_mut();
        if let Some(entity) = entities.get(id) {
            return Ok(entity.clone());
        }
        let entity = Rc::new(Mutex::new(EntityStream::open(&self.function, SERVICE, id)?));
        entities.insert(id.to_owned(), entity.clone());
        Ok(entity)
    }
}

/// A string field number 1 of less than 128 bytes at the beginning of a message, where all encoders put it.
fn first_field(message: &[u8]) -> Option<&str> {
    let [0x0a, length @ 0..=0x7f, rest @ ..] = message else {
        return None;
    };
    std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
}

/// One message and the trailers, or the trailers alone.
#[derive(Debug)]
struct Reply {
    frame: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Reply {
    fn ok(payload: &[u8]) -> Reply {
        let mut frame = BytesMut::with_capacity(PREFIX + payload.len());
        frame.put_u8(0);
        frame.put_u32(payload.len() as u32);
        frame.put_slice(payload);
        Reply {
            frame: Some(frame.freeze()),
            trailers: Some(status("0")),
        }
    }

    fn failed(error: &anyhow::Error) -> Reply {
        let mut trailers = status("2");
        if let Ok(text) = HeaderValue::try_from(format!("{error:#}")) {
            trailers.insert("grpc-message", text);
        }
        Reply {
            frame: None,
            trailers: Some(trailers),
        }
    }
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.frame.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }
}

/// Runs hyper's tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PREFIX;

    #[test]
    fn the_key_is_the_first_field() {
        let frame = &shopping_cart::add_item_frames(0..3)[2];
        assert_eq!(first_field(&frame[PREFIX..]), Some("user-00000002"));
        assert_eq!(first_field(b"\x12\x01a"), None);
        assert_eq!(first_field(b"\x0a\x09a"), None);
    }
}
