//! Finding out what the function serves, and noticing when to ask again.
//!
//! ```text
//!            ┌────────────── wait (back-off) ◀── failed ──┐
//!            ▼                                            │
//!   ──▶ discover ──▶ judge ──▶ accepted ──▶ watch the connection ──▶ lost ──▶ discover …
//!            ▲          └────▶ refused: report, wait ─┐
//!            └────────────────────────────────────────┘
//! ```
//!
//! The decisions are a pure machine (`machine`); [`Supervisor`] runs it. While an accepted function stays up, it gets
//! exactly one `discover` call and nothing else: its end shows in the connection.

mod backoff;
mod machine;
mod supervisor;

use std::time::Duration;

use cloudstate_protocol::{PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, ProxyInfo};

pub use backoff::Backoff;
pub use supervisor::Supervisor;

/// The name by which proxies of protocol 0.2 introduce themselves.
const PROXY_NAME: &str = "cloudstate-proxy-core";

/// What the proxy tells the function about itself: this build, and the entity types that it serves, as full names of
/// their protocol services.
pub fn proxy_info(supported_entity_types: &[&str]) -> ProxyInfo {
    ProxyInfo {
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        proxy_name: PROXY_NAME.to_owned(),
        proxy_version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_entity_types: supported_entity_types
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
    }
}

/// How discovery behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveryOptions {
    /// Sent with every `discover`; see [`proxy_info`].
    pub info: ProxyInfo,
    /// Pauses after failures, refusals and early losses.
    pub backoff: Backoff,
    /// Time for one `discover` or `reportError` call. Default 10 s.
    pub request_timeout: Duration,
}

impl DiscoveryOptions {
    /// The default times.
    pub fn new(info: ProxyInfo) -> DiscoveryOptions {
        DiscoveryOptions {
            info,
            backoff: Backoff::default(),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// What the proxy thinks of a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is served from now on.
    Accepted {
        /// Warnings for the function, each sent by `reportError`.
        warnings: Vec<String>,
    },
    /// It cannot be served.
    Refused {
        /// Why; sent by `reportError`, once until it changes or the function restarts.
        reason: String,
    },
}

/// What is known of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// No answer yet, or the function is lost.
    Searching {
        /// Why the last attempt failed; `None` before the first has ended.
        reason: Option<String>,
    },
    /// It is up and its declaration was refused. Asked again with back-off, and when it restarts.
    Refused {
        /// Why.
        reason: String,
    },
    /// It is up and its declaration is served.
    Found {
        /// How many declarations were accepted so far. The same number after a loss means: the same declaration.
        declaration: u64,
    },
}
