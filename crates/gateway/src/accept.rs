//! From a byte stream to HTTP requests: tells HTTP/2 from HTTP/1.1 by the first bytes, on the same port.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use cloudstate_runtime::Router;
use futures_core::Stream;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::dispatch;
use crate::gateway::Core;
use crate::options::Options;

/// What an HTTP/2 client sends first. Source: RFC 9113 §3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A client may have this much unread request data under way on one stream, and on a connection.
///
/// The latter also decides how many small frames the HTTP/2 library tolerates unread before it gives up on the
/// connection: half of it, where a frame of n < 256 bytes costs 256 - n. Commands are small and a slow function leaves
/// them unread, so the window must be worth many full streams of such frames.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// A pause after the kernel refused a connection for want of file descriptors or memory, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of a listener, without delay for small packets. Never ends.
pub fn connections(listener: TcpListener) -> impl Stream<Item = TcpStream> {
    futures_util::stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Without it replies wait for acknowledgements; a socket that is already gone fails later anyway.
                    let _ = stream.set_nodelay(true);
                    return Some((stream, listener));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Serves one connection to its end.
pub(crate) async fn serve<R, I>(core: Rc<Core<R>>, mut io: I) -> Result<(), Error>
where
    R: Router,
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let shutdown = core.shutdown.clone();
    let mut read = BytesMut::with_capacity(PREFACE.len());
    let is_http2 = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        found = tokio::time::timeout(core.options.header_read_timeout, speaks_http2(&mut io, &mut read)) => {
            found.map_err(|_| Error::Silent)??
        }
    };
    let io = TokioIo::new(Rewound {
        read: read.freeze(),
        io,
    });
    let options = core.options.clone();
    let service = service_fn(move |request| dispatch::respond(core.clone(), request));
    if is_http2 {
        let connection = http2_builder(&options).serve_connection(io, service);
        drive(connection, &shutdown, http2::Connection::graceful_shutdown).await
    } else {
        let connection = http1_builder(&options).serve_connection(io, service);
        drive(connection, &shutdown, http1::Connection::graceful_shutdown).await
    }
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the client sent nothing that tells its protocol")]
    Silent,
    #[error("cannot read from the client")]
    Read(#[from] io::Error),
    #[error("the HTTP connection failed: {0}")]
    Http(#[from] hyper::Error),
}

async fn drive<C>(connection: C, shutdown: &CancellationToken, drain: fn(Pin<&mut C>)) -> Result<(), Error>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = shutdown.cancelled() => drain(connection.as_mut()),
    }
    Ok(connection.await?)
}

fn http2_builder(options: &Options) -> http2::Builder<OnThisThread> {
    let mut builder = http2::Builder::new(OnThisThread);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(options.max_header_bytes)
        .keep_alive_interval(options.keep_alive_interval)
        .keep_alive_timeout(options.keep_alive_timeout);
    builder
}

fn http1_builder(options: &Options) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_read_timeout)
        .max_header_size(options.max_header_bytes as usize);
    builder
}

/// Spawns on the runtime of this thread. The tasks are the streams of a connection and end with it.
#[derive(Debug, Clone, Copy)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Reads until the bytes differ from the preface or are all of it. What was read stays in `read`.
async fn speaks_http2(io: &mut (impl AsyncRead + Unpin), read: &mut BytesMut) -> io::Result<bool> {
    while read.len() < PREFACE.len() {
        if !PREFACE.starts_with(read) || io.read_buf(read).await? == 0 {
            return Ok(false);
        }
    }
    Ok(read.starts_with(PREFACE))
}

/// A byte stream of which some was read already.
struct Rewound<I> {
    read: Bytes,
    io: I,
}

impl<I: AsyncRead + Unpin> AsyncRead for Rewound<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..count]);
        self.read.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Rewound<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
