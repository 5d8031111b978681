//! What was turned away, and why: each reason is one label of a metric.

use std::fmt;
use std::sync::Arc;

use cloudstate_telemetry::{Count, Page};

/// Why a TLS handshake failed.
const HANDSHAKES: [&str; 7] = [
    "plain_text",
    "timeout",
    "client_certificate",
    "incompatible",
    "refused_by_client",
    "malformed",
    "broken_off",
];

/// Why a connection ended early.
const CONNECTIONS: [&str; 6] = [
    "silent",
    "timeout",
    "too_large",
    "malformed",
    "flooding",
    "broken_off",
];

/// Why a caller was refused.
const CALLERS: [&str; 14] = [
    "anonymous",
    "forbidden",
    "internal",
    "expired_certificate",
    "cross_origin",
    "malformed_token",
    "token_algorithm",
    "unknown_key",
    "token_signature",
    "expired_token",
    "early_token",
    "token_audience",
    "token_issuer",
    "token_claim",
];

/// What one core turned away.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    handshakes: [Count; HANDSHAKES.len()],
    connections: [Count; CONNECTIONS.len()],
    callers: [Count; CALLERS.len()],
}

impl Refused {
    /// A TLS handshake failed for this reason.
    pub(crate) fn handshake(&self, reason: &str) {
        count(&HANDSHAKES, &self.handshakes, reason);
    }

    /// A connection ended early for this reason.
    pub(crate) fn connection(&self, reason: &str) {
        count(&CONNECTIONS, &self.connections, reason);
    }

    /// A caller was refused for this reason.
    pub(crate) fn caller(&self, reason: &str) {
        count(&CALLERS, &self.callers, reason);
    }
}

fn count(reasons: &[&str], counts: &[Count], reason: &str) {
    let at = reasons.iter().position(|known| *known == reason);
    debug_assert!(at.is_some(), "{reason} is not in the table");
    if let Some(count) = at.and_then(|at| counts.get(at)) {
        count.inc();
    }
}

/// Writes the sums of all cores; reasons that never occurred as 0, so that an alarm finds them.
pub(super) fn write(page: &mut Page<'_>, cores: &[Arc<Refused>]) -> fmt::Result {
    let sum = |counts: fn(&Refused) -> &[Count], at: usize| -> u64 {
        cores.iter().map(|core| counts(core)[at].get()).sum()
    };
    let samples = HANDSHAKES.iter().enumerate();
    page.counters(
        "cloudstate_gateway_tls_handshake_failures",
        "TLS handshakes that failed",
        samples.map(|(at, reason)| ([("reason", *reason)], sum(|core| &core.handshakes, at))),
    )?;
    let samples = CONNECTIONS.iter().enumerate();
    page.counters(
        "cloudstate_gateway_failed_connections",
        "Client connections that ended early, by what was wrong",
        samples.map(|(at, reason)| ([("reason", *reason)], sum(|core| &core.connections, at))),
    )?;
    let samples = CALLERS.iter().enumerate();
    page.counters(
        "cloudstate_gateway_refused_callers",
        "Requests refused because of who made them",
        samples.map(|(at, reason)| ([("reason", *reason)], sum(|core| &core.callers, at))),
    )
}
