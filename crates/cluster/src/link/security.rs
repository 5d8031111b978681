//! Who may link: mutual TLS, or nobody is asked.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::net::Connection;

/// What TLS needs in both directions. Both sides show a certificate of the cluster's authority.
#[derive(Debug, Clone)]
pub struct TlsPair {
    /// For links that this node dials.
    pub client: Arc<ClientConfig>,
    /// For links that it takes.
    pub server: Arc<ServerConfig>,
    /// The name that certificates of other nodes are for; by default the host that is dialled.
    pub server_name: Option<String>,
}

/// How links are protected.
#[derive(Debug, Clone)]
pub enum Security {
    /// Not at all: whoever reaches the port is a member.
    Off,
    /// By mutual TLS. New links use what was made last.
    Tls(watch::Receiver<Arc<TlsPair>>),
}

impl Security {
    /// Protects a connection that this node has dialled.
    pub(super) async fn client(&self, endpoint: &str, connection: Connection) -> io::Result<Connection> {
        let pair = match self {
            Security::Off => return Ok(connection),
            Security::Tls(pair) => pair.borrow().clone(),
        };
        let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = pair.server_name.clone().unwrap_or_else(|| host.to_owned());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let connector = TlsConnector::from(pair.client.clone());
        Ok(Connection::new(connector.connect(name, connection).await?))
    }

    /// Protects a connection that another node has dialled.
    pub(super) async fn server(&self, connection: Connection) -> io::Result<Connection> {
        let pair = match self {
            Security::Off => return Ok(connection),
            Security::Tls(pair) => pair.borrow().clone(),
        };
        let acceptor = TlsAcceptor::from(pair.server.clone());
        Ok(Connection::new(acceptor.accept(connection).await?))
    }
}
