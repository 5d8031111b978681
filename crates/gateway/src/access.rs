//! Who calls, and whether he may: from the certificate of a connection and the token of a request.
//!
//! ```text
//!   connection ─▶ tls ─▶ Peer, in the request's extensions ─┐
//!                                                           ├─▶ Guard ─▶ Identity ─▶ metadata
//!   request ─▶ authorization: Bearer … ─────────────────────┘     └────▶ Status: 401, 403, or their kin in gRPC
//! ```

mod bearer;
mod guard;
mod pages;

use std::sync::Arc;

use cloudstate_access::{Certificate, Policy, Tokens};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

pub(crate) use self::guard::{Guard, expiry};

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
    /// What new connections are served with, and tells when that changes; `None` if without TLS.
    pub(crate) fn tls(&self) -> Option<(Arc<ServerConfig>, Changed)> {
        let mut tls = self.tls.clone()?;
        let config = tls.borrow_and_update().clone();
        Some((config, Changed(tls)))
    }
}

/// Tells when the configuration of TLS is another than it was.
pub(crate) struct Changed(watch::Receiver<Arc<ServerConfig>>);

impl Changed {
    /// Waits for it, without end if nobody can change it.
    pub(crate) async fn wait(mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Who is at the other end of a connection, for the requests on it.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Arc<Certificate>);
