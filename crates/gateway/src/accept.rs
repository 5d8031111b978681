//! From a byte stream to HTTP requests: after the TLS handshake, if there is one, tells HTTP/2 from HTTP/1.1 by what it
//! agreed on, else by the first bytes.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use cloudstate_access::Certificate;
use cloudstate_runtime::Router;
use futures_core::Stream;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::access::{Changed, Peer};
use crate::dispatch;
use crate::gateway::Core;
use crate::options::Options;
use crate::rewound::Rewound;
use crate::send_limit::SendLimit;
use crate::tls::{self, HandshakeError, Transport};

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
pub(crate) async fn serve<R, I>(core: Rc<Core<R>>, io: I) -> Result<(), Error>
where
    R: Router,
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let shutdown = core.shutdown.clone();
    let opened = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        opened = open(&core.options, io) => opened?,
    };
    // Who was let in by other roots is to be looked at again.
    let outdated = opened.outdated.filter(|_| opened.certificate.is_some());
    let outdated = async {
        match outdated {
            Some(changed) => changed.wait().await,
            None => std::future::pending().await,
        }
    };
    let options = core.options.clone();
    let peer = opened.certificate.map(Peer);
    let service = service_fn(move |mut request| {
        // Only with a certificate: the first extension of a request costs an allocation.
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        dispatch::respond(core.clone(), request)
    });
    let io = TokioIo::new(SendLimit::new(opened.io, options.send_timeout));
    if opened.is_http2 {
        let connection = http2_builder(&options).serve_connection(io, service);
        drive(
            connection,
            &shutdown,
            outdated,
            http2::Connection::graceful_shutdown,
        )
        .await
    } else {
        let connection = http1_builder(&options).serve_connection(io, service);
        drive(
            connection,
            &shutdown,
            outdated,
            http1::Connection::graceful_shutdown,
        )
        .await
    }
}

/// A connection that is ready for its first request.
struct Opened<I> {
    io: Rewound<Transport<I>>,
    is_http2: bool,
    certificate: Option<Arc<Certificate>>,
    /// Tells when TLS is configured otherwise than for this connection.
    outdated: Option<Changed>,
}

/// Shakes hands where TLS is spoken, and finds out which protocol follows.
async fn open<I>(options: &Options, io: I) -> Result<Opened<I>, Error>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mut io, agreed, certificate, outdated) = match options.security.tls() {
        None => (Transport::Plain(io), None, None, None),
        Some((config, outdated)) => {
            let shaken = tokio::time::timeout(options.handshake_timeout, tls::accept(config, io));
            let secured = shaken.await.map_err(|_| HandshakeError::Late)??;
            let certificate = secured.certificate;
            (
                Transport::Tls(secured.io),
                secured.is_http2,
                certificate,
                Some(outdated),
            )
        }
    };
    let mut read = BytesMut::with_capacity(PREFACE.len());
    let is_http2 = match agreed {
        Some(false) => false,
        // Also where HTTP/2 was agreed on: the library would wait for the preface without end.
        _ => {
            let spoken = tokio::time::timeout(options.header_read_timeout, speaks_http2(&mut io, &mut read))
                .await
                .map_err(|_| Error::Silent)??;
            agreed.unwrap_or(spoken)
        }
    };
    Ok(Opened {
        io: Rewound::new(read.freeze(), io),
        is_http2,
        certificate,
        outdated,
    })
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the client sent nothing that tells its protocol")]
    Silent,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("cannot read from the client")]
    Read(#[from] io::Error),
    #[error("the HTTP connection failed: {0}")]
    Http(#[from] hyper::Error),
}

impl Error {
    /// Why the connection ended, in one word for metrics; `None` for a handshake, which has words of its own.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Error::Silent => Some("silent"),
            Error::Handshake(_) => None,
            Error::Read(_) => Some("broken_off"),
            Error::Http(error) => Some(http_reason(error)),
        }
    }

    /// Why there was no TLS, in one word for metrics; `None` if that was not it.
    pub(crate) fn failed_handshake(&self) -> Option<&'static str> {
        match self {
            Error::Handshake(error) => error.reason(),
            _ => None,
        }
    }
}

fn http_reason(error: &hyper::Error) -> &'static str {
    use std::error::Error;
    let h2 = || error.source()?.downcast_ref::<h2::Error>();
    let io = || error.source()?.downcast_ref().or_else(|| h2()?.get_io());
    let took_nothing = || io().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut);
    match h2().and_then(h2::Error::reason) {
        _ if error.is_timeout() || took_nothing() => "timeout",
        _ if error.is_parse_too_large() => "too_large",
        _ if error.is_parse() => "malformed",
        Some(h2::Reason::ENHANCE_YOUR_CALM) => "flooding",
        Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR | h2::Reason::COMPRESSION_ERROR) => {
            "malformed"
        }
        _ => "broken_off",
    }
}

/// Serves until the connection ends, or there is a reason to drain it: then its calls end, and no new one is taken.
async fn drive<C>(
    connection: C,
    shutdown: &CancellationToken,
    outdated: impl Future<Output = ()>,
    drain: fn(Pin<&mut C>),
) -> Result<(), Error>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = shutdown.cancelled() => drain(connection.as_mut()),
        () = outdated => drain(connection.as_mut()),
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
