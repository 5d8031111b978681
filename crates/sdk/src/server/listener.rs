//! Where connections come from.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::ServeError;

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 8080;

/// A bound address, not yet served.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener, SocketFile),
}

/// Removes the socket's file when the listener is dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else may have removed it; the directory may be gone. Either way nobody connects any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An accepted connection, detached from the runtime that accepted it.
pub(super) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Binds the Unix socket `SOCKET` if that is set and not empty, else `HOST` and `PORT`.
    ///
    /// # Errors
    /// If `PORT` is not a port, or the address cannot be bound.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as the other constructors.
    pub fn from_environment() -> Result<Self, ServeError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(path) = variable("SOCKET") {
            return Self::unix(path);
        }
        let port = match variable("PORT") {
            Some(text) => text.parse().map_err(|_| ServeError::InvalidPort(text))?,
            None => DEFAULT_PORT,
        };
        Self::tcp(variable("HOST").as_deref().unwrap_or(DEFAULT_HOST), port)
    }

    /// Binds a TCP port; 0 picks a free one, see [`address`](Self::address).
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn tcp(host: &str, port: u16) -> Result<Self, ServeError> {
        let bind = || {
            let listener = std::net::TcpListener::bind((host, port))?;
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        };
        let failed = |source| ServeError::Bind {
            address: format!("{host}:{port}"),
            source,
        };
        Ok(Listener(Kind::Tcp(bind().map_err(failed)?)))
    }

    /// Binds a Unix socket. A socket file that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// If the path cannot be bound, or another process listens on it.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, ServeError> {
        let path = path.as_ref();
        let failed = |source| ServeError::Bind {
            address: path.display().to_string(),
            source,
        };
        let listener = bind_unix(path).map_err(failed)?;
        Ok(Listener(Kind::Unix(listener, SocketFile(path.to_owned()))))
    }

    /// The address as `host:port`, or the path of the Unix socket.
    pub fn address(&self) -> String {
        match &self.0 {
            Kind::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "an unknown address".into(), |address| address.to_string()),
            Kind::Unix(_, file) => file.0.display().to_string(),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Socket> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let socket = listener.accept().await?.0;
                socket.set_nodelay(true)?;
                Ok(Socket::Tcp(socket.into_std()?))
            }
            Kind::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<tokio::net::UnixListener> {
    match tokio::net::UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            tokio::net::UnixListener::bind(path)
        }
        bound => bound,
    }
}

fn is_abandoned(path: &Path) -> bool {
    let connected = std::os::unix::net::UnixStream::connect(path);
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}
