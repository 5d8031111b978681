//! A function's server on the bare h2 crate, so that tests decide every frame.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "every test file uses another part"
)]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloudstate_function::{Link, LinkOptions, Target};
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub type Call = (Request<RecvStream>, SendResponse<Bytes>);

/// What a server counted.
pub struct Seen {
    pub connections: watch::Sender<usize>,
    pub calls: watch::Sender<usize>,
    pub paths: RefCell<Vec<String>>,
}

/// A running server. Dropping it cuts all its connections, as the end of a process does.
pub struct Server {
    pub target: Target,
    pub seen: Rc<Seen>,
    tasks: Rc<RefCell<JoinSet<()>>>,
}

pub fn builder() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(200)
        .initial_connection_window_size(1 << 30)
        .data_frame_budget(1 << 30);
    builder
}

pub fn tcp(addr: SocketAddr) -> Target {
    Target::Tcp {
        host: addr.ip().to_string(),
        port: addr.port(),
    }
}

pub async fn serve<F>(handler: impl Fn(Call) -> F + Clone + 'static) -> Server
where
    F: Future<Output = ()> + 'static,
{
    serve_with(
        builder(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        handler,
    )
}

pub fn serve_with<F>(
    builder: server::Builder,
    listener: TcpListener,
    handler: impl Fn(Call) -> F + Clone + 'static,
) -> Server
where
    F: Future<Output = ()> + 'static,
{
    let server = Server::new(tcp(listener.local_addr().unwrap()));
    let (seen, tasks) = (server.seen.clone(), Rc::downgrade(&server.tasks));
    server.tasks.borrow_mut().spawn_local(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Some(tasks) = tasks.upgrade() else { return };
            tasks.borrow_mut().spawn_local(connection(
                socket,
                builder.clone(),
                handler.clone(),
                seen.clone(),
            ));
        }
    });
    server
}

pub fn serve_unix<F>(path: PathBuf, handler: impl Fn(Call) -> F + Clone + 'static) -> Server
where
    F: Future<Output = ()> + 'static,
{
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server::new(Target::Unix(path));
    let (seen, tasks) = (server.seen.clone(), Rc::downgrade(&server.tasks));
    server.tasks.borrow_mut().spawn_local(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Some(tasks) = tasks.upgrade() else { return };
            tasks
                .borrow_mut()
                .spawn_local(connection(socket, builder(), handler.clone(), seen.clone()));
        }
    });
    server
}

async fn connection<S, F>(socket: S, builder: server::Builder, handler: impl Fn(Call) -> F, seen: Rc<Seen>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()> + 'static,
{
    seen.connections.send_modify(|count| *count += 1);
    let mut calls = JoinSet::new();
    let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else {
        return;
    };
    while let Some(Ok(call)) = connection.accept().await {
        seen.calls.send_modify(|count| *count += 1);
        seen.paths.borrow_mut().push(call.0.uri().path().to_owned());
        calls.spawn_local(handler(call));
    }
}

impl Server {
    fn new(target: Target) -> Server {
        let seen = Seen {
            connections: watch::Sender::new(0),
            calls: watch::Sender::new(0),
            paths: RefCell::default(),
        };
        Server {
            target,
            seen: Rc::new(seen),
            tasks: Rc::default(),
        }
    }

    pub fn link(&self) -> Link {
        Link::new(self.target.clone(), LinkOptions::default())
    }

    pub fn addr(&self) -> SocketAddr {
        let Target::Tcp { host, port } = &self.target else {
            panic!("not TCP")
        };
        SocketAddr::new(host.parse().unwrap(), *port)
    }

    /// Ends as a killed process does, and returns when the port is free.
    pub async fn crash(self) {
        self.tasks.take().shutdown().await;
    }

    /// Waits until so many calls have arrived.
    pub async fn calls(&self, count: usize) {
        self.seen
            .calls
            .subscribe()
            .wait_for(|seen| *seen >= count)
            .await
            .unwrap();
    }

    pub fn connections(&self) -> usize {
        *self.seen.connections.borrow()
    }
}

pub fn frame(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len() as u32);
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

pub fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap()
}

pub fn trailers(code: &'static str) -> HeaderMap {
    [("grpc-status".parse().unwrap(), HeaderValue::from_static(code))]
        .into_iter()
        .collect()
}

/// Sends response headers and returns the body.
pub fn answer(respond: &mut SendResponse<Bytes>) -> SendStream<Bytes> {
    respond.send_response(head(), false).unwrap()
}

/// Answers one message with status 0.
pub fn reply(respond: &mut SendResponse<Bytes>, message: &impl Message) {
    let mut body = answer(respond);
    body.send_data(frame(message), false).unwrap();
    body.send_trailers(trailers("0")).unwrap();
}

/// Messages of a request body, as raw frames' contents.
pub struct Requests {
    body: RecvStream,
    buffer: BytesMut,
}

impl Requests {
    pub fn new(body: RecvStream) -> Requests {
        Requests {
            body,
            buffer: BytesMut::new(),
        }
    }

    pub async fn next<M: Message + Default>(&mut self) -> Option<M> {
        loop {
            if let [_, a, b, c, d, ..] = self.buffer[..] {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    return Some(M::decode(self.buffer.split_to(length)).unwrap());
                }
            }
            let chunk = self.body.data().await?.ok()?;
            self.body.flow_control().release_capacity(chunk.len()).unwrap();
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

/// Sends every message back as it came, until the client ends.
pub async fn echo((request, mut respond): Call) {
    let mut requests = Requests::new(request.into_body());
    let mut body: Option<SendStream<Bytes>> = None;
    while let Some(message) = requests.next::<cloudstate_protocol::Any>().await {
        let body = body.get_or_insert_with(|| answer(&mut respond));
        if body.send_data(frame(&message), false).is_err() {
            return;
        }
    }
    let mut body = body.unwrap_or_else(|| answer(&mut respond));
    let _ = body.send_trailers(trailers("0"));
}
