//! The TLS handshake of a connection, done by the core that serves it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use cloudstate_access::{Certificate, CertificateError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::rewound::Rewound;

/// The first byte of a TLS connection. Source: RFC 8446 §5.1, `ContentType.handshake`.
const HANDSHAKE: u8 = 22;
/// The names of the protocols served, the preferred one first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// For whoever speaks HTTP to a port that speaks TLS; also readable for an HTTP/2 client that shows what it got.
const PLAIN_ANSWER: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 47\r\n\
    Connection: close\r\n\r\nthis port speaks TLS: use https, not plain HTTP";

/// As much of a plain request is read, in bytes, as may be under way when the answer arrives.
const PLAIN_REQUEST_MAX: u64 = 64 * 1024;

/// The bytes of a connection, with or without TLS. One type for both, so that HTTP is compiled once.
pub(crate) enum Transport<I> {
    Plain(I),
    /// In a box: it is large, and would be so for plain connections too.
    Tls(Box<TlsStream<Rewound<I>>>),
}

/// What a handshake agreed on.
pub(crate) struct Secured<I> {
    pub(crate) io: Box<TlsStream<Rewound<I>>>,
    /// Whether the client chose HTTP/2; `None` if it did not say.
    pub(crate) is_http2: Option<bool>,
    /// What the client has shown, and the handshake has checked.
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the client closed before it said anything")]
    Closed,
    #[error("the client does not speak TLS")]
    Plain,
    #[error("the client did not finish the TLS handshake in time")]
    Late,
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
    #[error("the client's certificate was accepted, but {0}")]
    Certificate(#[from] CertificateError),
}

impl HandshakeError {
    /// One word for metrics; `None` for a connection that was only tried, as load balancers do.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        use rustls::Error;
        match self {
            HandshakeError::Closed => None,
            HandshakeError::Plain => Some("plain_text"),
            HandshakeError::Late => Some("timeout"),
            HandshakeError::Certificate(_) => Some("client_certificate"),
            HandshakeError::Failed(error) => Some(
                match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
                    Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => {
                        "client_certificate"
                    }
                    Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => "incompatible",
                    // Mostly a client that does not trust our certificate.
                    Some(Error::AlertReceived(_)) => "refused_by_client",
                    Some(_) => "malformed",
                    None => "broken_off",
                },
            ),
        }
    }
}

/// Shakes hands. No time limit of its own.
pub(crate) async fn accept<I>(config: Arc<ServerConfig>, mut io: I) -> Result<Secured<I>, HandshakeError>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = BytesMut::with_capacity(64);
    if io.read_buf(&mut first).await? == 0 {
        return Err(HandshakeError::Closed);
    }
    if first[0] != HANDSHAKE {
        if first[0].is_ascii_uppercase() {
            // Whether the hint arrives is the client's concern.
            let _ = hint(&mut io).await;
        }
        return Err(HandshakeError::Plain);
    }
    let stream = TlsAcceptor::from(config)
        .accept(Rewound::new(first.freeze(), io))
        .await?;
    let (_, session) = stream.get_ref();
    let is_http2 = session.alpn_protocol().map(|chosen| chosen == ALPN[0]);
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let certificate = shown
        .map(|der| Certificate::parse(der))
        .transpose()?
        .map(Arc::new);
    Ok(Secured {
        io: Box::new(stream),
        is_http2,
        certificate,
    })
}

/// Tells what is wrong, then reads on: closing with bytes unread would reset the connection and lose the answer.
async fn hint(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    io.write_all(PLAIN_ANSWER).await?;
    io.shutdown().await?;
    tokio::io::copy(&mut io.take(PLAIN_REQUEST_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Transport::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Transport::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Transport::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(io) => io.is_write_vectored(),
            Transport::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(io) => Pin::new(io).poll_flush(cx),
            Transport::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Transport::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
