//! The network, so that a simulated one can take its place.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A future of the network.
pub type Pending<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A connection's bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// A connection.
pub struct Connection(Box<dyn Stream>);

/// What a node needs of the network.
pub trait Net: Send + Sync + 'static {
    /// Connects to `host:port`.
    fn connect(&self, endpoint: String) -> Pending<Connection>;

    /// The addresses of a host.
    fn resolve(&self, host: String, port: u16) -> Pending<Vec<SocketAddr>>;
}

/// Where connections of other nodes arrive.
pub trait Listener: Send + 'static {
    /// The next connection. Cancel-safe.
    fn accept(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + '_>>;
}

impl Connection {
    /// A connection over this stream.
    pub fn new(stream: impl Stream) -> Self {
        Connection(Box::new(stream))
    }
}

/// The network of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    fn connect(&self, endpoint: String) -> Pending<Connection> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(endpoint).await?;
            // Messages are small; waiting to fill packets only delays them.
            stream.set_nodelay(true)?;
            Ok(Connection::new(stream))
        })
    }

    fn resolve(&self, host: String, port: u16) -> Pending<Vec<SocketAddr>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

impl Listener for tokio::net::TcpListener {
    fn accept(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + '_>> {
        Box::pin(async move {
            let (stream, _) = tokio::net::TcpListener::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok(Connection::new(stream))
        })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
