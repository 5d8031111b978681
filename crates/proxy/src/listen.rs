//! Ports: reserved first, opened when there is something to serve, connections spread over the cores.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// A connection on which nothing came for this long is asked for a sign of life, and then every so often. One whose other
/// side has vanished ends after a few of them, and its calls with it; HTTP/2 asks by itself, HTTP/1.1 does not.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A pause after the kernel refused a connection for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that belongs to this process, though nobody can connect yet.
#[derive(Debug)]
pub(crate) struct Reserved {
    socket: Socket,
    address: SocketAddr,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (from {key}): {}", explain(.source))]
pub struct ListenError {
    /// The configured address.
    pub address: String,
    /// The configuration key to change.
    pub key: &'static str,
    /// What the system said.
    pub source: io::Error,
}

fn explain(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use by another process; stop it or choose another port".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not listen on this port; choose one above 1023".to_owned()
        }
        _ => source.to_string(),
    }
}

impl Reserved {
    /// Takes the port; 0 takes a free one.
    pub(crate) fn new(host: &str, port: u16, key: &'static str) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            address: format!("{host}:{port}"),
            key,
            source,
        };
        let address = resolve(host, port).map_err(failed)?;
        bind(address).map_err(failed)
    }

    /// Where clients will connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the port. Needs a tokio runtime.
    pub(crate) fn listen(self, key: &'static str) -> Result<TcpListener, ListenError> {
        let failed = |source| ListenError {
            address: self.address.to_string(),
            key,
            source,
        };
        self.socket.listen(BACKLOG).map_err(failed)?;
        TcpListener::from_std(self.socket.into()).map_err(failed)
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    (host, port).to_socket_addrs()?.next().ok_or_else(none)
}

fn bind(address: SocketAddr) -> io::Result<Reserved> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a process that was killed linger in the kernel; a restart must not wait for them.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // The connections that are accepted here inherit it.
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keep_alive)?;
    socket.bind(&address.into())?;
    let address = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Reserved { socket, address })
}

/// Accepts until shutdown and gives each core its turn. A core whose queue is full is passed over; when all are full,
/// connections wait in the kernel.
pub(crate) async fn spread(
    listener: TcpListener,
    cores: Vec<mpsc::Sender<std::net::TcpStream>>,
    shutdown: CancellationToken,
) {
    let mut next = 0;
    loop {
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            stream = accept(&listener) => stream,
        };
        let Ok(stream) = stream.into_std() else { continue };
        let first = next;
        next = (next + 1) % cores.len();
        if let Err(stream) = offer(&cores, first, stream) {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // An error means that the core has ended, and with it the proxy.
                _ = cores[first].send(stream) => {}
            }
        }
    }
}

fn offer(
    cores: &[mpsc::Sender<std::net::TcpStream>],
    first: usize,
    mut stream: std::net::TcpStream,
) -> Result<(), std::net::TcpStream> {
    for step in 0..cores.len() {
        match cores[(first + step) % cores.len()].try_send(stream) {
            Ok(()) => return Ok(()),
            Err(error) => stream = error.into_inner(),
        }
    }
    Err(stream)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Replies are small; waiting to fill packets only delays them. A socket already gone fails later.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_listens_on_is_refused_by_name() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let error = Reserved::new("127.0.0.1", port, "http.port")
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.contains("http.port") && error.contains("in use"), "{error}");
    }

    #[tokio::test]
    async fn a_reserved_port_refuses_connections_until_it_listens() {
        let reserved = Reserved::new("127.0.0.1", 0, "http.port").unwrap();
        let address = reserved.address();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _listener = reserved.listen("http.port").unwrap();
        TcpStream::connect(address).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_whose_client_vanishes_does_not_live_for_ever() {
        let reserved = Reserved::new("127.0.0.1", 0, "http.port").unwrap();
        let address = reserved.address();
        let listener = reserved.listen("http.port").unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let stream = accept(&listener).await;
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEP_ALIVE_INTERVAL);
    }
}
