//! Where the function listens.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The address of the user function's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A TCP port. The host is a name or an address, without brackets.
    Tcp {
        /// Host name, IPv4 or IPv6 address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// A connected byte stream of either kind.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

impl Target {
    /// Connects. Tries every address that the host name has.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Socket>> {
        match self {
            Target::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                // Commands are small and wait for their replies: batching by the kernel would only delay them.
                socket.set_nodelay(true)?;
                Ok(Box::new(socket))
            }
            Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    /// The `:authority` of requests.
    pub(crate) fn authority(&self) -> String {
        match self {
            Target::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Target::Tcp { host, port } => format!("{host}:{port}"),
            Target::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp { .. } => f.write_str(&self.authority()),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
