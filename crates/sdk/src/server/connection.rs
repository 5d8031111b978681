//! One HTTP/2 connection.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::Connection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Shared;
use super::listener::Socket;
use super::streams::Calls;

/// Flow control of a stream: how much the proxy may send ahead of a handler. Memory is used only when it does.
const STREAM_WINDOW: u32 = 1 << 20;
/// Flow control of the connection. One slow stream must not hold up the others, so it is as good as none.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// `h2` ends a connection that has many small unread frames, which is just what entity streams look like: one small
/// message each. The proxy is trusted, so this limit is as good as none too.
const FRAME_BUDGET: usize = 1 << 30;
/// Streams that the proxy cancelled before they were looked at. Clients that go away make them, not attackers.
const MAX_CANCELLED: usize = 100_000;
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Serves a connection until it is closed, or drained after [`Shared::draining`].
pub(super) async fn serve(socket: Socket, shared: Arc<Shared>) {
    let served = match attach(socket) {
        Ok(Attached::Tcp(socket)) => serve_on(socket, shared).await,
        Ok(Attached::Unix(socket)) => serve_on(socket, shared).await,
        Err(error) => return tracing::warn!("cannot serve a connection: {error}"),
    };
    match served {
        Err(error) if !is_disconnect(&error) => tracing::warn!("a connection from the proxy failed: {error}"),
        _ => tracing::debug!("a connection from the proxy ended"),
    }
}

/// A connection that belongs to this thread's runtime.
enum Attached {
    Tcp(TcpStream),
    Unix(UnixStream),
}

fn attach(socket: Socket) -> io::Result<Attached> {
    match socket {
        Socket::Tcp(socket) => TcpStream::from_std(socket).map(Attached::Tcp),
        Socket::Unix(socket) => UnixStream::from_std(socket).map(Attached::Unix),
    }
}

fn is_disconnect(error: &h2::Error) -> bool {
    let kinds = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::UnexpectedEof,
    ];
    error.get_io().is_some_and(|error| kinds.contains(&error.kind()))
}

async fn serve_on(socket: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) -> Result<(), h2::Error> {
    let mut connection: Connection<_, Bytes> = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(FRAME_BUDGET)
        .max_concurrent_streams(shared.options.max_streams_per_connection)
        .max_pending_accept_reset_streams(MAX_CANCELLED)
        .max_local_error_reset_streams(None)
        .max_header_list_size(MAX_HEADER_BYTES)
        .handshake(socket)
        .await?;
    let mut calls = Calls::default();
    let mut draining = pin!(shared.draining.cancelled());
    let mut drained = false;
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => match accepted {
                Some(accepted) => {
                    let (request, respond) = accepted?;
                    calls.start(request, respond, &shared);
                }
                None => return Ok(()),
            },
            () = calls.reap() => {}
            () = &mut draining, if !drained => {
                drained = true;
                connection.graceful_shutdown();
                calls.end_entities();
            }
        }
    }
}
