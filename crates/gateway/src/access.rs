//! Who calls, and whether he may: from the certificate of a connection and the token of a request.
//!
//! ```text
//!   connection ─▶ tls ─▶ Peer, in the request's extensions ─┐
//!                                                           ├─▶ Guard ─▶ Identity ─▶ metadata
//!   request ─▶ authorization: Bearer … ─────────────────────┘     └────▶ Status: 401, 403, or their kin in gRPC
//! ```

mod bearer;
mod guard;

use std::sync::Arc;

use cloudstate_access::{Certificate, Policy, Tokens};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

pub(crate) use self::guard::Guard;

/// Who may connect and call. By default anyone, without TLS.
///
/// The receivers are looked at for each connection and each token, so that new files hold without a restart.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS, if it is spoken. Its protocols should be [`ALPN`](crate::ALPN).
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// By what tokens are judged; without it they are not looked at.
    pub tokens: Option<watch::Receiver<Arc<Tokens>>>,
    /// Who may call what.
    pub policy: Arc<Policy>,
}

impl Security {
    /// What new connections are served with; `None` if without TLS.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|config| config.borrow().clone())
    }
}

/// Who is at the other end of a connection, for the requests on it.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Arc<Certificate>);
