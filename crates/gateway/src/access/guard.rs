//! Judges the callers of one core.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloudstate_access::{Allowed, Identity, Policy, Refusal, Token, TokenError, Tokens};
use cloudstate_runtime::Code;
use http::StatusCode;
use http::request::Parts;

use super::{Peer, Security, bearer, pages};
use crate::end::End;
use crate::front::Route;
use crate::metrics::Refused;
use crate::status::{Challenge, Status};
use crate::web::Cors;

/// Checking a signature costs more than the rest of a call, and a client sends the same token with each one. So many good
/// tokens are kept, of at most so many bytes; when they are full, all are forgotten.
const KEPT_TOKENS: usize = 1024;
const KEPT_TOKEN_BYTES: usize = 4096;

/// Judges the callers of one core.
pub(crate) struct Guard {
    security: Security,
    cors: Cors,
    verified: RefCell<Verified>,
    refused: Arc<Refused>,
}

/// Tokens that were found good by the keys in force.
#[derive(Default)]
struct Verified {
    by: Option<Arc<Tokens>>,
    tokens: HashMap<Box<str>, Arc<Token>>,
}

/// Why a caller is turned away.
enum Reason {
    Token(TokenError),
    CertificateExpired,
    /// A page of another origin uses the certificate of its reader.
    Forged,
    Access(Refusal),
}

impl Guard {
    pub(crate) fn new(security: Security, cors: Cors, refused: Arc<Refused>) -> Self {
        Guard {
            security,
            cors,
            verified: RefCell::default(),
            refused,
        }
    }

    /// Who may call what.
    pub(crate) fn policy(&self) -> &Policy {
        &self.security.policy
    }

    /// Who calls, if he is let in.
    ///
    /// A token that is no good is refused even where anyone may call: who sends one wants to be known by it.
    pub(crate) fn admit(&self, allowed: &Allowed, head: &Parts) -> Result<Identity, Status> {
        let judged = self
            .identify(head)
            .and_then(|caller| match allowed.decide(&caller) {
                Ok(()) => Ok(caller),
                Err(refusal) => Err(Reason::Access(refusal)),
            });
        judged.map_err(|reason| {
            self.refused.caller(reason.label());
            self.status(&reason)
        })
    }

    fn identify(&self, head: &Parts) -> Result<Identity, Reason> {
        let certificate = match head.extensions.get::<Peer>() {
            None => None,
            // The handshake checked it, but connections live long.
            Some(Peer(certificate)) if certificate.not_after <= now() => {
                return Err(Reason::CertificateExpired);
            }
            Some(Peer(certificate)) => Some(certificate.clone()),
        };
        let token = match &self.security.tokens {
            None => None,
            Some(tokens) => match bearer::token(&head.headers)? {
                None => None,
                Some(text) => Some(self.verify(&tokens.borrow(), text)?),
            },
        };
        if certificate.is_some() && token.is_none() && pages::is_forged(head, &self.cors) {
            return Err(Reason::Forged);
        }
        Ok(Identity::new(certificate, token))
    }

    fn verify(&self, tokens: &Arc<Tokens>, text: &str) -> Result<Arc<Token>, TokenError> {
        let verified = &mut *self.verified.borrow_mut();
        if !verified.by.as_ref().is_some_and(|by| Arc::ptr_eq(by, tokens)) {
            verified.tokens.clear();
            verified.by = Some(tokens.clone());
        }
        if let Some(token) = verified.tokens.get(text)
            && token.expires > now()
        {
            return Ok(token.clone());
        }
        verified.tokens.remove(text);
        let token = Arc::new(tokens.verify(text)?);
        if text.len() <= KEPT_TOKEN_BYTES {
            if verified.tokens.len() >= KEPT_TOKENS {
                verified.tokens.clear();
            }
            verified.tokens.insert(text.into(), token.clone());
        }
        Ok(token)
    }

    fn status(&self, reason: &Reason) -> Status {
        match reason {
            Reason::Token(error) => {
                Status::new(Code::Unauthenticated, error.to_string()).with_challenge(Challenge::BetterToken)
            }
            Reason::CertificateExpired => {
                let text = "the client certificate has expired; connect anew with a valid one";
                Status::new(Code::Unauthenticated, text).with_http(StatusCode::FORBIDDEN)
            }
            Reason::Forged => {
                let text = "a page of another origin may not call with the certificate of its reader";
                Status::new(Code::PermissionDenied, text)
            }
            Reason::Access(Refusal::Unauthenticated) if self.security.tokens.is_some() => {
                let text = "this is not for anonymous callers; send a token as `authorization: Bearer TOKEN`";
                Status::new(Code::Unauthenticated, text).with_challenge(Challenge::Token)
            }
            Reason::Access(Refusal::Unauthenticated) => {
                let text = "this is not for anonymous callers; connect with a client certificate";
                // HTTP has no way to ask for a certificate, which 401 would have to do.
                Status::new(Code::Unauthenticated, text).with_http(StatusCode::FORBIDDEN)
            }
            Reason::Access(Refusal::Forbidden) => {
                Status::new(Code::PermissionDenied, "this caller may not use it")
            }
            Reason::Access(Refusal::Internal) => Status::new(
                Code::PermissionDenied,
                "this is not for clients: only the service itself uses it",
            ),
        }
    }
}

impl Reason {
    /// One word for metrics.
    fn label(&self) -> &'static str {
        match self {
            Reason::Token(error) => error.label(),
            Reason::CertificateExpired => "expired_certificate",
            Reason::Forged => "cross_origin",
            Reason::Access(Refusal::Unauthenticated) => "anonymous",
            Reason::Access(Refusal::Forbidden) => "forbidden",
            Reason::Access(Refusal::Internal) => "internal",
        }
    }
}

impl From<TokenError> for Reason {
    fn from(error: TokenError) -> Self {
        Reason::Token(error)
    }
}

/// When a call must have ended because of who makes it: one that streams, when what he has shown expires. One that does not
/// ends soon by itself.
pub(crate) fn expiry(route: &Route, caller: &Identity) -> Option<End> {
    let (shown, expires) = caller.expires().filter(|_| route.is_streaming())?;
    End::expiry(shown, expires.saturating_sub(now()))
}

/// Time since 1970; zero if the clock stands before.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
